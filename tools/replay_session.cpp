#include "tools/replay_session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>

namespace transom::tools {

namespace replay = drivers::replay;

bool rest() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  constexpr timespec kInterval{.tv_sec = 0, .tv_nsec = 10'000'000};
  return sigtimedwait(&set, nullptr, &kInterval) < 0;
}

Prompt::Prompt(bool is_wanted) : is_open_(is_wanted) {
  if (is_open_) fmt::print(stderr, "Enter: the next packet. A number: so many. End of input: all.\n");
}

std::uint64_t Prompt::take() {
  constexpr std::uint64_t kAll = std::uint64_t{1} << 62;
  std::uint64_t steps = 0;
  pollfd poll_for{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (is_open_ && poll(&poll_for, 1, 0) > 0) {
    char octet = 0;
    if (read(STDIN_FILENO, &octet, 1) != 1) {
      is_open_ = false;
      return kAll;
    }
    if (octet != '\n') {
      line_ += octet;
      continue;
    }
    const long number = line_.empty() ? 1 : std::atol(line_.c_str());
    steps += number > 0 ? static_cast<std::uint64_t>(number) : 0;
    line_.clear();
  }
  return steps;
}

bool has_ended(pid_t child, int& status) {
  int raw = 0;
  if (waitpid(child, &raw, WNOHANG) != child) return false;
  status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 1;
  return true;
}

int end_child(pid_t child, bool is_server) {
  if (child == 0) return 0;
  int status = 0;
  for (int i = 0; i < 200 && !is_server; ++i) {
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    rest();
  }
  kill(child, SIGTERM);
  waitpid(child, &status, 0);
  return is_server ? 0 : 1;
}

replay::LiveSetup live_setup_of(const ReplayOptions& options) {
  replay::LiveSetup setup;
  setup.options.fidelity = options.fidelity == "stream"  ? replay::Fidelity::kStream
                           : options.fidelity == "exact" ? replay::Fidelity::kExact
                                                         : replay::Fidelity::kSegment;
  setup.options.when = options.when == "recorded" ? replay::When::kRecorded
                       : options.when == "hybrid" ? replay::When::kHybrid
                                                  : replay::When::kCausal;
  setup.options.stall = seconds_of(options.stall);
  setup.speed = options.speed;
  if (options.longest_sleep) setup.speed.longest_sleep = seconds_of(*options.longest_sleep);
  setup.loops = options.loops;
  setup.limit = options.limit;
  if (options.duration) setup.duration = seconds_of(*options.duration);
  if (options.port) setup.port = Port{*options.port};
  return setup;
}

}  // namespace transom::tools
