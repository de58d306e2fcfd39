#include "tools/guest_program.h"

#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "drivers/network_setup.h"
#include "drivers/tap_device.h"
#include "socket_api/run/seccomp_filter.h"
#include "socket_api/run/trapped_call.h"
#include "tools/environment.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

constexpr int kCannotRun = 127;  // as a shell says it

std::string problem(const char* what) { return fmt::format("cannot {}: {}", what, std::strerror(errno)); }

// fork(), into new namespaces.
pid_t fork_into(unsigned long namespaces) {
  return static_cast<pid_t>(syscall(SYS_clone, namespaces | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

// ---------------------------------------------------------------- within the namespaces

// A file can be bound from a mount of this namespace alone. So it is made on one that is there for a moment,
// above a directory that there is everywhere.
void bind_over(const std::string& path, const std::string& content) {
  constexpr const char* kPlace = "/proc";
  const auto check = [&path](bool is_good) {
    if (!is_good)
      throw Failure(Exit::kEnvironment, problem(fmt::format("give the program its own {}", path).c_str()));
  };
  check(mount("none", kPlace, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0);
  const std::string made = fmt::format("{}/file", kPlace);
  const drivers::FileDescriptor file(open(made.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const bool is_bound =
      file && write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      mount(made.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0;
  const int error = errno;
  (void)umount2(kPlace, MNT_DETACH);
  errno = error;
  check(is_bound);
}

// Whose answers would come from the network outside. resolv.conf may be a link to a file of theirs.
void hide_name_services() {
  const std::string links_to = std::filesystem::weakly_canonical("/etc/resolv.conf").native();
  for (const char* const path : {"/run/nscd", "/var/run/nscd", "/run/systemd/resolve"}) {
    struct stat status{};
    if (stat(path, &status) != 0 || mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
      continue;
    if (links_to.starts_with(std::string(path) + '/'))
      const drivers::FileDescriptor empty(open(links_to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  }
}

void set_up_files() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    throw Failure(Exit::kEnvironment, problem("have mounts of its own"));
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    throw Failure(Exit::kEnvironment, problem("mount a /proc of its own"));
}

// Kept open for as long as the namespace is to have it.
std::unique_ptr<drivers::Device> set_up_network(const GuestOptions& options) {
  const auto check = [](const auto& done) {
    if (!done) throw Failure(Exit::kEnvironment, done.error().message);
  };
  check(drivers::set_link_up("lo"));
  if (options.interface.empty()) return nullptr;
  auto mirror = drivers::open_tap({.name = options.interface, .tun = true, .offload = false});
  check(mirror);
  check(drivers::set_link_up(options.interface));
  return std::move(*mirror);
}

// What the host has got from elsewhere is known when it is up, and by then this process asks the host for its
// sockets. So another one, made before, waits for it and sets it up. How it comes: a letter and its value in
// each line; "A" is an address of the mirror, "R" a line of resolv.conf, and the last is ".".
std::string written_down(const std::string& interface, const GuestNetwork& network) {
  std::string lines;
  for (const IpPrefix& address : network.addresses) lines += fmt::format("A{}\n", address);
  for (const IpAddress& server : network.name_servers) {
    lines += fmt::format("Rnameserver {}", server);
    if (server.is_link_local() && server.is_v6()) lines += "%" + interface;
    lines += '\n';
  }
  if (!network.name_servers.empty() && !network.search_domains.empty())
    lines += fmt::format("Rsearch {}\n", fmt::join(network.search_domains, " "));
  return lines + ".\n";
}

void set_up_learnt(const std::string& interface, const std::string& lines) {
  std::string names;
  for (std::size_t at = 0, end; (end = lines.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string value = lines.substr(at + 1, end - at - 1);
    if (lines[at] == 'R') names += value + '\n';
    if (lines[at] != 'A' || interface.empty()) continue;
    if (const auto address = IpPrefix::parse(value)) {
      if (const auto added = drivers::add_link_address(interface, *address); !added)
        throw Failure(Exit::kEnvironment, added.error().message);
    }
  }
  if (names.empty()) return;
  hide_name_services();
  bind_over("/etc/resolv.conf", names);
}

pid_t start_setter(const GuestOptions& options, int go) {
  const pid_t setter = fork();
  if (setter != 0) return setter;
  std::string lines;
  std::array<char, 4096> text{};
  for (ssize_t size; (size = read(go, text.data(), text.size())) > 0;)
    lines.append(text.data(), static_cast<std::size_t>(size));
  if (!lines.ends_with(".\n")) _exit(kCannotRun);  // whoever starts it is gone
  try {
    set_up_learnt(options.interface, lines);
  } catch (const std::exception& error) {
    fmt::print(stderr, "transom: {}\n", error.what());
    _exit(kCannotRun);
  }
  _exit(0);
}

// ---------------------------------------------------------------- the preloaded library

// Beside this program, as it is built or installed.
std::string preload_library() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string own(path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::string prefix = own.substr(0, own.rfind('/', own.rfind('/') - 1));
  for (const char* const place : {TRANSOM_LIBRARY_DIRECTORY, "lib"}) {
    const std::string library = fmt::format("{}/{}/transom/libtransom_preload.so", prefix, place);
    if (access(library.c_str(), R_OK) == 0) return library;
  }
  fail(Exit::kEnvironment, "libtransom_preload.so is not in {}/lib/transom; build or install it", prefix);
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    const std::string place = fmt::format("{}/{}", directory, name);
    if (access(place.c_str(), X_OK) == 0) return place;
  }
  return name;
}

// An ELF program that names no interpreter loads no library.
bool is_static(const std::string& path) {
  const drivers::FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header{};
  if (!file || read(file.get(), &header, sizeof header) != sizeof header ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    const auto at = static_cast<off_t>(header.e_phoff) + i * static_cast<off_t>(header.e_phentsize);
    if (pread(file.get(), &part, sizeof part, at) != sizeof part) return false;
    if (part.p_type == PT_INTERP) return false;
  }
  return true;
}

void set_up_preload(const std::string& program) {
  if (is_static(find_program(program))) {
    fail(Exit::kUsage,
         "'{}' is statically linked: it loads no library, so --preload cannot reach it; leave it out",
         program);
  }
  std::string libraries = preload_library();
  if (const char* const others = std::getenv("LD_PRELOAD"); others != nullptr && *others != '\0')
    libraries += fmt::format(":{}", others);
  setenv("LD_PRELOAD", libraries.c_str(), 1);
}

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(arguments.front(), arguments.data());
  fmt::print(stderr, "transom: cannot run '{}': {}; check the name behind '--'\n", command.front(),
             std::strerror(errno));
  _exit(kCannotRun);
}

// The first process of the namespace: it adopts what others leave, and its end is the end of all.
[[noreturn]] void look_after(pid_t program) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  while (true) {
    const int signal = sigwaitinfo(&set, nullptr);
    if (signal == SIGTERM || signal == SIGHUP) kill(program, signal);
    int status = 0;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != program) continue;
      if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
      if (WTERMSIG(status) != SIGTERM && WTERMSIG(status) != SIGINT && WTERMSIG(status) != SIGHUP &&
          WTERMSIG(status) != SIGPIPE)
        fmt::print(stderr, "transom: the program was ended by signal {} ({})\n", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
      _exit(128 + WTERMSIG(status));
    }
  }
}

[[noreturn]] void run_inside(const GuestOptions& options, int reports, int go) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::unique_ptr<drivers::Device> mirror;
  int listener = -1;
  pid_t setter = -1;
  try {
    set_up_files();
    mirror = set_up_network(options);
    setter = start_setter(options, go);
    if (setter < 0) throw Failure(Exit::kEnvironment, problem("start a process"));
    const bool is_preload = options.interception == sockets::run::Interception::kPreload;
    auto installed = is_preload ? sockets::run::listen_for_preload() : sockets::run::install_filter();
    if (!installed) {
      fail(Exit::kEnvironment, "cannot watch the program's system calls ({}): {}; see transom doctor{}",
           is_preload ? "preload" : "seccomp", std::strerror(to_number(installed.error())),
           is_preload ? "" : ", or try --preload");
    }
    listener = installed->get();
    const std::string report = fmt::format("L{}", listener);
    (void)!write(reports, report.data(), report.size());
    int status = 0;
    if (waitpid(setter, &status, 0) != setter || status != 0) _exit(kCannotRun);
  } catch (const std::exception& error) {
    const std::string report = fmt::format("E{}", error.what());
    (void)!write(reports, report.data(), report.size());
    _exit(kCannotRun);
  }
  // The supervisor has it by now, and must be the only one: then its end ends the calls.
  close(listener);
  close(reports);
  close(go);
  const pid_t program = fork();
  if (program == 0) become(options.command);
  look_after(program);
}

}  // namespace

GuestProgram::GuestProgram(const GuestOptions& options) {
  const bool is_preload = options.interception == sockets::run::Interception::kPreload;
  interface_ = options.interface;
  if (is_preload) set_up_preload(options.command.front());
  std::array<int, 2> reports{};
  std::array<int, 2> go{};
  if (pipe2(reports.data(), O_CLOEXEC) != 0 || pipe2(go.data(), O_CLOEXEC) != 0)
    throw Failure(Exit::kEnvironment, problem("make a pipe"));
  reports_ = drivers::FileDescriptor(reports[0]);
  go_ = drivers::FileDescriptor(go[1]);
  const drivers::FileDescriptor their_reports(reports[1]);
  const drivers::FileDescriptor their_go(go[0]);

  const uid_t user = geteuid();
  const gid_t group = getegid();
  constexpr unsigned long kNamespaces = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID;
  pid_t child = fork_into(kNamespaces);
  bool is_unprivileged = false;
  if (child < 0 && errno == EPERM) {
    is_unprivileged = true;
    child = fork_into(kNamespaces | CLONE_NEWUSER);
  }
  if (child < 0) {
    const std::string why = user_namespace_problem();
    fail(Exit::kEnvironment, "cannot make namespaces for the program: {}",
         why.empty() ? std::strerror(errno) : why);
  }
  if (child == 0) {
    reports_.reset();
    go_.reset();
    if (is_unprivileged && !map_root(user, group)) _exit(kCannotRun);
    run_inside(options, their_reports.get(), their_go.get());
  }
  process_ = child;
  if (is_preload) unsetenv("LD_PRELOAD");  // nothing else that we start is to have it
}

GuestProgram::~GuestProgram() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

drivers::FileDescriptor GuestProgram::take_listener() {
  std::array<char, 4096> text{};
  const ssize_t size = read(reports_.get(), text.data(), text.size());
  const std::string report(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (report.empty())
    fail(Exit::kEnvironment, "the program's namespaces could not be set up; see transom doctor");
  if (report.front() != 'L') throw Failure(Exit::kEnvironment, report.substr(1));
  auto listener = sockets::run::take_descriptor(process_, std::stoi(report.substr(1)));
  if (!listener) {
    fail(Exit::kEnvironment, "cannot supervise the program: {}; it needs CAP_SYS_PTRACE or the same user",
         std::strerror(to_number(listener.error())));
  }
  return std::move(*listener);
}

void GuestProgram::start(const GuestNetwork& network) {
  const std::string lines = written_down(interface_, network);
  (void)!write(go_.get(), lines.data(), lines.size());
  go_.reset();
}

}  // namespace transom::tools
