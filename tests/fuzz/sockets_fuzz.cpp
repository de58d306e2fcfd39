// Feeds socket calls with hostile arguments to the sockets of a Stack that has its loopback interface alone:
// raw, packet, UDP and ping sockets, which hear each other there. What they send is the fuzzer's too, so raw
// and packet sockets get packets and frames that nobody else would send.
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "socket_api/socket.h"
#include "stack/wire/cursor.h"

namespace transom::sockets {
namespace {

// Time that goes on when it is told to.
class StandingLoop final : public EventLoop {
 public:
  explicit StandingLoop(Pump& pump) : pump_(pump) {}

  void step(Duration duration) {
    now_ += duration;
    for (int i = 0; i < 1000 && pump_.next_deadline() <= now_; ++i) pump_.run({}, now_);
  }

  Instant now() override { return now_; }
  void wait(Lock&, Waiter&, Instant) override { std::abort(); }  // every call is one that does not wait
  void serve(Lock&, Waiter&) override { std::abort(); }
  void settle(Instant now) override { pump_.transmit(now); }
  void interrupt() override {}

 private:
  void on_wake(Waiter&) override {}

  Pump& pump_;
  Instant now_{std::chrono::seconds(10)};
};

constexpr SocketKind kKinds[] = {{AF_INET, SOCK_RAW, IPPROTO_ICMP},
                                 {AF_INET, SOCK_RAW, IPPROTO_RAW},
                                 {AF_INET, SOCK_RAW, IPPROTO_UDP},
                                 {AF_INET, SOCK_RAW, IPPROTO_TCP},
                                 {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
                                 {AF_INET6, SOCK_RAW, IPPROTO_UDP},
                                 {AF_INET6, SOCK_RAW, IPPROTO_RAW},
                                 {AF_PACKET, SOCK_RAW, 0x0300},  // ETH_P_ALL
                                 {AF_PACKET, SOCK_DGRAM, 0x0300},
                                 {AF_INET, SOCK_DGRAM, 0},
                                 {AF_INET6, SOCK_DGRAM, 0},
                                 {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
                                 {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6}};
constexpr int kLevels[] = {SOL_SOCKET,  IPPROTO_IP, IPPROTO_IPV6, IPPROTO_ICMPV6,
                           IPPROTO_RAW, SOL_PACKET, IPPROTO_UDP};
constexpr int kFlags[] = {0, MSG_PEEK, MSG_ERRQUEUE, MSG_TRUNC, MSG_PEEK | MSG_TRUNC, MSG_MORE};
constexpr std::size_t kMostSockets = 8;

class World {
 public:
  World() : stack_(config()) {}
  ~World() {
    Session session(stack_);
    for (const auto& socket : sockets_) socket->close(session);
  }

  void act(wire::Reader& input) {
    switch (input.u8() % 11) {
      case 0:
      case 1:
        return open(input);
      case 2:
        return set_option(input);
      case 3:
        return filter(input);
      case 4:
        return name(input);
      case 5:
      case 6:
        return send(input);
      case 7:
      case 8:
        return receive(input);
      case 10:
        return extension(input);
      default:
        const EventLoop::Lock lock = loop_->lock();
        return loop_->step(std::chrono::milliseconds(1U << (input.u8() % 16)));
    }
  }

 private:
  StackConfig config() {
    StackConfig config;
    config.seed = seed_from_number(1);
    config.start = Instant(std::chrono::seconds(10));
    config.loop = [this](Pump& pump) {
      auto loop = std::make_unique<StandingLoop>(pump);
      loop_ = loop.get();
      return loop;
    };
    return config;
  }

  Socket* pick(wire::Reader& input) {
    const std::uint8_t choice = input.u8();
    return sockets_.empty() ? nullptr : sockets_[choice % sockets_.size()].get();
  }
  static Bytes some(wire::Reader& input) {
    return input.bytes(std::min<std::size_t>(input.u8() * std::size_t{4}, input.remaining()));
  }

  // A place in `sockets_` is used again when all are.
  void open(wire::Reader& input) {
    const std::uint8_t choice = input.u8();
    Session session(stack_);
    auto socket = Socket::create(session, kKinds[choice % std::size(kKinds)]);
    if (!socket) return;
    (*socket)->set_non_blocking(true);
    if (sockets_.size() < kMostSockets) return sockets_.push_back(*socket);
    std::swap(sockets_[choice % kMostSockets], *socket);
    (*socket)->close(session);
  }

  void set_option(wire::Reader& input) {
    Socket* const socket = pick(input);
    const int level = kLevels[input.u8() % std::size(kLevels)];
    const int name = input.u8();
    std::array<std::uint8_t, 512> room{};
    const Bytes value = some(input);
    if (socket == nullptr || (level == SOL_SOCKET && name == SO_ATTACH_FILTER))
      return;  // which has a pointer
    Session session(stack_);
    (void)socket->set_option(session, level, name, value);
    (void)socket->get_option(session, level, name, MutableBytes(room).first(value.size() % room.size()));
    for (const unsigned long request : {0x541BUL, 0x5411UL})
      (void)socket->query(request);  // FIONREAD, SIOCOUTQ
  }

  // A whole extension header of IPv6, which random octets rarely are, and all of them to be received.
  void extension(wire::Reader& input) {
    constexpr int kNames[] = {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_DSTOPTS, IPV6_RTHDR, IPV6_RTHDR};
    constexpr int kFlagNames[] = {IPV6_RECVHOPOPTS, IPV6_RECVDSTOPTS, IPV6_RECVRTHDR,
                                  IPV6_2292HOPOPTS, IPV6_2292DSTOPTS, IPV6_2292RTHDR};
    Socket* const socket = pick(input);
    const int name = kNames[input.u8() % std::size(kNames)];
    const std::uint8_t shape = input.u8();
    std::vector<std::uint8_t> header(8 * (1 + shape % 7U));
    const Bytes octets = some(input);
    std::copy_n(octets.begin(), std::min(octets.size(), header.size()), header.begin());
    header[1] = static_cast<std::uint8_t>(header.size() / 8 - 1);
    if (name == IPV6_RTHDR) header[2] = 4;
    if (socket == nullptr) return;
    Session session(stack_);
    (void)socket->set_option(session, IPPROTO_IPV6, name, header);
    const int on = 1;
    for (const int flag : kFlagNames)
      (void)socket->set_option(session, IPPROTO_IPV6, flag,
                               Bytes(reinterpret_cast<const std::uint8_t*>(&on), sizeof on));
  }

  void filter(wire::Reader& input) {
    Socket* const socket = pick(input);
    const Bytes octets = some(input);
    std::vector<sock_filter> code(octets.size() / sizeof(sock_filter));
    if (!code.empty()) std::memcpy(code.data(), octets.data(), code.size() * sizeof(sock_filter));
    sock_filter nothing{};
    const sock_fprog program{.len = static_cast<unsigned short>(code.size()),
                             .filter = code.empty() ? &nothing : code.data()};
    if (socket == nullptr) return;
    Session session(stack_);
    (void)socket->set_option(session, SOL_SOCKET, SO_ATTACH_FILTER,
                             Bytes(reinterpret_cast<const std::uint8_t*>(&program), sizeof program));
  }

  // An address of the loopback interface, or whatever the octets say.
  static sockaddr_storage address_of(const Socket& socket, wire::Reader& input, socklen_t& size) {
    sockaddr_storage storage{};
    size = sizeof storage;
    const std::uint8_t choice = input.u8();
    const auto port = static_cast<std::uint16_t>(choice % 4 + 1000);
    if (choice % 8 == 0) {
      const Bytes octets = some(input);
      size = static_cast<socklen_t>(std::min(octets.size(), sizeof storage));
      if (size > 0) std::memcpy(&storage, octets.data(), size);
      storage.ss_family = static_cast<sa_family_t>(socket.domain());
    } else if (socket.domain() == AF_INET) {
      const sockaddr_in in{.sin_family = AF_INET,
                           .sin_port = htons(port),
                           .sin_addr = {htonl(INADDR_LOOPBACK + choice / 64U)},
                           .sin_zero = {}};
      std::memcpy(&storage, &in, size = sizeof in);
    } else if (socket.domain() == AF_INET6) {
      sockaddr_in6 in6{};
      in6.sin6_family = AF_INET6;
      in6.sin6_port = htons(port);
      in6.sin6_addr = in6addr_loopback;
      std::memcpy(&storage, &in6, size = sizeof in6);
    } else {
      sockaddr_ll link{};
      link.sll_family = AF_PACKET;
      link.sll_protocol = htons((choice & 8) != 0 ? ETH_P_ALL : ETH_P_IP);
      link.sll_ifindex = 1;
      link.sll_halen = choice % 9;
      std::memcpy(&storage, &link, size = sizeof link);
    }
    return storage;
  }

  void name(wire::Reader& input) {
    Socket* const socket = pick(input);
    const bool is_bind = (input.u8() & 1) != 0;
    if (socket == nullptr) return;
    socklen_t size = 0;
    const sockaddr_storage storage = address_of(*socket, input, size);
    const auto* const address = reinterpret_cast<const sockaddr*>(&storage);
    Session session(stack_);
    const auto read = is_bind ? read_bind_address(socket->domain(), address, size)
                              : read_destination(socket->domain(), address, size);
    if (read) (void)(is_bind ? socket->bind(session, *read) : socket->connect(session, *read));
    (void)socket->local_address();
    (void)socket->remote_address();
  }

  void send(wire::Reader& input) {
    Socket* const socket = pick(input);
    const bool has_address = (input.u8() & 3) != 0;
    if (socket == nullptr) return;
    socklen_t size = 0;
    const sockaddr_storage storage = address_of(*socket, input, size);
    const Bytes octets = some(input);
    alignas(cmsghdr) std::array<std::uint8_t, 1024> control{};
    std::copy(octets.begin(), octets.end(), control.begin());
    const Bytes data = some(input);
    Outgoing message{.pieces = {&data, 1}, .flags = kFlags[input.u8() % std::size(kFlags)] | MSG_DONTWAIT};
    if (has_address) {
      const auto to = read_destination(socket->domain(), reinterpret_cast<const sockaddr*>(&storage), size);
      if (!to) return;
      message.to = *to;
    }
    if (const auto parsed = read_control(socket->kind(), Bytes(control).first(octets.size())))
      message.control = *parsed;
    Session session(stack_);
    (void)socket->send(session, message);
  }

  void receive(wire::Reader& input) {
    Socket* const socket = pick(input);
    const int flags = kFlags[input.u8() % std::size(kFlags)];
    std::array<std::uint8_t, 2048> octets{};
    alignas(8) std::array<std::uint8_t, 512> control{};
    const MutableBytes room = MutableBytes(octets).first(input.u8() * std::size_t{8});
    if (socket == nullptr) return;
    Incoming message{.buffers = {&room, 1},
                     .control = MutableBytes(control).first(input.u8() * std::size_t{2}),
                     .flags = flags | MSG_DONTWAIT};
    Session session(stack_);
    const auto got = socket->receive(session, message);
    if (got && (flags & MSG_TRUNC) == 0 && *got > room.size()) std::abort();
    if (message.control_size > message.control.size()) std::abort();
    (void)socket->readiness();
  }

  StandingLoop* loop_ = nullptr;
  Stack stack_;
  std::vector<std::shared_ptr<Socket>> sockets_;
};

}  // namespace
}  // namespace transom::sockets

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transom::sockets::World world;
  transom::wire::Reader input({data, size});
  for (int actions = 0; actions < 100 && input.remaining() > 0; ++actions) world.act(input);
  return 0;
}
