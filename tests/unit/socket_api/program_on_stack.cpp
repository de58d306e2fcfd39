#include "tests/unit/socket_api/program_on_stack.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "socket_api/run/seccomp_filter.h"
#include "socket_api/run/supervisor.h"

namespace transom::sockets::run {

namespace {

constexpr unsigned kLimit = 60;  // seconds; a program that hangs must not hang the tests

[[noreturn]] void be_program(const std::function<std::string()>& program, int answers, int go) {
  setpgid(0, 0);
  alarm(kLimit);
  auto listener = install_filter();
  const int number = listener ? listener->get() : -to_number(listener.error());
  (void)!write(answers, &number, sizeof number);
  char byte = 0;
  if (number < 0 || read(go, &byte, 1) != 1) _exit(1);
  listener->reset();  // the supervisor has it: its end must be the end of the calls
  const std::string result = program();
  (void)!write(answers, result.data(), result.size());
  _exit(0);
}

}  // namespace

std::string unless(bool is_true, const std::string& what) {
  return is_true ? "" : "not so: " + what + "; errno: " + std::strerror(errno);
}

std::string run_on_stack(const std::function<std::string()>& program) {
  std::array<int, 2> answers{};
  std::array<int, 2> go{};
  if (pipe(answers.data()) != 0 || pipe(go.data()) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return "no process";
  if (child == 0) {
    close(answers[0]);
    close(go[1]);
    be_program(program, answers[1], go[0]);
  }
  const drivers::FileDescriptor answer(answers[0]);
  const drivers::FileDescriptor start(go[1]);
  close(answers[1]);
  close(go[0]);

  std::string said;
  int number = -1;
  if (read(answer.get(), &number, sizeof number) != sizeof number || number < 0) {
    said = std::string("no filter: ") + std::strerror(-number);
  } else if (auto listener = take_descriptor(child, number); !listener) {
    said = "the filter's listener is not to be had";
  } else {
    Stack stack;
    const Supervisor supervisor(stack, make_call_source(Interception::kSeccomp, std::move(*listener)));
    (void)!write(start.get(), "g", 1);
    std::array<char, 4096> text;
    pollfd look{.fd = answer.get(), .events = POLLIN, .revents = 0};
    while (poll(&look, 1, static_cast<int>(kLimit + 5) * 1000) > 0) {
      const ssize_t size = read(answer.get(), text.data(), text.size());
      if (size <= 0) break;
      said.append(text.data(), static_cast<std::size_t>(size));
    }
    // A process that the program has left would keep the pipe, and whatever reads our output, open for good.
    kill(-child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) said += std::string("killed: ") + strsignal(WTERMSIG(status));
    return said;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return said;
}

}  // namespace transom::sockets::run
