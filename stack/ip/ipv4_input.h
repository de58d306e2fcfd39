// IPv4 reception (RFC 791, RFC 1122 §3.2.1): header checks, is it for us, options, fragments, delivery.
//
// The strong host model for reception (RFC 1122 §3.3.4.2): a packet must be for an address of the interface
// on which it arrives. What a host sends to itself comes in through the loopback interface and may be for any
// of its addresses.
#pragma once

#include "stack/ip/addresses.h"
#include "stack/ip/delivery.h"
#include "stack/ip/forwarding.h"
#include "stack/ip/reassembly.h"
#include "stack/wire/ipv4.h"

namespace transom::ip {

class Ipv4Input {
 public:
  Ipv4Input(Context& context, const Addresses& addresses, Forwarding& forwarding, Reassembly& reassembly,
            Delivery& delivery)
      : context_(context),
        addresses_(addresses),
        forwarding_(forwarding),
        reassembly_(reassembly),
        delivery_(delivery) {}

  // A packet from the link, starting at its IP header.
  void receive(link::Interface& interface, Packet packet);
  // A copy of what we have sent to a group ourselves.
  void receive_own(link::Interface& interface, Packet packet);

 private:
  struct AcceptedSource {
    IpAddress source;
    InterfaceId interface = InterfaceId::kAny;
    std::uint64_t generation = 0;  // of our addresses
    friend bool operator==(const AcceptedSource&, const AcceptedSource&) = default;
  };
  enum class Addressed : std::uint8_t { kToUs, kToGroup, kToOthers };

  bool parse(Packet& packet, wire::Ipv4Header& header) const;
  bool accept_source(const link::Interface& interface, const wire::Ipv4Header& header);
  Addressed addressed(const link::Interface& interface, const wire::Ipv4Header& header) const;
  bool accept_destination(const link::Interface& interface, const wire::Ipv4Header& header,
                          const PacketInfo& info, Addressed addressed) const;
  bool accept_options(Bytes options) const;
  void process(link::Interface& interface, const wire::Ipv4Header& header, bool to_unicast, Packet packet);
  Packet reassemble(link::Interface& interface, const wire::Ipv4Header& header, bool to_unicast,
                    Packet packet);
  void drop_header_error(DropReason reason) const { context_.drop(reason, Counter::kIpInHdrErrors); }

  Context& context_;
  const Addresses& addresses_;
  Forwarding& forwarding_;
  Reassembly& reassembly_;
  Delivery& delivery_;
  AcceptedSource last_accepted_;
};

}  // namespace transom::ip
