#include "drivers/trace/pcapng_trace.h"

#include <utility>

#include "drivers/frame_layout.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {
// A checksum that is left to the device, as it will be on the wire. Super-segments have none of their own.
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

PcapngTrace::PcapngTrace(OutputFile file, std::function<Duration(Instant)> wall_clock,
                         std::uint32_t snap_length)
    : writer_(std::move(file), CaptureFormat::kPcapng),
      snap_length_(snap_length),
      wall_clock_(std::move(wall_clock)) {}

PcapngTrace::~PcapngTrace() { write_held(); }

void PcapngTrace::write(std::string_view host, const Event& event) {
  if (const auto* packet = std::get_if<PacketEvent>(&event.what)) return hold(host, *packet, event);
  const bool is_held = holds_ && host == held_interface_.first;
  if (auto text = sorters_[std::string(host)].decision(event, is_held))
    held_comments_.push_back(std::move(*text));
}

void PcapngTrace::hold(std::string_view host, const PacketEvent& packet, const Event& event) {
  write_held();
  const std::size_t header = packet.has_ethernet_header ? 0 : wire::EthernetHeader::kSize;
  held_.assign(header + packet.packet.size(), 0);
  packet.packet.copy_out(0, MutableBytes(held_).subspan(header));
  if (header > 0) {
    const bool is_v4 = held_.size() > header && held_[header] >> 4 == 4;
    held_[12] = is_v4 ? 0x08 : 0x86;
    held_[13] = is_v4 ? 0x00 : 0xdd;
  }
  complete_checksum(held_, packet.packet.info());
  holds_ = true;
  held_time_ = event.time;
  held_interface_ = {std::string(host), packet.interface};
  held_is_outgoing_ = packet.direction == Direction::kOut;
  held_comments_ = sorters_[std::string(host)].frame(packet, event.id);
}

void PcapngTrace::write_held() {
  if (!std::exchange(holds_, false)) return;
  auto known = interfaces_.find(held_interface_);
  if (known == interfaces_.end()) {
    const auto& [host, interface] = held_interface_;
    const auto name =
        fmt::format("{}{}interface {}", host, host.empty() ? "" : " ", static_cast<std::uint16_t>(interface));
    known = interfaces_.emplace(held_interface_, static_cast<std::uint32_t>(interfaces_.size())).first;
    // All alike, so that libpcap reads the file too.
    writer_.add_interface({.name = name, .link_type = LinkType::kEthernet, .snap_length = snap_length_});
  }
  CapturedPacket packet;
  packet.time = wall_clock_(held_time_);
  packet.interface = known->second;
  packet.octets = Bytes(held_).first(std::min<std::size_t>(held_.size(), snap_length_));
  packet.original_length = static_cast<std::uint32_t>(held_.size());
  packet.is_outgoing = held_is_outgoing_;
  packet.comments = std::exchange(held_comments_, {});
  // Refused are times before 1970 alone.
  (void)writer_.write(packet);
}

}  // namespace transom::drivers
