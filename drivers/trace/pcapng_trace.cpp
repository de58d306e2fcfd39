#include "drivers/trace/pcapng_trace.h"

#include <utility>

#include "drivers/trace/traced_frame.h"

namespace transom::drivers {

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
  copy_traced_frame(packet, held_);
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
