// The last step of reception: from IP to the protocol that a datagram is for.
#pragma once

#include "stack/ip/icmp.h"
#include "stack/ip/icmp_errors.h"
#include "stack/ip/raw_receivers.h"
#include "stack/ip/transports.h"

namespace transom::ip {

class Delivery {
 public:
  Delivery(Context& context, const Transports& transports, const RawReceivers& raw, Icmp& icmp,
           IcmpErrors& errors)
      : context_(context), transports_(transports), raw_(raw), icmp_(icmp), errors_(errors) {}

  // `packet` starts at its IP header; received.header_size octets further on at the transport header.
  // `protocol_offset` is that of the octet that names the protocol.
  void deliver(const Received& received, std::size_t protocol_offset, Packet packet);

 private:
  Context& context_;
  const Transports& transports_;
  const RawReceivers& raw_;
  Icmp& icmp_;
  IcmpErrors& errors_;
};

}  // namespace transom::ip
