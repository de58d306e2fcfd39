// ICMP and ICMPv6 messages that arrive: echo, errors about what we sent, neighbour discovery (RFC 792, RFC
// 1122 §3.2.2, RFC 4443).
//
// An error counts only when it quotes something that we may have sent: at least 8 octets of a transport
// header, from an address of ours. Whether that something exists is for its transport to say, and only then
// is a path MTU believed (RFC 8201 §4), or a redirect followed. Source quench (RFC 6633), timestamps, address
// masks and router discovery are ignored.
#pragma once

#include "stack/ip/echo_sockets.h"
#include "stack/ip/groups.h"
#include "stack/ip/output.h"
#include "stack/ip/raw_receivers.h"
#include "stack/ip/redirects.h"
#include "stack/ip/transports.h"

namespace transom::ip {

struct QuotedPacket;

class Icmp {
 public:
  Icmp(Context& context, const IpConfig& config, link::LinkLayer& link, const Addresses& addresses,
       DestinationCache& destinations, const PathMtu& path_mtu, Redirects& redirects, Output& output,
       const Transports& transports, const RawReceivers& raw, IpLayer::EchoSockets& echo_sockets,
       Groups& groups);

  // A message of the source's family; the packet starts at the ICMP header.
  void receive(const Received& received, Packet packet);
  // Hands an error, found out by whomever, to the transport that it concerns. True when it was used.
  bool deliver_error(IcmpError& error, const QuotedPacket& quoted);

 private:
  bool is_intact(const Received& received, const Packet& packet) const;
  void receive_v4(const Received& received, const wire::IcmpHeader& header, Packet packet);
  void receive_v6(const Received& received, const wire::IcmpHeader& header, Packet packet);
  void answer_echo(const Received& received, const wire::IcmpHeader& request, Packet packet);
  void receive_reply(const Received& received, const wire::IcmpHeader& header, Packet packet);
  void receive_error(const Received& received, const wire::IcmpHeader& header, const Packet& packet);
  void learn_path_mtu(const IcmpError& error, InterfaceId interface);

  Context& context_;
  const IpConfig& config_;
  link::LinkLayer& link_;
  const Addresses& addresses_;
  DestinationCache& destinations_;
  const PathMtu& path_mtu_;
  Redirects& redirects_;
  Output& output_;
  const Transports& transports_;
  const RawReceivers& raw_;
  IpLayer::EchoSockets& echo_sockets_;
  Groups& groups_;
};

}  // namespace transom::ip
