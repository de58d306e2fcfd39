// The internet layer for IPv4 and IPv6: delivery to transports, routing and source selection, fragmentation
// and reassembly, path MTU, ICMP both ways (RFC 791, 792, 1122 §3, 8200, 4443, 6724, 1191, 8201).
//
// Reception follows the strong host model (RFC 1122 §3.3.4.2): a packet must be for an address of the
// interface on which it arrives. The host's own addresses are reached through the loopback interface, and
// 127/8 and ::1 never appear on another. A router (IpConfig::forwarding) takes packets for any of its
// addresses on every interface (RFC 1812 §5.2.3) and passes others on.
//
//   receive:  header checks ─► for us? ─► reassembly ─► extension headers / options ─► ICMP here, else the
//   Transport send:     Destination (route, source, MTU) ─► IP header ─► fragments if allowed ─► link layer
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "stack/base/context.h"
#include "stack/base/error.h"
#include "stack/ip/destination.h"
#include "stack/ip/route_table.h"
#include "stack/ip/transport.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

struct ExtensionHeaders;

struct IpConfig {
  std::uint8_t default_ttl = 64;
  std::size_t max_destinations = 4096;          // entries that nobody holds
  std::size_t max_reassembly_octets = 4 << 20;  // all unfinished datagrams together
  std::size_t max_reassemblies = 1024;
  std::size_t max_fragments = 64;                          // per datagram
  Duration reassembly_timeout = std::chrono::seconds(60);  // RFC 1122 §3.3.2, RFC 8200 §4.5
  Duration path_mtu_timeout = std::chrono::minutes(10);    // RFC 1191 §6.3, RFC 8201 §5.4
  std::uint32_t min_path_mtu_v4 = 552;   // floor for what ICMP may teach; RFC 8201's 1280 for IPv6 is fixed
  int icmp_errors_per_second = 1000;     // all destinations together; bursts of 50
  int icmp_errors_per_destination = 10;  // per second
  bool answer_echo = true;               // requests to us alone; false: whoever listens to them answers
  bool answer_broadcast_echo = false;
  bool accept_redirects = true;  // follow a router that names a better first hop; never while forwarding
  bool report_groups = true;     // tell routers of the groups that are joined (IGMP, MLD)
  bool forwarding = false;       // be a router: pass on what is for others, between all interfaces
};

// How a datagram is to be sent. Defaults are the stack's.
struct SendOptions {
  std::uint8_t ttl = 0;            // 0: the default
  std::uint8_t traffic_class = 0;  // DSCP and ECN
  bool dont_fragment = false;      // IPv4: set DF. Either: fail with kMessageTooLong instead of fragmenting
  std::uint32_t flow_label = 0;    // IPv6
  Bytes ip_options{};              // IPv4: of the header, in whole 32-bit words, no source route
  // IPv6: for the Destination that is RoutedHeaders::first_stop(). Not with a super-segment.
  const ExtensionHeaders* extension_headers = nullptr;
  bool loop = false;          // multicast and broadcast: hand a copy to our own sockets too
  bool stay_on_host = false;  // nothing but that copy: what a multicast TTL of 0 means
};

class ChosenIdentifications;
class Groups;
class RawReceivers;
class RouterDiscovery;

class IpLayer final : public link::NetworkReceiver {
 public:
  IpLayer(Context& context, link::LinkLayer& link, const IpConfig& config);
  ~IpLayer();
  IpLayer(const IpLayer&) = delete;
  IpLayer& operator=(const IpLayer&) = delete;

  // Packets of this protocol go to `transport`. ICMP and ICMPv6 are handled here.
  void register_transport(IpProtocol protocol, Transport& transport);

  const IpConfig& config() const;
  // Changes count from now on; what is sized at the start stays so.
  IpConfig& config();

  RouteTable& routes();
  const RouteTable& routes() const;
  // True for an address that is usable on any interface, and for 127/8 and ::1.
  bool is_local(const IpAddress& address) const;
  // Not something one can have a conversation with: unspecified, multicast, broadcast of any kind.
  bool is_unicast(const IpAddress& address) const;

  // The cache entry for `address`, resolved. kNetworkUnreachable without a route, kAddressNotAvailable
  // without a source.
  Result<DestinationRef> destination(const IpAddress& address, InterfaceId bound = InterfaceId::kAny);
  // Resolves again if routes or addresses have changed; false when there is no way any more.
  bool refresh(Destination& destination);
  // Largest IP packet that fits the path, octets; ages out what was learnt. A change of the interface's MTU
  // counts at once.
  std::uint32_t path_mtu(Destination& destination);
  // Lowers the path MTU after a validated report (floors apply); false when that changes nothing. Only TCP
  // calls it: it knows best whether to believe. For all others the layer itself does, when
  // Transport::icmp_error said that the report was used.
  bool learn_path_mtu(Destination& destination, std::uint32_t mtu);

  // Adds the IP header to `packet`, which starts at the transport header, and sends it. Fragments when it is
  // longer than the path MTU and that is allowed; a TCP super-segment (info().segment_size != 0) is never
  // fragmented. kMessageTooLong; kAddressNotAvailable for a source that is not ours; kInvalidArgument for IP
  // options that may not be sent; kNoBuffers.
  Result<void> send(Destination& destination, const IpAddress& source, IpProtocol protocol, Packet packet,
                    const SendOptions& options = {});

  // Who says what identifications datagrams get; nullptr for the stack itself. See chosen_identifications.h.
  void choose_identifications(ChosenIdentifications* chosen);

  // Forward progress, or the lack of it, as seen by a transport.
  void confirm_reachable(Destination& destination);
  void suspect(Destination& destination);

  // The multicast groups that sockets join.
  Groups& groups();

  // Answers a received datagram with port unreachable (RFC 1122 §4.1.3.1, RFC 4443 §3.1), if an error is
  // allowed at all.
  void send_port_unreachable(const Received& received, Packet& packet);

  // link::NetworkReceiver
  void receive(link::Interface& interface, Packet packet) override;
  void neighbour_failed(link::Interface& interface, Packet packet) override;
  bool redirected(link::Interface& interface, const IpAddress& router, const IpAddress& destination,
                  const IpAddress& target) override;
  bool router_advertised(link::Interface& interface, const IpAddress& router,
                         const wire::RouterAdvertisement& advertisement) override;

  // Autoconfiguration of IPv6.
  RouterDiscovery& router_discovery();
  const RouterDiscovery& router_discovery() const;
  // Called whenever the addresses of an interface change, after this layer has taken note.
  void add_address_listener(std::function<void()> listener);

  // Echo (ping): who wants replies and errors for an identifier registers here. See echo_socket.h.
  class EchoSockets;
  EchoSockets& echo_sockets();

  // Raw sockets. What they send besides send():
  RawReceivers& raw_receivers();
  // A packet with its IP header, of the destination's family. Of an IPv4 header length and checksum are
  // filled in, and where they are zero source and identification; an IPv6 header is taken as it is. The
  // source may be anybody. kMessageTooLong above the MTU of the interface; kInvalidArgument when it is no
  // such header.
  Result<void> send_with_header(Destination& destination, Packet packet);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace transom::ip
