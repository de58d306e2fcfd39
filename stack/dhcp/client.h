// A DHCPv4 client for one interface (RFC 2131): gets an address, keeps it, gives it back.
//
//   start ─► SELECTING ─offer─► REQUESTING ─ack─► PROBING ─nobody objects─► BOUND ─T1─► RENEWING ─T2─►
//   REBINDING
//               ▲  └──────────────nak, or silence──────┘ └ conflict: decline        └────ack────┴──────┘   │
//               └──────────────────────────────────────────────────────────────nak, or the lease ends ◄────┘
//
// Whether the address is free is for the link layer to find out (RFC 5227); so is its defence afterwards.
// The identifier of the client is the same for the same MAC address (RFC 4361, a DUID of type LL).
//
// Until there is an address, messages go out from 0.0.0.0 to all, and answers are asked to come to all. A
// reply counts only with our transaction, MAC address and identifier, from a server's port, and in a state in
// which it is waited for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stack/ip/ip_layer.h"
#include "stack/udp/udp_layer.h"
#include "stack/wire/dhcp.h"

namespace transom::dhcp {

struct Config {
  std::string host_name = {};  // told to the server, if not empty
  std::uint32_t metric = 0;    // of the routes that the server gives
  // Before the first message, at random (RFC 2131 §4.4.1), so that hosts which start together do not ask
  // together.
  Duration start_delay = std::chrono::seconds(1);
};

enum class State : std::uint8_t {
  kStopped,
  kInit,  // about to ask
  kSelecting,
  kRequesting,
  kProbing,
  kBound,
  kRenewing,
  kRebinding,
};
std::string_view to_string(State state);

struct Lease {
  IpPrefix address;
  IpAddress server;
  std::vector<wire::DhcpRoute> routes;  // with the default route
  std::vector<IpAddress> dns_servers;
  std::vector<std::string> search_domains;  // the server's list, else its domain
  Instant obtained{};
  Instant renewal = kNever;
  Instant rebinding = kNever;
  Instant expires = kNever;
};

class Client final : private ReadinessListener {
 public:
  Client(Context& context, link::LinkLayer& link, ip::IpLayer& ip, udp::UdpLayer& udp, InterfaceId interface,
         const Config& config);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Gives the address back (RFC 2131 §4.4.6) and asks for none any more.
  void release();

  State state() const { return state_; }
  // What is in use; from kBound on, until it ends.
  const std::optional<Lease>& lease() const { return lease_; }
  InterfaceId interface() const { return interface_; }
  // An address has become usable, or turned out to be another's.
  void follow_addresses();

 private:
  void on_readiness() override { input_timer_.start(context_.timers, context_.now); }
  void on_input() override { on_readiness(); }
  void read_socket();
  void receive(const udp::Datagram& datagram);
  bool is_for_us(const wire::DhcpMessage& reply) const;
  void on_offer(const wire::DhcpMessage& offer);
  void on_ack(const wire::DhcpMessage& ack);
  void on_nak(const wire::DhcpMessage& nak);

  void on_timer();
  void begin(Duration delay);
  void discover();
  void request();
  void check_address();
  void bind();
  void decline();
  void renew();
  void rebind();
  void drop_lease();
  void add_routes();
  void remove_routes();

  wire::DhcpMessage message(wire::DhcpType type) const;
  void broadcast(const wire::DhcpMessage& message, const IpAddress& source);
  void unicast(const wire::DhcpMessage& message, const IpAddress& server);
  void enter(State state);
  void wait(Duration duration) { timer_.start(context_.timers, context_.now + duration); }
  void wait_until(Instant when);
  Duration backoff();
  link::Interface& link_interface() const { return *link_.interface(interface_); }
  Lease lease_from(const wire::DhcpMessage& ack) const;

  Context& context_;
  link::LinkLayer& link_;
  ip::IpLayer& ip_;
  InterfaceId interface_;
  Config config_;
  std::vector<std::uint8_t> identifier_;
  std::unique_ptr<udp::UdpSocket> socket_;
  State state_ = State::kStopped;
  std::uint32_t transaction_ = 0;
  Instant started_{};  // asking for an address
  int tries_ = 0;
  std::optional<wire::DhcpMessage> offer_;
  std::optional<Lease> pending_;  // acknowledged, being probed
  std::optional<Lease> lease_;
  std::vector<ip::Route> routes_;  // in the table because of the lease
  Timer timer_{call_member<&Client::on_timer>, this};
  Timer input_timer_{call_member<&Client::read_socket>, this};
  Timer address_timer_{call_member<&Client::check_address>, this};
};

}  // namespace transom::dhcp
