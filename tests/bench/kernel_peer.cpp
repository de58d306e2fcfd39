// The kernel's side of a benchmark: an ordinary sockets program that sends, receives or plays request and
// response, and prints one line of JSON. It also is both sides of the kernel-to-kernel measurements that
// everything is held against.
//
//   kernel_peer sink ADDRESS PORT SECONDS [CONNECTIONS]            read from so many at once, report Gbit/s
//   kernel_peer source ADDRESS PORT SECONDS [CONNECTIONS [SIZE]]   write to so many, SIZE octets a call
//   kernel_peer request ADDRESS PORT SECONDS                       one octet out and back, report round trips
//   kernel_peer ping ADDRESS PORT SECONDS                          the same in UDP datagrams
//   kernel_peer datagrams ADDRESS PORT SECONDS [IN_FLIGHT]         UDP echoed, so many at once; datagrams/s
//   kernel_peer connect ADDRESS PORT SECONDS [PARALLEL]            connect and close; connections/s
//   kernel_peer hold ADDRESS PORT COUNT          open so many, say `ready`, keep them until stdin ends
//   kernel_peer serve                            discard on 9, chargen on 19, echo on 7 (UDP also); until
//   killed
//
// `done` is what was moved or answered: octets, round trips, datagrams, connections. The congestion control
// is that of the environment variable KERNEL_PEER_CONGESTION_CONTROL, if it is set. With
// KERNEL_PEER_WAIT=spin, who waits for a request or an answer looks for it again and again and does not
// sleep.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
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

bool spins() {
  static const bool answer = std::getenv("KERNEL_PEER_WAIT") != nullptr;
  return answer;
}

void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

struct Destination {
  sockaddr_storage address{};
  socklen_t size = 0;

  Destination(const char* host, const char* port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (getaddrinfo(host, port, &hints, &found) != 0) fail("address");
    std::memcpy(&address, found->ai_addr, found->ai_addrlen);
    size = found->ai_addrlen;
    freeaddrinfo(found);
  }
  int socket_of(int type) const {
    const int descriptor = socket(address.ss_family, type, 0);
    if (descriptor < 0) fail("socket");
    return descriptor;
  }
  int connect_with(int type) const {
    const int descriptor = socket_of(type);
    const int on = 1;
    if (type == SOCK_STREAM) choose_congestion_control(descriptor);
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0) fail("connect");
    if (type == SOCK_STREAM) setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
  }
};

void move_bulk(const Destination& destination, double seconds, bool sending, std::size_t connections,
               std::size_t size) {
  std::vector<pollfd> entries;
  for (std::size_t i = 0; i < connections; ++i)
    entries.push_back(
        {destination.connect_with(SOCK_STREAM), static_cast<short>(sending ? POLLOUT : POLLIN), 0});
  std::vector<char> buffer(size, 'x');
  std::uint64_t octets = 0;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    if (connections > 1 && poll(entries.data(), entries.size(), 1000) < 0) fail("poll");
    for (const pollfd& entry : entries) {
      if (connections > 1 && entry.revents == 0) continue;
      const ssize_t count = sending ? send(entry.fd, buffer.data(), size, connections > 1 ? MSG_DONTWAIT : 0)
                                    : recv(entry.fd, buffer.data(), size, connections > 1 ? MSG_DONTWAIT : 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) fail(sending ? "send" : "recv");
      if (count > 0) octets += static_cast<std::uint64_t>(count);
    }
  }
  std::printf("{\"gbit_per_s\": %.4f, \"done\": %llu}\n",
              static_cast<double>(octets) * 8 / since(start) / 1e9, static_cast<unsigned long long>(octets));
}

