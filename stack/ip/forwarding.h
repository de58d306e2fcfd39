// What a router does with packets that are not for itself (RFC 1812 §5.2, §5.3; RFC 8200 §3): off until
// IpConfig::forwarding is set.
//
//   may it leave its link at all? ─► hop limit ─► route ─► fits the next link? ─► one hop less ─► link layer
//                                     └► time exceeded └► unreachable └► fragments, or: too big
//
// Options are passed on as they came; source routes were refused before. Directed broadcasts are not
// forwarded (RFC 2644), multicast neither, and no redirects are sent.
#pragma once

#include "stack/ip/icmp_errors.h"
#include "stack/ip/output.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

struct QuotedPacket;

class Forwarding {
 public:
  Forwarding(Context& context, const IpConfig& config, const Addresses& addresses,
             DestinationCache& destinations, Output& output, IcmpErrors& errors)
      : context_(context),
        config_(config),
        addresses_(addresses),
        destinations_(destinations),
        output_(output),
        errors_(errors) {}

  bool is_enabled() const { return config_.forwarding; }

  // `packet` starts at the header that was parsed from it.
  void forward(link::Interface& arrived, const wire::Ipv4Header& header, Packet packet);
  void forward(link::Interface& arrived, const wire::Ipv6Header& header, Packet packet);

  // Nobody answers for the next hop of a packet that was forwarded; `packet` starts at its IP header.
  void report_unreachable(link::Interface& interface, const QuotedPacket& quoted, const Packet& packet);

 private:
  // The way on, or nothing when the packet was dropped, and its sender told.
  DestinationRef route(const Received& received, std::uint8_t hops_left, const Packet& packet);
  bool fits(const Destination& destination, const Packet& packet, std::size_t header_size) const;
  void send_fragments(Destination& destination, const wire::Ipv4Header& header, Packet packet);

  Context& context_;
  const IpConfig& config_;
  const Addresses& addresses_;
  DestinationCache& destinations_;
  Output& output_;
  IcmpErrors& errors_;
};

}  // namespace transom::ip
