#include "drivers/trace/traced_frame.h"

#include "drivers/frame_layout.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

void complete_checksum(MutableBytes frame, const PacketInfo& info) {
  if (info.checksum != ChecksumState::kPartial || info.segment_size != 0) return;
  const auto layout = layout_of(frame, link::LinkType::kEthernet);
  if (!layout) return;
  const std::size_t field = layout->transport_offset + info.checksum_field;
  if (field + 2 > frame.size()) return;
  wire::ChecksumSum sum;
  sum.add(frame.subspan(layout->transport_offset));
  std::uint16_t value = sum.checksum();
  if (value == 0 && layout->protocol == IpProtocol::kUdp)
    value = 0xffff;  // RFC 768: 0 says that there is none
  frame[field] = static_cast<std::uint8_t>(value >> 8U);
  frame[field + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

void copy_traced_frame(const PacketEvent& packet, std::vector<std::uint8_t>& frame) {
  const std::size_t header = packet.has_ethernet_header ? 0 : wire::EthernetHeader::kSize;
  frame.assign(header + packet.packet.size(), 0);
  packet.packet.copy_out(0, MutableBytes(frame).subspan(header));
  if (header > 0) {
    const bool is_v4 = frame.size() > header && frame[header] >> 4 == 4;
    frame[12] = is_v4 ? 0x08 : 0x86;
    frame[13] = is_v4 ? 0x00 : 0xdd;
  }
  complete_checksum(frame, packet.packet.info());
}

}  // namespace transom::drivers