void play_datagrams(const Destination& destination, double seconds, std::size_t in_flight) {
  const int descriptor = destination.connect_with(SOCK_DGRAM);
  timeval patience{0, 100000};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char text[64] = {};
  std::uint64_t echoed = 0;
  std::size_t outstanding = 0;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    for (; outstanding < in_flight; ++outstanding)
      if (send(descriptor, text, sizeof text, 0) < 0) fail("send");
    if (recv(descriptor, text, sizeof text, 0) < 0) {
      outstanding = 0;  // they were lost
      continue;
    }
    do {
      ++echoed;
      --outstanding;
    } while (outstanding > in_flight / 2 && recv(descriptor, text, sizeof text, MSG_DONTWAIT) > 0);
  }
  std::printf("{\"datagrams_per_s\": %.1f, \"done\": %llu}\n", static_cast<double>(echoed) / since(start),
              static_cast<unsigned long long>(echoed));
}

// Each of them is closed by a reset, or their TIME-WAITs would use up the ports.
void connect_and_close(const Destination& destination, double seconds, std::size_t parallel) {
  std::uint64_t connections = 0;
  const linger at_once{1, 0};
  std::vector<pollfd> entries(parallel, pollfd{-1, POLLOUT, 0});
  const auto start = Clock::now();
  while (since(start) < seconds) {
    for (pollfd& entry : entries) {
      if (entry.fd >= 0) continue;
      entry.fd = destination.socket_of(SOCK_STREAM | SOCK_NONBLOCK);
      setsockopt(entry.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      if (connect(entry.fd, reinterpret_cast<const sockaddr*>(&destination.address), destination.size) != 0 &&
          errno != EINPROGRESS)
        fail("connect");
    }
    if (poll(entries.data(), entries.size(), 1000) < 0) fail("poll");
    for (pollfd& entry : entries) {
      if (entry.revents == 0) continue;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) ++connections;
      close(entry.fd);
      entry.fd = -1;
    }
  }
  std::printf("{\"connections_per_s\": %.1f, \"done\": %llu}\n",
              static_cast<double>(connections) / since(start), static_cast<unsigned long long>(connections));
}

void play_requests(int descriptor, double seconds) {
  std::vector<double> times;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    const auto sent = Clock::now();
    char octet = 'x';
    if (write(descriptor, &octet, 1) != 1) fail("write");
    ssize_t got = 0;
    do {
      got = recv(descriptor, &octet, 1, spins() ? MSG_DONTWAIT : 0);
    } while (got < 0 && errno == EAGAIN);
    if (got != 1) fail("recv");
    times.push_back(since(sent) * 1e6);
  }
  const double total = since(start);
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::printf(
      "{\"requests_per_s\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"done\": %zu}\n",
      static_cast<double>(times.size()) / total, at(0.5), at(0.99), at(0.999), times.size());
}

// Some at a time, or their SYNs would not find room with who listens. Closed by resets, as above.
void hold(const Destination& destination, std::size_t count) {
  constexpr std::size_t kAtATime = 64;
  const linger at_once{1, 0};
  allow_many_descriptors();
  std::vector<pollfd> entries;
  for (std::size_t held = 0; held < count; held += entries.size()) {
    entries.clear();
    for (std::size_t i = held; i < std::min(count, held + kAtATime); ++i) {
      const int descriptor = destination.socket_of(SOCK_STREAM | SOCK_NONBLOCK);
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      if (connect(descriptor, reinterpret_cast<const sockaddr*>(&destination.address), destination.size) !=
              0 &&
          errno != EINPROGRESS)
        fail("connect");
      entries.push_back({descriptor, POLLOUT, 0});
    }
    for (pollfd& entry : entries) {
      int error = 0;
      socklen_t size = sizeof error;
      if (poll(&entry, 1, 10000) != 1) fail("a connection was not taken");
      getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) fail("connect");
    }
  }
  std::printf("ready\n");
  std::fflush(stdout);
  char nothing = 0;
  while (read(STDIN_FILENO, &nothing, 1) > 0) continue;
}

enum class Service { kDiscard, kChargen, kEcho };

int bound_to(std::uint16_t port, int type) {
  const int descriptor = socket(AF_INET6, type, 0);
  if (descriptor < 0) fail("socket");
  const int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  return descriptor;
}

