#include "socket_api/names/dns_channel.h"

#include <ares.h>
#include <netdb.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <mutex>

#include "socket_api/socket.h"

namespace transom::sockets {

namespace {

// c-ares counts how often it was made ready, without a lock of its own.
int initialise_library() {
  static std::once_flag once;
  static int status = ARES_SUCCESS;
  std::call_once(once, [] { status = ares_library_init(ARES_LIB_INIT_ALL); });
  return status;
}

// Routers like to name their link-local address (RFC 8106 §5.1 allows it), without the link: the one on which
// it was heard, else the first.
InterfaceId link_of(Session& session, const IpAddress& server) {
  InterfaceId first = InterfaceId::kAny;
  for (const auto& interface : session.host().link().interfaces()) {
    if (interface->type() == link::LinkType::kLoopback) continue;
    const auto heard = session.host().ip().router_discovery().dns(interface->id()).servers;
    if (std::ranges::find(heard, server) != heard.end()) return interface->id();
    if (first == InterfaceId::kAny) first = interface->id();
  }
  return first;
}

constexpr int kEdnsSize = 1232;  // fits any path: no fragments (RFC 6891 §6.2.5, RFC 9715)

}  // namespace

class DnsChannel::Implementation {
 public:
  Implementation(Stack& stack, const ResolverConfig& config) : stack_(stack) {
    status_ = initialise_library();
    if (status_ == ARES_SUCCESS) status_ = open(config);
  }
  ~Implementation() {
    if (channel_ != nullptr) ares_destroy(channel_);
    Session session(stack_);
    for (auto& [number, socket] : sockets_) socket.socket->close(session);
  }

  DnsAnswer addresses_of(const std::string& name, int family) {
    DnsAnswer answer{status_, {}, {}};
    if (channel_ == nullptr) return answer;
    Pending pending{answer};
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT | ARES_AI_CANONNAME;  // sorted by who knows our addresses
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_addresses, &pending);
    run(pending);
    return answer;
  }

  DnsAnswer name_of(const IpAddress& address) {
    DnsAnswer answer{status_, {}, {}};
    if (channel_ == nullptr) return answer;
    Pending pending{answer};
    if (address.is_v4()) {
      const in_addr octets = to_in_addr(address);
      ares_gethostbyaddr(channel_, &octets, sizeof octets, AF_INET, on_name, &pending);
    } else {
      const in6_addr octets = to_in6_addr(address);
      ares_gethostbyaddr(channel_, &octets, sizeof octets, AF_INET6, on_name, &pending);
    }
    run(pending);
    return answer;
  }

 private:
  struct Pending {
    DnsAnswer& answer;
    bool is_done = false;
  };
  // One socket, and what c-ares waits for on it.
  struct Open {
    std::shared_ptr<Socket> socket;
    short interest = 0;
  };
  class Watch final : public Watcher {
   public:
    Watch(Pollable& target, short interest, Waiter& waiter) : Watcher(target, interest), waiter_(waiter) {}
    void on_ready(short) override { waiter_.wake(); }

   private:
    Waiter& waiter_;
  };

  int open(const ResolverConfig& config) {
    std::string lookups = "b";          // the hosts file is ours to read
    std::string no_file = "/dev/null";  // nor does the machine's resolv.conf count
    std::vector<std::string> domains = config.search_domains.value_or(std::vector<std::string>());
    std::vector<char*> names;
    for (std::string& domain : domains) names.push_back(domain.data());
    ares_options options{};
    options.flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(config.timeout.count());
    options.tries = config.attempts;
    options.ndots = config.ndots;
    options.lookups = lookups.data();
    options.domains = names.data();
    options.ndomains = static_cast<int>(names.size());
    options.ednspsz = kEdnsSize;
    options.resolvconf_path = no_file.data();
    options.sock_state_cb = on_interest;
    options.sock_state_cb_data = this;
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                     ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_EDNSPSZ | ARES_OPT_RESOLVCONF |
                     ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
    if (const int status = ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) {
      channel_ = nullptr;
      return status;
    }
    ares_set_socket_functions(channel_, &kFunctions, this);
    return set_servers(config);
  }

