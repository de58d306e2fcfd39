#include "tools/child.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "tools/failure.h"

namespace transom::tools {

namespace {

sigset_t waited_for() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = waited_for();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

pid_t start_child(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments.front(), nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    fail(Exit::kUsage, "cannot run '{}': {}; check the name behind '--'", command.front(),
         std::strerror(error));
  }
  return child;
}

int wait_for_end(pid_t child, const std::function<bool()>& look) {
  const sigset_t set = waited_for();
  constexpr timespec kInterval = {.tv_sec = 0, .tv_nsec = 500'000'000};
  while (true) {
    const int signal = sigtimedwait(&set, nullptr, &kInterval);
    if (child == 0) {
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP) return 0;
    } else {
      if (signal == SIGTERM || signal == SIGHUP) kill(child, signal);
      int status = 0;
      if (waitpid(child, &status, WNOHANG) == child) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
    }
    if (!look()) {
      if (child != 0) kill(child, SIGTERM);
      return static_cast<int>(Exit::kFailed);
    }
  }
}

}  // namespace transom::tools
