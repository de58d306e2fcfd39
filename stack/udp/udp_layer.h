// UDP (RFC 768, RFC 1122 §4.1, RFC 8085): sockets, and the demultiplexing of datagrams to them.
//
// A datagram goes to the socket that matches it most closely: connected to its source, then bound to its
// destination address, then bound to the port alone. Multicast and broadcast go to every socket that matches.
// Look-ups are keyed hashes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "stack/base/error.h"
#include "stack/base/readiness.h"
#include "stack/ip/group_member.h"
#include "stack/ip/icmp_error_listener.h"
#include "stack/ip/ip_layer.h"

namespace transom::udp {

struct Core;
struct SocketState;

struct Datagram {
  Endpoint source;
  IpAddress destination;
  InterfaceId interface{};
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  Instant arrival{};
  std::uint64_t dropped = 0;               // datagrams lost before it because the receive queue was full
  std::vector<std::uint8_t> ip_options{};  // see ip::Received::options
  IpProtocol first_header{};
  Packet payload;         // may be empty of octets, never an empty handle
  bool was_seen = false;  // for the user to note, of one that is left in the queue
};

struct UdpOptions {
  std::size_t receive_buffer = 212992;  // octets of buffer memory, as Linux counts (SO_RCVBUF)
  std::size_t send_buffer = 212992;     // a datagram may not be longer
  std::uint8_t ttl = 0;                 // 0: the default
  std::uint8_t multicast_ttl = 1;
  bool multicast_loop = true;
  InterfaceId multicast_interface = InterfaceId::kAny;
  const ip::GroupMember* groups = nullptr;  // what it has joined; none: it takes every group
  std::uint8_t traffic_class = 0;
  bool broadcast = false;       // SO_BROADCAST
  bool dont_fragment = false;   // fail with kMessageTooLong above the path MTU
  bool receive_errors = false;  // IP_RECVERR: every ICMP error is an error, of unconnected sockets too
  std::vector<std::uint8_t> ip_options{};           // of the IPv4 header: see ip::SendOptions
  std::uint8_t min_hops_v4 = 0;                     // IP_MINTTL: what comes with less is dropped (RFC 5082)
  std::uint8_t min_hops_v6 = 0;                     // IPV6_MINHOPCOUNT
  bool auto_flow_label = true;                      // IPV6_AUTOFLOWLABEL: of the flow; else 0
  bool no_checksum = false;                         // send IPv4 datagrams without checksum
  InterfaceId bound_interface = InterfaceId::kAny;  // SO_BINDTODEVICE
};

// What a user lets through of the datagrams that are for its socket (SO_ATTACH_FILTER).
class DatagramFilter {
 public:
  // How many octets of the datagram, which starts at its UDP header, are kept: 0 drops it.
  virtual std::size_t octets_to_keep(const Packet& datagram) = 0;

 protected:
  ~DatagramFilter() = default;
};

struct BindRequest {
  // Unspecified address: any. Also a multicast or broadcast address, to receive what is sent there. Port 0:
  // choose one at random from 49152-65535, the dynamic ports of RFC 6335 (RFC 6056 §3.3.1).
  Endpoint local;
  bool dual_stack = false;  // with "::": IPv4 too
  bool reuse_address = false;
  bool reuse_port = false;
  bool may_be_foreign = false;  // IP_FREEBIND: the address need not be ours
};

// Where and how one datagram goes; what is not given comes from the socket.
struct SendTo {
  std::optional<Endpoint> to = std::nullopt;       // none: the connected peer
  std::optional<IpAddress> source = std::nullopt;  // IP_PKTINFO
  InterfaceId interface = InterfaceId::kAny;
  std::optional<std::uint8_t> ttl = std::nullopt;
  std::optional<std::uint8_t> traffic_class = std::nullopt;
  std::shared_ptr<const ip::ExtensionHeaders> extension_headers = nullptr;  // IPv6
};

// One UDP socket. Created by UdpLayer::open, destroyed by its owner at any time; when the layer goes first,
// it is of no more use.
//
// An IPv6 socket that was not bound speaks to IPv4 addresses too. A connected socket is told of every ICMP
// error about what it sent, any other only with receive_errors; "packet too big" is an error only to who must
// not fragment.
class UdpSocket {
 public:
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  // kAddressInUse by the rules of Linux for reuse_address and reuse_port; kAddressNotAvailable for an address
  // that is not ours; kInvalidArgument when it is bound already.
  Result<void> bind(const BindRequest& request);
  // Fixes the peer: only its datagrams are received. Chooses the local address and port where they are not
  // bound.
  Result<void> connect(const Endpoint& remote);
  void disconnect();

  // Gathers the pieces into one datagram and sends it. Binds to a chosen port first if need be.
  // kMessageTooLong above what UDP carries (65507 or 65527 octets), kAccessDenied for a broadcast without the
  // option, and the errors of IpLayer::send.
  Result<std::size_t> send(std::span<const Bytes> pieces, const SendTo& parameters = {});
  // The oldest datagram; kWouldBlock when there is none. A pending error is returned, once, first.
  Result<Datagram> receive();
  const Datagram* peek() const;       // the oldest datagram, left in place
  Datagram* peek(std::size_t place);  // one of those that wait, the oldest is 0; nullptr: there is none
  std::size_t queued() const;         // datagrams waiting
  std::size_t queued_memory() const;  // octets of buffer memory that they take

  Endpoint local() const;
  std::optional<Endpoint> remote() const;
  UdpOptions& options();
  Error take_error();
  Readiness readiness() const;
  void set_listener(ReadinessListener* listener);
  void set_error_listener(ip::IcmpErrorListener* listener);
  void set_filter(DatagramFilter* filter);  // nullptr: none

  std::uint64_t dropped() const;  // datagrams lost because the receive queue was full

 private:
  friend class UdpLayer;
  explicit UdpSocket(std::unique_ptr<SocketState> state);
  std::unique_ptr<SocketState> state_;
};

struct UdpSocketInfo {
  Endpoint local;
  std::optional<Endpoint> remote = std::nullopt;
  std::size_t receive_queue = 0;  // octets
  std::uint64_t dropped = 0;
};

class UdpLayer final : public ip::Transport {
 public:
  UdpLayer(Context& context, ip::IpLayer& ip);
  ~UdpLayer();
  UdpLayer(const UdpLayer&) = delete;
  UdpLayer& operator=(const UdpLayer&) = delete;

  std::unique_ptr<UdpSocket> open(IpFamily family);
  std::vector<UdpSocketInfo> sockets() const;

  // ip::Transport
  void receive(const ip::Received& received, Packet packet) override;
  bool icmp_error(const ip::IcmpError& error) override;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace transom::udp
