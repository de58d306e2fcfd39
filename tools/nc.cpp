// transom nc: TCP and UDP between standard input and output and the network, from a host of its own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>

#include "drivers/file_descriptor.h"
#include "socket_api/c_stack.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/local_host.h"
#include "tools/names.h"

namespace transom::tools {

namespace {

struct NcOptions {
  DeviceOptions device;
  std::vector<std::string> where;  // [address] port
  bool listen = false, udp = false, keep_listening = false, verbose = false, scan = false, shut_down = false;
  bool only_v4 = false, only_v6 = false;
  bool keep_alive = false, fast_open = false;
  double patience = 0;  // seconds; 0: no limit
  std::uint16_t source_port = 0;
  std::string source;
};

Port parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0) {
    fail(Exit::kUsage, "'{}' is not a port; give a number from 1 to 65535", text);
  }
  return Port{port};
}

struct SocketName {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// For a socket of family AF_INET6 an IPv4 address is written as a mapped one.
SocketName name_of(const Endpoint& endpoint, int domain, InterfaceId interface) {
  SocketName name;
  if (domain == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(name.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(to_number(endpoint.port));
    in.sin_addr.s_addr = htonl(endpoint.address.v4_value());
    name.length = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(name.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(to_number(endpoint.port));
    std::memcpy(&in6.sin6_addr, endpoint.address.octets().data(), 16);
    if (endpoint.address.is_link_local()) in6.sin6_scope_id = static_cast<std::uint32_t>(interface);
    name.length = sizeof in6;
  }
  return name;
}

Endpoint endpoint_of(const SocketName& name) {
  if (name.storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(name.storage);
    return {IpAddress::v4(ntohl(in.sin_addr.s_addr)), Port{ntohs(in.sin_port)}};
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(name.storage);
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &in6.sin6_addr, octets.size());
  return {IpAddress::v6(octets), Port{ntohs(in6.sin6_port)}};
}

class Netcat {
 public:
  Netcat(LocalHost& host, const NcOptions& options)
      : options_(options),
        interface_(host.interface()),
        stack_(host.stack()),
        stop_(eventfd(0, EFD_CLOEXEC)) {}

  int connect_and_run(const IpAddress& address, Port port) {
    domain_ = address.is_v4() ? AF_INET : AF_INET6;
    if (opens_fast()) fetch_cookie({address, port});
    const int socket = make_socket();
    bind_source(socket);
    const Endpoint remote{address, port};
    const SocketName name = name_of(remote, domain_, interface_);
    if (transom_connect(&stack_, socket, name.get(), name.length) != 0) {
      const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
      if (options_.scan && !options_.verbose) return static_cast<int>(Exit::kFailed);
      fail(Exit::kFailed, "cannot connect to {}: {}; is something listening there?", remote,
           std::strerror(error));
    }
    if (options_.scan && options_.udp) return probe_datagram(socket, remote);
    note("Connection to {} {} succeeded", remote, options_.udp ? "(UDP)" : "(TCP)");
    const int status = options_.scan ? 0 : converse(socket);
    transom_close(&stack_, socket);
    return status;
  }

  // All addresses of the name in turn, of both families, until one answers (RFC 8305).
  int connect_by_name_and_run(const std::string& name, Port port) {
    const int limit = options_.patience > 0 ? static_cast<int>(std::ceil(options_.patience * 1e3)) : -1;
    int lookup_error = 0;
    const int socket = transom_connect_by_name(&stack_, name.c_str(), to_number(port), limit, &lookup_error);
    if (socket < 0) {
      const int error = errno;
      if (lookup_error != 0) fail_lookup(stack_.stack, name, lookup_error);
      if (options_.scan && !options_.verbose) return static_cast<int>(Exit::kFailed);
      fail(Exit::kFailed, "cannot connect to {} port {}: {}; is something listening there?", name,
           to_number(port), std::strerror(error));
    }
    set_options(socket);
    SocketName peer;
    peer.length = sizeof peer.storage;
    transom_getpeername(&stack_, socket, peer.get(), &peer.length);
    note("Connection to {}, {} (TCP) succeeded", name, endpoint_of(peer));
    const int status = options_.scan ? 0 : converse(socket);
    transom_close(&stack_, socket);
    return status;
  }

  int listen_and_run(const std::optional<IpAddress>& address, Port port) {
    const bool is_v6 = address ? address->is_v6() : !options_.only_v4;
    domain_ = is_v6 ? AF_INET6 : AF_INET;
    int status = 0;
    if (options_.udp) {
      do {
        status = listen_for_datagrams(address, port);
      } while (options_.keep_listening && status == 0);
      return status;
    }
    const int listener = make_socket();
    bind_local(listener, address, port);
    if (transom_listen(&stack_, listener, 1) != 0)
      fail(Exit::kFailed, "cannot listen: {}", std::strerror(errno));
    note("Listening on port {}", to_number(port));
    do {
      SocketName peer;
      peer.length = sizeof peer.storage;
      const int socket = transom_accept(&stack_, listener, peer.get(), &peer.length);
      if (socket < 0)
        fail(Exit::kFailed, "nobody connected: {}", std::strerror(errno == EAGAIN ? ETIMEDOUT : errno));
      note("Connection received from {}", endpoint_of(peer));
      status = converse(socket);
      transom_close(&stack_, socket);
    } while (options_.keep_listening);
    transom_close(&stack_, listener);
    return status;
  }

 private:
  template <typename... Arguments>
  void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (options_.verbose)
      fmt::print(stderr, "{}\n", fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  int make_socket() {
    const int socket = transom_socket(&stack_, domain_, options_.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (socket < 0) fail(Exit::kFailed, "cannot make a socket: {}", std::strerror(errno));
    set_options(socket);
    return socket;
  }

  void set_options(int socket) {
    const int on = 1;
    transom_setsockopt(&stack_, socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (domain_ == AF_INET6 && options_.only_v6) {
      transom_setsockopt(&stack_, socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (options_.keep_alive && !options_.udp) {
      transom_setsockopt(&stack_, socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      transom_setsockopt(&stack_, socket, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on);
      transom_setsockopt(&stack_, socket, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on);
    }
    if (opens_fast()) {
      constexpr int kQueue = 16;
      transom_setsockopt(&stack_, socket, IPPROTO_TCP, TCP_FASTOPEN, &kQueue, sizeof kQueue);
      transom_setsockopt(&stack_, socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
    }
    if (options_.patience > 0) {
      const double seconds = std::floor(options_.patience);
      const timeval limit{.tv_sec = static_cast<time_t>(seconds),
                          .tv_usec = static_cast<suseconds_t>((options_.patience - seconds) * 1e6)};
      transom_setsockopt(&stack_, socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      transom_setsockopt(&stack_, socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
  }

  bool opens_fast() const { return options_.fast_open && !options_.udp && !options_.scan; }

  // A server gives its cookie with a SYN-ACK; the connection is not used. Should it fail, so will the next.
  void fetch_cookie(const Endpoint& remote) {
    const int socket = make_socket();
    const SocketName name = name_of(remote, domain_, interface_);
    transom_connect(&stack_, socket, name.get(), name.length);
    transom_close(&stack_, socket);
  }

  void bind_source(int socket) {
    if (options_.source.empty() && options_.source_port == 0) return;
    std::optional<IpAddress> address;
    if (!options_.source.empty()) address = parse_address(options_.source);
    bind_local(socket, address, Port{options_.source_port});
  }

  void bind_local(int socket, const std::optional<IpAddress>& address, Port port) {
    const IpAddress any = IpAddress::any(domain_ == AF_INET ? IpFamily::kIpv4 : IpFamily::kIpv6);
    const Endpoint local{address.value_or(any), port};
    if (domain_ == AF_INET && local.address.is_v6()) {
      fail(Exit::kUsage, "{} is an IPv6 address and the rest is IPv4; use one family", local.address);
    }
    const SocketName name = name_of(local, domain_, interface_);
    if (transom_bind(&stack_, socket, name.get(), name.length) == 0) return;
    const char* advice =
        errno == EADDRNOTAVAIL ? "give an address of this host (see --ip)" : "choose another port";
    fail(errno == EADDRNOTAVAIL ? Exit::kUsage : Exit::kFailed, "cannot bind to {}: {}; {}", local,
         std::strerror(errno), advice);
  }

  // The first datagram decides who the peer is.
  int listen_for_datagrams(const std::optional<IpAddress>& address, Port port) {
    const int socket = make_socket();
    bind_local(socket, address, port);
    note("Listening on UDP port {}", to_number(port));
    std::array<char, 65536> buffer;  // NOLINT: only what was received is read
    SocketName peer;
    peer.length = sizeof peer.storage;
    const ssize_t got =
        transom_recvfrom(&stack_, socket, buffer.data(), buffer.size(), 0, peer.get(), &peer.length);
    if (got < 0)
      fail(Exit::kFailed, "nothing was received: {}", std::strerror(errno == EAGAIN ? ETIMEDOUT : errno));
    note("Datagram received from {}", endpoint_of(peer));
    if (!write_out(buffer.data(), static_cast<std::size_t>(got))) return static_cast<int>(Exit::kFailed);
    if (transom_connect(&stack_, socket, peer.get(), peer.length) != 0) {
      fail(Exit::kFailed, "cannot answer {}: {}", endpoint_of(peer), std::strerror(errno));
    }
    const int status = converse(socket);
    transom_close(&stack_, socket);
    return status;
  }

  // UDP: nothing comes back from an open port, perhaps, and an ICMP error from a closed one.
  int probe_datagram(int socket, const Endpoint& remote) {
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    transom_setsockopt(&stack_, socket, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    char octet = 'X';
    transom_send(&stack_, socket, &octet, 1, 0);
    const bool is_closed = transom_recv(&stack_, socket, &octet, 1, 0) < 0 && errno == ECONNREFUSED;
    transom_close(&stack_, socket);
    note("Port {} (UDP) {}", remote, is_closed ? "is closed" : "is open, or filtered");
    return static_cast<int>(is_closed ? Exit::kFailed : Exit::kGood);
  }

  // Both directions at once. Over when the network has ended and standard input has, too; a terminal is not
  // waited for.
  int converse(int socket) {
    std::thread sender([this, socket] { send_input(socket); });
    const bool is_good = print_received(socket);
    const bool is_over = !is_good || options_.udp || isatty(STDIN_FILENO) != 0;
    if (is_over) eventfd_write(stop_.get(), 1);
    sender.join();
    eventfd_t ignored = 0;
    if (is_over) eventfd_read(stop_.get(), &ignored);
    return static_cast<int>(is_good && !has_failed_ ? Exit::kGood : Exit::kFailed);
  }

  void send_input(int socket) {
    std::vector<char> buffer(options_.udp ? 16384 : 262144);
    while (true) {
      std::array<pollfd, 2> polled = {{{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                                       {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[1].revents != 0) return;
      const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
      if (got <= 0) {
        // A SYN that waits for data waits no more.
        if (opens_fast()) transom_send(&stack_, socket, buffer.data(), 0, 0);
        break;
      }
      if (!send_all(socket, buffer.data(), static_cast<std::size_t>(got))) return;
    }
    if (options_.shut_down && !options_.udp) transom_shutdown(&stack_, socket, SHUT_WR);
  }

  bool send_all(int socket, const char* octets, std::size_t size) {
    while (size > 0) {
      const ssize_t sent = transom_send(&stack_, socket, octets, size, 0);
      if (sent < 0) {
        if (options_.udp && errno == ECONNREFUSED) continue;  // reported once; the receiving side ends it
        fmt::print(stderr, "transom: cannot send: {}\n", std::strerror(errno));
        has_failed_ = true;
        return false;
      }
      octets += sent;
      size -= static_cast<std::size_t>(sent);
    }
    return true;
  }

  bool print_received(int socket) {
    std::vector<char> buffer(262144);
    while (true) {
      const ssize_t got = transom_recv(&stack_, socket, buffer.data(), buffer.size(), 0);
      if (got == 0 && !options_.udp) return true;
      if (got < 0) {
        if (errno == EAGAIN) return true;  // -w: silence for so long is the end
        fmt::print(stderr, "transom: the connection ended: {}\n", std::strerror(errno));
        return false;
      }
      if (!write_out(buffer.data(), static_cast<std::size_t>(got))) return false;
    }
  }

  static bool write_out(const char* octets, std::size_t size) {
    while (size > 0) {
      const ssize_t written = write(STDOUT_FILENO, octets, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      octets += written;
      size -= static_cast<std::size_t>(written);
    }
    return true;
  }

  const NcOptions& options_;
  InterfaceId interface_;
  transom_stack stack_;
  drivers::FileDescriptor stop_;
  int domain_ = AF_INET6;
  bool has_failed_ = false;  // written by the sending thread, read after it has ended
};

int run(const NcOptions& options) {
  const bool has_target = options.where.size() == 2;
  if (has_target) check_target(options.where[0]);
  if (options.where.empty() && !(options.listen && options.source_port != 0)) {
    fail(Exit::kUsage, "where to? write: transom nc 10.9.0.1 80, or: transom nc -l 80");
  }
  const Port port = options.where.empty() ? Port{options.source_port} : parse_port(options.where.back());
  if (!options.listen && !has_target)
    fail(Exit::kUsage, "an address and a port are needed; write: transom nc 10.9.0.1 {}", to_number(port));
  if (options.listen && options.scan) fail(Exit::kUsage, "-l listens and -z connects; leave one out");
  LocalHost host(options.device);
  const bool wants_one = options.only_v4 || options.only_v6 || !options.source.empty() ||
                         options.source_port != 0 || options.udp || options.fast_open;
  if (has_target && !options.listen && !wants_one && is_name(options.where[0]))
    return Netcat(host, options).connect_by_name_and_run(options.where[0], port);
  std::optional<IpAddress> address;
  if (has_target) address = find_target(host, options.where[0], options.only_v4, options.only_v6);
  Netcat netcat(host, options);
  return options.listen ? netcat.listen_and_run(address, port) : netcat.connect_and_run(*address, port);
}

}  // namespace

void add_nc(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("nc", "Connect or listen, TCP or UDP, from a host on a device");
  auto options = std::make_shared<NcOptions>();
  command->add_option("where", options->where, "[ADDR|NAME] PORT")->expected(0, 2)->type_name("");
  command->add_flag("-l,--listen", options->listen, "Listen instead of connecting");
  command->add_flag("-u,--udp", options->udp, "UDP instead of TCP");
  command->add_flag("-k,--keep", options->keep_listening, "Listen again after each connection");
  command->add_flag("-v,--verbose", options->verbose, "Say what happens on standard error");
  command
      ->add_option("-w,--timeout", options->patience,
                   "Seconds to wait for a connection, and of silence before giving up")
      ->check(CLI::Range(0.001, 1e6))
      ->type_name("S");
  command->add_option("-p,--port", options->source_port, "Source port; with -l: the port to listen on")
      ->check(CLI::Range(1, 65535))
      ->type_name("PORT");
  command->add_option("-s,--source", options->source, "Source address")->type_name("ADDR");
  command->add_flag("-N,--shutdown", options->shut_down,
                    "Shut down the sending side at the end of the input");
  command->add_flag("-z,--scan", options->scan, "Only see whether the port is open");
  command->add_flag("-K,--keep-alive", options->keep_alive, "Probe a silent peer every second");
  command->add_flag("-F,--fast-open", options->fast_open,
                    "TCP Fast Open: data with the SYN; a connection before that fetches the cookie");
  command->add_flag("-4", options->only_v4, "IPv4 only");
  command->add_flag("-6", options->only_v6, "IPv6 only");
  add_device_options(*command, options->device);
  command->footer(
      "Without a device: in a private network whose kernel is 10.9.0.1 and fd09::1.\n"
      "Example: transom nc --tap tap0 -l 5000 > received");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
