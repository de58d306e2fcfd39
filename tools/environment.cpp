#include "tools/environment.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

bool write_file(const char* path, std::string_view text) {
  const drivers::FileDescriptor file(open(path, O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string advice(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "allow user namespaces (sudo sysctl -w kernel.unprivileged_userns_clone=1 "
             "kernel.apparmor_restrict_unprivileged_userns=0), or run as root";
    case ENOSPC:
      return "raise the limit (sudo sysctl -w user.max_user_namespaces=10000 user.max_net_namespaces=10000)";
    case EINVAL:
      return "the kernel lacks user or network namespaces; use --tap with a device made by an administrator";
    default:
      return "see transom doctor";
  }
}

}  // namespace

bool map_root(uid_t user, gid_t group) {
  write_file("/proc/self/setgroups", "deny");  // required before gid_map without privilege
  return write_file("/proc/self/uid_map", fmt::format("0 {} 1", user)) &&
         write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
}

std::string enter_private_network() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  std::string enter = fmt::format("sudo nsenter -t {} -n", getpid());
  if (user == 0 && unshare(CLONE_NEWNET) == 0) {
    enter = fmt::format("nsenter -t {} -n", getpid());
  } else {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
      const int error = errno;
      fail(Exit::kEnvironment, "cannot make a private network: {}; {}", std::strerror(error), advice(error));
    }
    if (!map_root(user, group)) {
      fail(Exit::kEnvironment, "cannot become root in the private network: {}; see transom doctor",
           std::strerror(errno));
    }
    enter = fmt::format("nsenter -t {} -U -n --preserve-credentials", getpid());
  }
  // A machine without IPv6 says so here and goes on with IPv4.
  write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
  write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
  if (auto up = drivers::set_link_up("lo"); !up) fail(Exit::kEnvironment, "{}", up.error().message);
  return enter;
}

std::string user_namespace_problem() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) _exit(errno);
    _exit(map_root(user, group) ? 0 : errno);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) return std::strerror(errno);
  const int error = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
  return error == 0 ? "" : fmt::format("{}; {}", std::strerror(error), advice(error));
}

void join_user_namespace(pid_t process) {
  const drivers::FileDescriptor theirs(
      open(fmt::format("/proc/{}/ns/user", process).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat their_status{};
  struct stat own_status{};
  if (!theirs || fstat(theirs.get(), &their_status) != 0 || stat("/proc/self/ns/user", &own_status) != 0) {
    fail(Exit::kEnvironment, "cannot look at the namespaces of process {}: {}", process,
         std::strerror(errno));
  }
  if (their_status.st_ino == own_status.st_ino) return;
  if (setns(theirs.get(), CLONE_NEWUSER) != 0) {
    fail(Exit::kEnvironment, "cannot enter the user namespace of process {}: {}; run it as the same user",
         process, std::strerror(errno));
  }
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  constexpr rlim_t kPlenty = 1 << 20;
  const rlimit plenty{.rlim_cur = std::max(kPlenty, limit.rlim_max),
                      .rlim_max = std::max(kPlenty, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &plenty) == 0) return;  // the privileged may raise the hard limit, too
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace transom::tools
