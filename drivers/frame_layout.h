// Where the headers of a frame are. Drivers need this to translate offload headers and to find what may be
// corrupted; they look no deeper than the offsets.
#pragma once

#include <optional>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/link/interface.h"

namespace transom::drivers {

struct FrameLayout {
  IpFamily family = IpFamily::kIpv4;
  IpProtocol protocol{};             // of the transport header; of the fragment's contents in a fragment
  bool is_fragment = false;          // there may be no transport header at transport_offset then
  std::size_t ip_offset = 0;         // octets from the start of the frame
  std::size_t transport_offset = 0;  // likewise; behind IPv4 options and IPv6 extension headers
};

// Octets in front of the IP header: 14, 18 with an 802.1Q tag, 0 on a link without link header. nullopt when
// the frame does not carry IP.
std::optional<std::size_t> ip_offset_of(Bytes head, link::LinkType type);

// nullopt when the frame does not carry IP, or its headers are not whole within `head`. Total lengths are not
// looked at: `head` may be the beginning of a longer packet.
std::optional<FrameLayout> layout_of(Bytes head, link::LinkType type);

}  // namespace transom::drivers
