// A Host: the layers put together. The one class that the outside drives.
//
// A driver loop, real or simulated, does four things:
//
//   host.receive(interface, frames, now)     frames that arrived, as a batch
//   host.advance(now)                        let timers that are due run
//   host.transmit_queue(interface)           frames to send; the driver takes them out
//   host.next_deadline()                     when to call advance() next, if nothing else happens before
//
// Socket calls happen between enter(now) and leave(): enter sets the time, leave sends what became due. A
// Host is for one thread at a time. Given the same seed and the same calls, it does the same.
#pragma once

#include <memory>
#include <string>

#include "stack/base/context.h"
#include "stack/dhcp/client.h"
#include "stack/ip/echo_socket.h"
#include "stack/ip/ip_layer.h"
#include "stack/ip/router_discovery.h"
#include "stack/link/link_layer.h"
#include "stack/tcp/tcp_layer.h"
#include "stack/udp/udp_layer.h"

namespace transom {

struct HostConfig {
  Seed seed{};
  Instant start{};
  link::LinkConfig link;
  ip::IpConfig ip;
  tcp::Config tcp;
};

class Host {
 public:
  // `pool` must outlive the Host. Interface 1 is the loopback interface "lo" with 127.0.0.1/8 and ::1/128.
  Host(BufferPool& pool, const HostConfig& config);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  InterfaceId add_interface(const link::InterfaceConfig& config);
  Result<void> add_address(InterfaceId interface, const IpPrefix& address);
  // A default route when `prefix` has length 0. kNoSuchDevice for an unknown interface.
  Result<void> add_route(const IpPrefix& prefix, std::optional<IpAddress> gateway, InterfaceId interface,
                         std::uint32_t metric = 0);

  // Addresses, routes and DNS servers from the routers of an Ethernet (RFC 4861, RFC 4862). Once per
  // interface. kNoSuchDevice; kNotSupported where there is no Ethernet.
  Result<void> autoconfigure(InterfaceId interface, const ip::AutoconfigurationOptions& options = {});
  // An IPv4 address from a DHCP server, and what else it gives. Once per interface; the same errors.
  Result<void> start_dhcp(InterfaceId interface, const dhcp::Config& config = {});
  // nullptr where it was not started.
  dhcp::Client* dhcp(InterfaceId interface);
  // The DNS servers and search domains that were heard of, on all interfaces: DHCP's before the routers'.
  ip::DnsConfiguration dns();

  void receive(InterfaceId interface, PacketQueue& frames, Instant now);
  void receive(InterfaceId interface, Packet frame, Instant now);
  void advance(Instant now);
  Instant next_deadline() const;
  PacketQueue& transmit_queue(InterfaceId interface);

  void enter(Instant now);
  void leave();

  // At most one; nullptr for none. It must outlive the Host or be taken away before.
  void set_observer(Observer* observer);

  Context& context() { return context_; }
  link::LinkLayer& link() { return link_; }
  ip::IpLayer& ip() { return ip_; }
  udp::UdpLayer& udp() { return udp_; }
  tcp::TcpLayer& tcp() { return tcp_; }
  const link::LinkLayer& link() const { return link_; }
  const ip::IpLayer& ip() const { return ip_; }
  const Counters& counters() const { return context_.counters; }

 private:
  void loop_back();
  Result<link::Interface*> ethernet(InterfaceId interface);

  Context context_;
  link::LinkLayer link_;
  ip::IpLayer ip_;
  udp::UdpLayer udp_;
  tcp::TcpLayer tcp_;
  link::Interface* loopback_ = nullptr;
  std::vector<std::unique_ptr<dhcp::Client>> dhcp_clients_;
};

}  // namespace transom
