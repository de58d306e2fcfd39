// The kernel's side of a benchmark: an ordinary sockets program that sends, receives or plays request and
// response, and prints one line of JSON. It also is both sides of the kernel-to-kernel measurements that
// everything is held against.
//
//   kernel_peer sink ADDRESS PORT SECONDS        connect, read, report Gbit/s
//   kernel_peer source ADDRESS PORT SECONDS      connect, write, report Gbit/s
//   kernel_peer request ADDRESS PORT SECONDS     connect, one octet out and back, report round trips
//   kernel_peer serve                            discard on 9, chargen on 19, echo on 7; until killed
//
// The congestion control is that of the environment variable KERNEL_PEER_CONGESTION_CONTROL, if it is set.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kChunk = 256 * 1024;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void choose_congestion_control(int descriptor) {
  const char* const name = std::getenv("KERNEL_PEER_CONGESTION_CONTROL");
  if (name == nullptr) return;
  const auto length = static_cast<socklen_t>(std::strlen(name));
  if (setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, length) != 0) fail(name);
}

int connect_to(const char* address, const char* port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(address, port, &hints, &found) != 0) fail("address");
  const int descriptor = socket(found->ai_family, SOCK_STREAM, 0);
  if (descriptor < 0) fail("socket");
  choose_congestion_control(descriptor);
  if (connect(descriptor, found->ai_addr, found->ai_addrlen) != 0) fail("connect");
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

void move_bulk(int descriptor, double seconds, bool sending) {
  std::vector<char> buffer(kChunk, 'x');
  std::uint64_t octets = 0;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    const ssize_t count = sending ? write(descriptor, buffer.data(), buffer.size())
                                  : read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) fail(sending ? "write" : "read");
    octets += static_cast<std::uint64_t>(count);
  }
  std::printf("{\"gbit_per_s\": %.4f}\n", static_cast<double>(octets) * 8 / since(start) / 1e9);
}

void play_requests(int descriptor, double seconds) {
  std::vector<double> times;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    const auto sent = Clock::now();
    char octet = 'x';
    if (write(descriptor, &octet, 1) != 1) fail("write");
    if (read(descriptor, &octet, 1) != 1) fail("read");
    times.push_back(since(sent) * 1e6);
  }
  const double total = since(start);
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::printf("{\"requests_per_s\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}\n",
              static_cast<double>(times.size()) / total, at(0.5), at(0.99), at(0.999));
}

enum class Service { kDiscard, kChargen, kEcho };

void serve_one(int descriptor, Service service) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::vector<char> buffer(kChunk, 'x');
  for (;;) {
    ssize_t count = static_cast<ssize_t>(buffer.size());
    if (service != Service::kChargen) count = read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) break;
    if (service != Service::kDiscard &&
        write(descriptor, buffer.data(), static_cast<std::size_t>(count)) <= 0)
      break;
  }
  close(descriptor);
}

int listen_on(std::uint16_t port) {
  const int descriptor = socket(AF_INET6, SOCK_STREAM, 0);
  if (descriptor < 0) fail("socket");
  choose_congestion_control(descriptor);
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(descriptor, 512) != 0)
    fail("listen");
  return descriptor;
}

void serve() {
  std::signal(SIGPIPE, SIG_IGN);
  pollfd listeners[] = {{listen_on(9), POLLIN, 0}, {listen_on(19), POLLIN, 0}, {listen_on(7), POLLIN, 0}};
  const Service services[] = {Service::kDiscard, Service::kChargen, Service::kEcho};
  std::printf("ready\n");
  std::fflush(stdout);
  for (;;) {
    if (poll(listeners, 3, -1) < 0) fail("poll");
    for (int i = 0; i < 3; ++i) {
      if ((listeners[i].revents & POLLIN) == 0) continue;
      const int accepted = accept(listeners[i].fd, nullptr, nullptr);
      if (accepted >= 0) std::thread(serve_one, accepted, services[i]).detach();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "serve") serve();
  if (argc != 5) {
    std::fprintf(stderr, "usage: kernel_peer sink|source|request ADDRESS PORT SECONDS | kernel_peer serve\n");
    return 2;
  }
  const int descriptor = connect_to(argv[2], argv[3]);
  const double seconds = std::atof(argv[4]);
  if (mode == "sink") {
    move_bulk(descriptor, seconds, false);
  } else if (mode == "source") {
    move_bulk(descriptor, seconds, true);
  } else {
    play_requests(descriptor, seconds);
  }
  return 0;
}
