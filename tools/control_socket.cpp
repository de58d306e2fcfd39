#include "tools/control_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "drivers/descriptor_message.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxLine = 1 << 16;
constexpr int kPatience = 2000;  // milliseconds that a client may take for one step

drivers::FileDescriptor make_socket() {
  return drivers::FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    fail(Exit::kUsage, "the path {} is too long for a control socket; set XDG_RUNTIME_DIR to a shorter one",
         path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// 0 or errno.
int connect_to(int socket, const std::string& path) {
  if (socket < 0) return errno;
  const sockaddr_un address = address_of(path);
  return connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

bool is_alive(const std::string& path) {
  const auto socket = make_socket();
  return connect_to(socket.get(), path) == 0;
}

// `descriptor` goes with the first octet, if there is one.
bool send_all(int socket, std::string_view text, int descriptor = -1) {
  while (!text.empty()) {
    const Bytes octets(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const ssize_t sent = drivers::send_with_descriptor(socket, octets, descriptor, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    descriptor = -1;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Up to a line feed, which is left out. nullopt when the peer has gone, is too slow, or the line is longer
// than `limit`. A descriptor that comes with it goes to `passed`.
std::optional<std::string> read_line(int socket, std::size_t limit, int patience,
                                     drivers::FileDescriptor* passed = nullptr) {
  std::string line;
  std::array<char, 65536> buffer;  // NOLINT: only what recvmsg() wrote is read
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control;
  while (line.size() < limit) {
    pollfd readable{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, patience) <= 0) return std::nullopt;
    iovec piece{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = passed == nullptr ? 0 : control.size();
    const ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) return std::nullopt;
    if (const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        passed != nullptr && header != nullptr && header->cmsg_type == SCM_RIGHTS) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
      *passed = drivers::FileDescriptor(descriptor);
    }
    line.append(buffer.data(), static_cast<std::size_t>(got));
    if (const std::size_t end = line.find('\n'); end != std::string::npos) {
      line.resize(end);
      return line;
    }
  }
  return std::nullopt;
}

std::vector<std::string> running_hosts() {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(control_directory(), error)) {
    if (entry.path().extension() == ".sock" && is_alive(entry.path())) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace

std::string control_path(const std::string& directory, const std::string& name) {
  return fmt::format("{}/{}.sock", directory, name);
}

std::string unused_name(const std::string& directory, const std::string& base) {
  std::string name = base;
  for (int number = 2; is_alive(control_path(directory, name)); ++number)
    name = fmt::format("{}-{}", base, number);
  return name;
}

std::string control_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool has_runtime = runtime != nullptr && *runtime == '/' && access(runtime, W_OK) == 0;
  const std::string directory =
      has_runtime ? fmt::format("{}/transom", runtime) : fmt::format("/tmp/transom-{}", geteuid());
  mkdir(directory.c_str(), 0700);
  struct stat status{};
  // Anybody may make directories in /tmp: one of somebody else is not to be trusted.
  if (lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & 077) != 0) {
    fail(Exit::kEnvironment,
         "{} is not a directory for this user alone; remove it, or set XDG_RUNTIME_DIR to one that is",
         directory);
  }
  return directory;
}

// ---------------------------------------------------------------- ControlServer

ControlServer::ControlServer(const std::string& directory, const std::string& name, Handler handler)
    : path_(control_path(directory, name)), handler_(std::move(handler)), listener_(make_socket()) {
  if (is_alive(path_)) fail(Exit::kUsage, "a host named {} is running; choose another --name", name);
  unlink(path_.c_str());  // left by one that did not end cleanly
  const sockaddr_un address = address_of(path_);
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_.get(), 16) != 0) {
    fail(Exit::kFailed,
         "cannot make the control socket {}: {}; set XDG_RUNTIME_DIR to a directory that can be written to",
         path_, std::strerror(errno));
  }
  chmod(path_.c_str(), 0600);
  stop_ = drivers::FileDescriptor(eventfd(0, EFD_CLOEXEC));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ControlServer::~ControlServer() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  unlink(path_.c_str());
}

void ControlServer::run() {
  while (true) {
    std::array<pollfd, 2> polled = {{{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[1].revents != 0) return;
    const drivers::FileDescriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) serve(client.get());
  }
}

// One client at a time: every answer is quick, and a client that is not is cut off.
void ControlServer::serve(int client) {
  const timeval patience{.tv_sec = kPatience / 1000, .tv_usec = 0};
  setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  while (true) {
    Call call{.request = {}, .passed = {}, .connection = client};
    const auto line = read_line(client, kMaxLine, kPatience, &call.passed);
    if (!line || !send_all(client, answer(call, *line) + "\n")) return;
  }
}

std::string ControlServer::answer(Call& call, const std::string& line) {
  try {
    call.request = json::parse(line);
    return json{{"ok", true}, {"result", handler_(call)}}.dump();
  } catch (const std::exception& error) {  // of the parser, or a Failure
    return json{{"ok", false}, {"error", error.what()}}.dump();
  }
}

// ---------------------------------------------------------------- the client

std::string find_host(const std::string& which) {
  if (which.find('/') != std::string::npos) return which;
  if (!which.empty()) return control_path(control_directory(), which);
  if (const char* named = std::getenv("TRANSOM_HOST"); named != nullptr && *named != '\0') return named;
  const auto paths = running_hosts();
  if (paths.empty()) fail(Exit::kFailed, "no host is running; start one: transom up");
  if (paths.size() > 1) {
    std::vector<std::string> names;
    names.reserve(paths.size());
    for (const fs::path path : paths) names.push_back(path.stem());
    fail(Exit::kUsage, "several hosts are running; choose one with --host: {}", fmt::join(names, ", "));
  }
  return paths.front();
}

namespace {

drivers::FileDescriptor connect_to_host(const std::string& path) {
  auto socket = make_socket();
  if (const int error = connect_to(socket.get(), path); error != 0) {
    fail(Exit::kFailed, "no host answers at {}: {}; is it running? start one: transom up", path,
         std::strerror(error));
  }
  return socket;
}

json talk(int socket, const std::string& path, const json& request, int descriptor) {
  constexpr std::size_t kAnything = 1 << 30;
  if (!send_all(socket, request.dump() + "\n", descriptor))
    fail(Exit::kFailed, "the host at {} has gone away; start it again", path);
  shutdown(socket, SHUT_WR);
  const auto line = read_line(socket, kAnything, 10000);
  const json answer = line ? json::parse(*line, nullptr, false) : json();
  if (!answer.is_object() || !answer.contains("ok")) {
    fail(Exit::kFailed, "the host at {} gives no answer; it may have been stopped (see jobs, ps)", path);
  }
  if (!answer["ok"]) fail(Exit::kUsage, "{}", answer.value("error", ""));
  return answer["result"];
}

}  // namespace

pid_t process_of_host(const std::string& path) {
  const auto socket = connect_to_host(path);
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    fail(Exit::kFailed, "the host at {} has gone away; start it again", path);
  return who.pid;
}

drivers::FileDescriptor hand_to_host(const std::string& path, const json& request, int descriptor) {
  auto socket = connect_to_host(path);
  talk(socket.get(), path, request, descriptor);
  return socket;
}

json ask_host(const std::string& which, const json& request) {
  const std::string path = find_host(which);
  return talk(connect_to_host(path).get(), path, request, -1);
}

}  // namespace transom::tools
