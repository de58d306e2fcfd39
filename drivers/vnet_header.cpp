#include "drivers/vnet_header.h"

#include "drivers/frame_layout.h"
#include "stack/wire/checksum.h"
#include "stack/wire/cursor.h"

namespace transom::drivers {

namespace {

struct TcpSizes {
  std::size_t header = 0;  // octets with options
  bool cwr = false;        // RFC 3168 §6.1.2: congestion window reduced
};

std::optional<TcpSizes> tcp_sizes(Bytes head, std::size_t offset) {
  wire::Reader reader(head);
  reader.skip(offset + 12);
  const std::uint16_t offset_and_flags = reader.u16();
  const TcpSizes sizes{.header = (std::size_t{offset_and_flags} >> 12) * 4,
                       .cwr = (offset_and_flags & 0x80) != 0};
  if (!reader.ok() || sizes.header < 20 || offset + sizes.header > head.size()) return std::nullopt;
  return sizes;
}

std::uint8_t gso_type_of(IpFamily family) {
  return family == IpFamily::kIpv4 ? VnetHeader::kGsoTcpv4 : VnetHeader::kGsoTcpv6;
}

// Does what a device would do: sums from `start` to the end of the frame, the field's present value included.
bool complete_at(Packet& frame, std::size_t start, std::size_t field) {
  if (field + 2 > frame.head().size()) return false;
  wire::ChecksumSum sum;
  wire::add_packet(sum, frame, start);
  wire::Writer writer(frame.head().subspan(field, 2));
  writer.u16(sum.checksum());
  return writer.ok();
}

bool apply_checksum(const VnetHeader& header, const std::optional<FrameLayout>& layout, Packet& frame) {
  if ((header.flags & VnetHeader::kNeedsChecksum) == 0) {
    const bool vouched = (header.flags & VnetHeader::kDataValid) != 0;
    frame.info().checksum = vouched ? ChecksumState::kVerified : ChecksumState::kUnknown;
    return true;
  }
  const std::size_t start = header.checksum_start;
  const std::size_t field = start + header.checksum_offset;
  if (start >= frame.size() || field + 2 > frame.size()) return false;
  if (!layout || layout->is_fragment || layout->transport_offset != start) {
    frame.info().checksum = ChecksumState::kUnknown;
    return complete_at(frame, start, field);
  }
  if (field + 2 > frame.head().size()) return false;
  frame.info().checksum = ChecksumState::kPartial;
  frame.info().checksum_field = header.checksum_offset;
  return true;
}

}  // namespace

bool make_vnet_header(const Packet& frame, link::LinkType type, VnetHeader& header) {
  header = {};
  const PacketInfo& info = frame.info();
  const bool partial = info.checksum == ChecksumState::kPartial;
  if (!partial && info.segment_size == 0) return true;

  const std::optional<FrameLayout> layout = layout_of(frame.head(), type);
  if (!layout || layout->is_fragment || layout->transport_offset > UINT16_MAX) return false;
  if (partial) {
    if (layout->transport_offset + info.checksum_field + 2 > frame.head().size()) return false;
    header.flags = VnetHeader::kNeedsChecksum;
    header.checksum_start = static_cast<std::uint16_t>(layout->transport_offset);
    header.checksum_offset = info.checksum_field;
  }
  if (info.segment_size == 0) return true;

  const std::optional<TcpSizes> tcp = tcp_sizes(frame.head(), layout->transport_offset);
  // The device recomputes the checksum of each segment from the partial one of the whole (virtio 1.2
  // §5.1.6.2).
  if (layout->protocol != IpProtocol::kTcp || !tcp || !partial) return false;
  const std::size_t headers = layout->transport_offset + tcp->header;
  if (frame.size() - headers <= info.segment_size) return true;  // one segment is not segmented
  header.gso_type = gso_type_of(layout->family);
  if (tcp->cwr) header.gso_type |= VnetHeader::kGsoEcn;  // so that only the first segment says CWR
  header.gso_size = info.segment_size;
  header.header_length = static_cast<std::uint16_t>(headers);
  return true;
}

bool apply_vnet_header(const VnetHeader& header, link::LinkType type, Packet& frame) {
  PacketInfo& info = frame.info();
  info.segment_size = 0;
  const std::optional<FrameLayout> layout = layout_of(frame.head(), type);
  if (!apply_checksum(header, layout, frame)) return false;

  const auto gso_type = static_cast<std::uint8_t>(header.gso_type & ~VnetHeader::kGsoEcn);
  if (gso_type == VnetHeader::kGsoNone) return true;
  if (header.gso_size == 0 || !layout || layout->is_fragment || layout->protocol != IpProtocol::kTcp)
    return false;
  if (gso_type != gso_type_of(layout->family)) return false;
  const std::optional<TcpSizes> tcp = tcp_sizes(frame.head(), layout->transport_offset);
  if (!tcp) return false;
  if (frame.size() - layout->transport_offset - tcp->header > header.gso_size)
    info.segment_size = header.gso_size;
  return true;
}

}  // namespace transom::drivers
