#include "stack/ip/extension_headers.h"

#include <algorithm>

#include "stack/ip/fragmentation.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

namespace {

constexpr std::size_t kAddress = 16, kFixedSize = 8;  // of a segment routing header, in front of the segments

// For the headers below: IPv6, Ethernet with a tag.
constexpr std::size_t kMinHeadRoom = 64;

bool make_head_room(Packet& packet, std::size_t size) {
  if (packet.head_room() >= size + kMinHeadRoom) return true;
  const bool fits_frame =
      size + packet.size() + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
  Packet roomy =
      packet.pool().allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame, size + kMinHeadRoom);
  if (!roomy || roomy.tail_room() < packet.size()) return false;
  packet.copy_out(0, roomy.append(packet.size()));
  roomy.info() = packet.info();
  packet = std::move(roomy);
  return true;
}

}  // namespace

// RFC 8754 §2: Routing Type 4, Segments Left and Last Entry within the list, whole TLVs behind it.
bool may_send_routing_header(Bytes header) {
  wire::Reader reader(header);
  const auto extension = wire::Ipv6ExtensionHeader::parse(reader);
  if (!extension || extension->size != header.size()) return false;
  wire::Reader fields(extension->body);
  const std::uint8_t type = fields.u8();
  const std::uint8_t segments_left = fields.u8();
  const std::size_t last_entry = fields.u8();
  if (type != wire::Ipv6RoutingHeader::kSegmentRouting || segments_left > last_entry) return false;
  fields.skip(kFixedSize - 5);  // flags and tag
  fields.skip((last_entry + 1) * kAddress);
  while (fields.ok() && fields.remaining() > 0) {
    fields.skip(1);
    fields.skip(fields.u8());
  }
  return fields.ok();
}

// The list is in reverse: its first entry is the last stop (RFC 8754 §4.1).
RoutedHeaders::RoutedHeaders(const ExtensionHeaders* headers, const IpAddress& to)
    : headers_(to.is_v6() ? headers : nullptr), first_stop_(to) {
  if (headers_ == nullptr || headers_->routing.empty()) return;
  constexpr std::size_t kSegmentsLeft = 3;
  routed_ = *headers_;
  const MutableBytes routing(routed_->routing);
  wire::Reader reader(Bytes(routing).subspan(kFixedSize + routing[kSegmentsLeft] * kAddress));
  first_stop_ = wire::read_ipv6_address(reader);
  wire::Writer writer(routing.subspan(kFixedSize));
  wire::write_ipv6_address(writer, to);
}

std::optional<ExtensionChain> prepend_extension_headers(Packet& packet, const ExtensionHeaders& headers,
                                                        IpProtocol protocol) {
  complete_transport_checksum(packet);
  if (!make_head_room(packet, headers.size())) return std::nullopt;
  ExtensionChain chain{.first = protocol};
  const auto prepend = [&](const std::vector<std::uint8_t>& header, IpProtocol name) {
    if (header.empty()) return;
    const MutableBytes place = packet.prepend(header.size());
    std::ranges::copy(header, place.begin());
    place[0] = static_cast<std::uint8_t>(chain.first);
    chain.first = name;
  };
  const auto prepend_unfragmentable = [&](const std::vector<std::uint8_t>& header, IpProtocol name) {
    if (header.empty()) return;
    prepend(header, name);
    // The first of them to be put there is the last of them.
    chain.last_next = chain.unfragmentable == 0 ? 0 : chain.last_next + header.size();
    chain.unfragmentable += header.size();
  };
  prepend(headers.destination, IpProtocol::kDestinationOptions);
  prepend_unfragmentable(headers.routing, IpProtocol::kRouting);
  if (!headers.routing.empty())
    prepend_unfragmentable(headers.before_routing, IpProtocol::kDestinationOptions);
  prepend_unfragmentable(headers.hop_by_hop, IpProtocol::kHopByHop);
  return chain;
}

}  // namespace transom::ip
