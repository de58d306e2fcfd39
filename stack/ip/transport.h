// What the IP layer and the protocols above it say to each other.
#pragma once

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/error.h"
#include "stack/base/packet.h"
#include "stack/link/interface.h"

namespace transom::ip {

// A datagram for us, as handed to a transport: the packet starts behind the IP headers.
struct Received {
  link::Interface& interface;
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol{};
  std::uint8_t ttl = 0;            // or hop limit
  std::uint8_t traffic_class = 0;  // DSCP and ECN
  bool to_unicast = true;  // false for broadcast and multicast, on either layer: draws no error and no RST
  std::uint16_t header_size = 0;  // octets of IP headers that still stand in front of the packet, for quoting
  bool router_alert = false;      // the option was there (RFC 2113, RFC 2711)
  bool fragmented = false;        // came with an IPv6 fragment header, or was reassembled
  // Of the IPv4 header (RFC 1122 §3.2.1.8), or the extension headers of IPv6, the first of which
  // `first_header` names. Good for as long as the packet is.
  Bytes options{};
  IpProtocol first_header{};
};

// What an ICMP error means, for both families.
enum class IcmpErrorKind : std::uint8_t {
  kNetworkUnreachable,
  kHostUnreachable,  // also: no neighbour answered
  kProtocolUnreachable,
  kPortUnreachable,
  kProhibited,
  kPacketTooBig,  // `mtu` says what fits
  kTimeExceeded,
  kParameterProblem,
  kRedirect,  // no error: only asks whether something here has sent what it quotes
  kOther,
};

// What a user is told of it.
Error error_of(IcmpErrorKind kind);

// An error about a packet that we sent, delivered to the transport that it quotes.
struct IcmpError {
  IcmpErrorKind kind{};
  std::uint8_t type = 0;  // as on the wire
  std::uint8_t code = 0;
  std::uint32_t mtu = 0;
  IpAddress reporter;     // who sent the error; our own address when the stack itself found out
  IpAddress source;       // of the quoted packet: an address of ours
  IpAddress destination;  // of the quoted packet
  Bytes transport;        // what was quoted behind the IP header; at least 8 octets
};

class Transport {
 public:
  virtual void receive(const Received& received, Packet packet) = 0;
  // True when the quoted packet belongs to something alive here, and the error was used: only then a path MTU
  // is believed.
  virtual bool icmp_error(const IcmpError& error) = 0;

 protected:
  ~Transport() = default;
};

}  // namespace transom::ip
