#include "socket_api/run/seccomp_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

#include "socket_api/run/asked_numbers.h"

namespace transom::sockets::run {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "transom run knows the system calls of x86-64 and AArch64"
#endif
constexpr std::uint32_t kX32Bit = 0x40000000;

// A classic BPF program, written as a list of questions.
class Filter {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void answer(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  void answer_if(std::uint32_t value, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(action);
  }
  void answer_unless(std::uint32_t value, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    answer(action);
  }
  void answer_if_at_least(std::uint32_t value, std::uint32_t action) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, 1);
    answer(action);
  }
  void answer_if_any_bit(std::uint32_t mask, std::uint32_t action) {
    add(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1);
    answer(action);
  }
  void answer_unless_either(std::uint32_t one, std::uint32_t other, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, one, 2, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, other, 1, 0);
    answer(action);
  }
  void answer_if_within(std::uint32_t first, std::uint32_t end, std::uint32_t action) {
    add(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2);
    add(BPF_JMP | BPF_JGE | BPF_K, end, 1, 0);
    answer(action);
  }
  // The questions that `body` adds are for this call alone; what they leave open is allowed.
  template <typename Body>
  void on_call(long number, Body body) {
    const std::size_t jump = program_.size();
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 0);
    body();
    answer(SECCOMP_RET_ALLOW);
    program_[jump].jf = static_cast<std::uint8_t>(program_.size() - jump - 1);
  }
  std::vector<sock_filter>& program() { return program_; }

 private:
  void add(int code, std::uint32_t k, std::uint8_t jt = 0, std::uint8_t jf = 0) {
    program_.push_back({static_cast<std::uint16_t>(code), jt, jf, k});
  }
  std::vector<sock_filter> program_;
};

constexpr std::uint32_t argument_low(int index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + static_cast<std::uint32_t>(index) * 8;
}

std::vector<sock_filter> make_program() {
  constexpr std::uint32_t kAsk = SECCOMP_RET_USER_NOTIF;
  constexpr auto refuse = [](int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); };
  Filter filter;
  filter.load(offsetof(seccomp_data, arch));
  filter.answer_unless(kArchitecture, refuse(ENOSYS));
  filter.load(offsetof(seccomp_data, nr));
  filter.answer_if_at_least(kX32Bit, refuse(ENOSYS));

  // These first, for they are the most frequent.
  const auto asked_number = [&filter] {
    filter.load(argument_low(0));
    filter.answer_if_within(TRANSOM_ASKED_FIRST, TRANSOM_ASKED_END, kAsk);
  };
  for (const long call : {SYS_read, SYS_write, SYS_readv, SYS_writev}) filter.on_call(call, asked_number);
  for (const long call :
       {SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_getsockname, SYS_getpeername,
        SYS_setsockopt, SYS_getsockopt, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_shutdown}) {
    filter.answer_if(static_cast<std::uint32_t>(call), kAsk);
  }
  // Its requests go past every filter, and it is optional for all who use it.
  filter.answer_if(SYS_io_uring_setup, refuse(ENOSYS));
  filter.on_call(SYS_socket, [&] {
    filter.load(argument_low(0));
    filter.answer_if(AF_INET, kAsk);
    filter.answer_if(AF_INET6, kAsk);
    filter.answer_if(AF_PACKET, kAsk);
  });
  // With an address, or with flags whose meaning a socketpair does not know.
  const auto with_address = [&](int flags) {
    return [&filter, &asked_number, flags] {
      asked_number();
      filter.load(argument_low(3));
      filter.answer_if_any_bit(static_cast<std::uint32_t>(flags), kAsk);
      for (const std::uint32_t half : {0U, 4U}) {
        filter.load(argument_low(4) + half);
        filter.answer_unless(0, kAsk);
      }
    };
  };
  filter.on_call(SYS_sendto, with_address(MSG_FASTOPEN | MSG_MORE));
  filter.on_call(SYS_recvfrom, [&] {
    // Of a single octet: whether there is a connection at all is asked so (Python's ssl does).
    filter.load(argument_low(2));
    filter.answer_if(1, kAsk);
    with_address(MSG_ERRQUEUE | MSG_TRUNC)();
  });
  // Duplicates of what has such a number get one, too.
  filter.on_call(SYS_dup, asked_number);
#ifdef SYS_dup2
  filter.on_call(SYS_dup2, asked_number);
#endif
  filter.on_call(SYS_dup3, asked_number);
  filter.on_call(SYS_fcntl, [&] {
    filter.load(argument_low(1));
    filter.answer_unless_either(F_DUPFD, F_DUPFD_CLOEXEC, SECCOMP_RET_ALLOW);
    asked_number();
  });
  filter.on_call(SYS_ioctl, [&] {
    filter.load(argument_low(1));
    filter.answer_if(SIOCATMARK, kAsk);
    filter.answer_if(SIOCOUTQ, kAsk);
    filter.answer_if(SIOCOUTQNSD, kAsk);
    filter.answer_if(FIONREAD, kAsk);
    filter.answer_if(SIOCGIFHWADDR, kAsk);  // which the mirror does not have
  });
  filter.answer(SECCOMP_RET_ALLOW);
  return std::move(filter.program());
}

}  // namespace

Outcome<drivers::FileDescriptor> install_filter() {
  std::vector<sock_filter> program = make_program();
  const sock_fprog code = {.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  const auto install = [&code] {
    return static_cast<int>(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &code));
  };
  int listener = install();
  if (listener < 0 && errno == EACCES) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno);
    listener = install();
  }
  if (listener < 0) return fail(errno);
  return drivers::FileDescriptor(listener);
}

}  // namespace transom::sockets::run