  int set_servers(const ResolverConfig& config) {
    std::vector<ares_addr_port_node> nodes(config.servers.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const Endpoint& server = config.servers[i];
      const int port = server.port == Port::kNone ? 53 : to_number(server.port);
      nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
      nodes[i].family = server.address.is_v4() ? AF_INET : AF_INET6;
      nodes[i].udp_port = nodes[i].tcp_port = port;
      if (server.address.is_v4()) {
        nodes[i].addr.addr4 = to_in_addr(server.address);
      } else {
        const in6_addr octets = to_in6_addr(server.address);
        std::memcpy(&nodes[i].addr.addr6, &octets, sizeof octets);
      }
    }
    return ares_set_servers_ports(channel_, nodes.data());
  }

  // Until there is an answer, or c-ares has given up.
  void run(Pending& pending) {
    while (!pending.is_done) {
      timeval longest{.tv_sec = 1, .tv_usec = 0};
      timeval room{};
      const timeval* const next = ares_timeout(channel_, &longest, &room);
      const auto patience = std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec);
      const auto ready = wait(patience);
      if (ready.empty()) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      for (const auto& [number, events] : ready) {
        ares_process_fd(channel_, (events & ~POLLOUT) != 0 ? number : ARES_SOCKET_BAD,
                        (events & ~POLLIN) != 0 ? number : ARES_SOCKET_BAD);
      }
    }
  }

  std::vector<std::pair<int, short>> look() const {
    std::vector<std::pair<int, short>> ready;
    for (const auto& [number, open] : sockets_) {
      constexpr short kAlways = POLLERR | POLLHUP;
      const auto events = static_cast<short>(open.socket->events() & (open.interest | kAlways));
      if (open.interest != 0 && events != 0) ready.emplace_back(number, events);
    }
    return ready;
  }

  std::vector<std::pair<int, short>> wait(Duration patience) {
    Session session(stack_);
    const Instant deadline = session.now() + patience;
    while (true) {
      auto ready = look();
      if (!ready.empty() || session.now() >= deadline) return ready;
      Waiter waiter(session.loop());
      std::deque<Watch> watches;
      for (const auto& [number, open] : sockets_) {
        if (open.interest != 0) watches.emplace_back(*open.socket, open.interest, waiter);
      }
      session.wait(waiter, deadline);
    }
  }

  // ---------------------------------------------------------------- what c-ares calls

  static Implementation& self(void* data) { return *static_cast<Implementation*>(data); }

  template <typename Result>
  static auto value_or_errno(const Outcome<Result>& outcome) -> ares_ssize_t {
    if (!outcome) {
      errno = to_number(outcome.error());
      return -1;
    }
    if constexpr (std::is_void_v<Result>)
      return 0;
    else
      return static_cast<ares_ssize_t>(*outcome);
  }

  static ares_socket_t open_socket(int domain, int type, int protocol, void* data) {
    Implementation& channel = self(data);
    Session session(channel.stack_);
    const auto socket = Socket::create(session, {domain, type, protocol});
    if (!socket) {
      errno = to_number(socket.error());
      return ARES_SOCKET_BAD;
    }
    (*socket)->set_non_blocking(true);
    const int number = channel.next_number_++;
    channel.sockets_[number] = {*socket, 0};
    return number;
  }

  // `call`: with the Session and the socket of that number. EBADF where there is none.
  template <typename Call>
  static ares_ssize_t with_socket(void* data, ares_socket_t number, Call call) {
    Implementation& channel = self(data);
    Session session(channel.stack_);
    const auto found = channel.sockets_.find(number);
    if (found == channel.sockets_.end()) {
      errno = EBADF;
      return -1;
    }
    return value_or_errno(call(session, *found->second.socket));
  }

  static int close_socket(ares_socket_t number, void* data) {
    return static_cast<int>(with_socket(data, number, [&](Session& session, Socket& socket) {
      socket.close(session);
      self(data).sockets_.erase(number);
      return Outcome<void>();
    }));
  }

  static int connect_socket(ares_socket_t number, const sockaddr* address, ares_socklen_t length,
                            void* data) {
    return static_cast<int>(with_socket(data, number, [&](Session& session, Socket& socket) -> Outcome<void> {
      auto to = read_address(socket.domain(), address, length);
      if (!to) return std::unexpected(to.error());
      if (to->scope == InterfaceId::kAny && to->endpoint.address.is_link_local())
        to->scope = link_of(session, to->endpoint.address);
      return socket.connect(session, *to);
    }));
  }

  static ares_ssize_t receive(ares_socket_t number, void* buffer, size_t size, int flags, sockaddr* from,
                              ares_socklen_t* length, void* data) {
    return with_socket(data, number, [&](Session& session, Socket& socket) {
      const MutableBytes piece(static_cast<std::uint8_t*>(buffer), size);
      Incoming incoming{.buffers = {&piece, 1}, .flags = flags};
      const auto received = socket.receive(session, incoming);
      if (received && from != nullptr && length != nullptr && incoming.from)
        (void)write_address(socket.domain(), *incoming.from, from, length);
      return received;
    });
  }

  static ares_ssize_t send(ares_socket_t number, const iovec* pieces, int count, void* data) {
    return with_socket(data, number, [&](Session& session, Socket& socket) {
      std::vector<Bytes> spans;
      for (int i = 0; i < count; ++i)
        spans.emplace_back(static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len);
      return socket.send(session, {.pieces = spans, .flags = MSG_NOSIGNAL});
    });
  }

  static void on_interest(void* data, ares_socket_t number, int readable, int writable) {
    Implementation& channel = self(data);
    const auto found = channel.sockets_.find(number);
    if (found == channel.sockets_.end()) return;
    found->second.interest = static_cast<short>((readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0));
  }

  static void on_addresses(void* data, int status, int, ares_addrinfo* result) {
    auto& pending = *static_cast<Pending*>(data);
    pending.is_done = true;
    pending.answer.status = status;
    if (result == nullptr) return;
    if (result->name != nullptr) pending.answer.name = result->name;
    // The end of the chain of aliases is the true name.
    for (const ares_addrinfo_cname* alias = result->cnames; alias != nullptr; alias = alias->next) {
      if (alias->name != nullptr) pending.answer.name = alias->name;
    }
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
      const auto address = read_address(node->ai_family, node->ai_addr, node->ai_addrlen);
      if (address) pending.answer.addresses.push_back(address->endpoint.address);
    }
    ares_freeaddrinfo(result);
  }

  static void on_name(void* data, int status, int, hostent* result) {
    auto& pending = *static_cast<Pending*>(data);
    pending.is_done = true;
    pending.answer.status = status;
    if (result != nullptr && result->h_name != nullptr) pending.answer.name = result->h_name;
  }

  static constexpr ares_socket_functions kFunctions{open_socket, close_socket, connect_socket, receive, send};

  Stack& stack_;
  ares_channel channel_ = nullptr;
  int status_ = ARES_SUCCESS;
  int next_number_ = 1;
  std::map<int, Open> sockets_;
};

DnsChannel::DnsChannel(Stack& stack, const ResolverConfig& config)
    : implementation_(std::make_unique<Implementation>(stack, config)) {}
DnsChannel::~DnsChannel() = default;

DnsAnswer DnsChannel::addresses_of(const std::string& name, int family) {
  return implementation_->addresses_of(name, family);
}
DnsAnswer DnsChannel::name_of(const IpAddress& address) { return implementation_->name_of(address); }

}  // namespace transom::sockets