int listen_on(std::uint16_t port) {
  const int descriptor = bound_to(port, SOCK_STREAM);
  choose_congestion_control(descriptor);
  if (listen(descriptor, 512) != 0) fail("listen");
  return descriptor;
}

// True while the connection lives. Takes or gives at most a few chunks, so that each has its turn.
bool serve_some(int descriptor, Service service) {
  static char text[kChunk];  // what is in it matters to the echo alone, which has its own
  char own_text[2048];
  for (int turn = 0; turn < 4; ++turn) {
    ssize_t count = 0;
    if (service == Service::kChargen) {
      count = send(descriptor, text, sizeof text, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (service == Service::kDiscard) {
      count = recv(descriptor, text, sizeof text, MSG_DONTWAIT);
    } else {
      count = recv(descriptor, own_text, sizeof own_text, MSG_DONTWAIT);
      if (count > 0) count = send(descriptor, own_text, static_cast<std::size_t>(count), MSG_NOSIGNAL);
    }
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) return false;
  }
  return true;
}

// One thread for each service, and all of its connections: waking another for each would measure the
// scheduler.
void serve_all(std::uint16_t port, Service service) {
  const int listener = listen_on(port);
  const int events = epoll_create1(0);
  const auto watch = [&](int descriptor, std::uint32_t what) {
    epoll_event event{.events = what, .data = {.fd = descriptor}};
    if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl");
  };
  watch(listener, EPOLLIN);
  epoll_event ready[64];
  for (;;) {
    const int count = epoll_wait(events, ready, 64, service == Service::kEcho && spins() ? 0 : -1);
    for (int i = 0; i < count; ++i) {
      const int descriptor = ready[i].data.fd;
      if (descriptor != listener) {
        if (!serve_some(descriptor, service)) close(descriptor);
        continue;
      }
      const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (accepted < 0) continue;
      const int on = 1;
      setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(accepted, service == Service::kChargen ? EPOLLOUT : EPOLLIN);
    }
  }
}

void echo_datagrams() {
  const int descriptor = bound_to(7, SOCK_DGRAM);
  std::vector<char> text(2048);
  for (;;) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    auto* const address = reinterpret_cast<sockaddr*>(&from);
    const ssize_t count = recvfrom(descriptor, text.data(), text.size(), 0, address, &size);
    if (count >= 0) sendto(descriptor, text.data(), static_cast<std::size_t>(count), 0, address, size);
  }
}

void serve() {
  allow_many_descriptors();
  std::thread(echo_datagrams).detach();
  std::thread(serve_all, std::uint16_t{9}, Service::kDiscard).detach();
  std::thread(serve_all, std::uint16_t{19}, Service::kChargen).detach();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::printf("ready\n");
  std::fflush(stdout);
  serve_all(7, Service::kEcho);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "serve") serve();
  const auto number = [&](int index, std::size_t otherwise) {
    return argc > index ? static_cast<std::size_t>(std::max(1, std::atoi(argv[index]))) : otherwise;
  };
  if (argc < 5) {
    std::fprintf(
        stderr,
        "usage: kernel_peer sink|source|request|ping|datagrams|connect ADDRESS PORT SECONDS [NUMBER [SIZE]]\n"
        "       kernel_peer hold ADDRESS PORT COUNT\n"
        "       kernel_peer serve\n");
    return 2;
  }
  const Destination destination(argv[2], argv[3]);
  const double seconds = std::atof(argv[4]);
  if (mode == "sink" || mode == "source") {
    move_bulk(destination, seconds, mode == "source", number(5, 1), number(6, kChunk));
  } else if (mode == "datagrams") {
    play_datagrams(destination, seconds, number(5, 64));
  } else if (mode == "hold") {
    hold(destination, number(4, 1));
  } else if (mode == "connect") {
    connect_and_close(destination, seconds, number(5, 1));
  } else {
    play_requests(destination.connect_with(mode == "ping" ? SOCK_DGRAM : SOCK_STREAM), seconds);
  }
  return 0;
}
