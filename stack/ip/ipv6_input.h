// IPv6 reception (RFC 8200): header checks, is it for us, the chain of extension headers, fragments,
// delivery.
//
// The chain is walked in a loop, each step at least 8 octets, within limits on headers and options (RFC 8504
// §5.3). A reassembled packet is walked again from its start, and a fragment header found there ends it. The
// strong host model holds, as for IPv4.
#pragma once

#include <optional>

#include "stack/ip/addresses.h"
#include "stack/ip/delivery.h"
#include "stack/ip/forwarding.h"
#include "stack/ip/reassembly.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

class Ipv6Input {
 public:
  Ipv6Input(Context& context, const Addresses& addresses, Forwarding& forwarding, Reassembly& reassembly,
            Delivery& delivery, IcmpErrors& errors)
      : context_(context),
        addresses_(addresses),
        forwarding_(forwarding),
        reassembly_(reassembly),
        delivery_(delivery),
        errors_(errors) {}

  // A packet from the link, starting at its IP header.
  void receive(link::Interface& interface, Packet packet);
  // A copy of what we have sent to a group ourselves.
  void receive_own(link::Interface& interface, Packet packet);

 private:
  // What the walk knows of a packet.
  struct Walk {
    Received received;
    IpProtocol next{};
    std::size_t next_offset = 6;                   // of the octet that holds `next`
    std::size_t offset = wire::Ipv6Header::kSize;  // of the header that `next` names
    int headers = 0;
    int options = 0;
    int padding = 0;
  };
  enum class Step : std::uint8_t { kOn, kDropped };

  bool parse(Packet& packet, wire::Ipv6Header& header) const;
  bool accept_source(const link::Interface& interface, const IpAddress& source) const;
  bool accept_destination(const link::Interface& interface, const IpAddress& destination) const;
  void process(link::Interface& interface, bool to_unicast, bool is_reassembled, Packet packet);
  Step step_over(Walk& walk, const Packet& packet);
  Step check_options(Walk& walk, Bytes options, const Packet& packet);
  Step check_routing(Walk& walk, Bytes body, const Packet& packet);
  // An atomic fragment is stepped over (RFC 6946); of others the whole comes out when it is complete.
  Step take_fragment(Walk& walk, Packet& packet, bool is_reassembled, Packet& whole);
  bool has_whole_chain(const Fragment& fragment, const Packet& packet) const;
  Step reject(const Walk& walk, DropReason reason, const Packet& packet,
              std::optional<IcmpErrorMessage> error = std::nullopt);

  Context& context_;
  const Addresses& addresses_;
  Forwarding& forwarding_;
  Reassembly& reassembly_;
  Delivery& delivery_;
  IcmpErrors& errors_;
};

}  // namespace transom::ip
