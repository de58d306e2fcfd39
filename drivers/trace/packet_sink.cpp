#include "drivers/trace/packet_sink.h"

#include "drivers/trace/traced_frame.h"

namespace transom::drivers {

void PacketSink::write(std::string_view /*host*/, const Event& event) {
  const auto* const packet = std::get_if<PacketEvent>(&event.what);
  if (packet == nullptr) return;
  copy_traced_frame(*packet, frame_);
  CapturedPacket captured;
  captured.number = ++count_;
  captured.time = event.time.time_since_epoch();
  captured.octets = frame_;
  captured.original_length = static_cast<std::uint32_t>(frame_.size());
  captured.is_outgoing = packet->direction == Direction::kOut;
  take_(captured);
}

}  // namespace transom::drivers
