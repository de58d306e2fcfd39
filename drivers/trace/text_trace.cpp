#include "drivers/trace/text_trace.h"

#include <vector>

namespace transom::drivers {

void TextTrace::write(std::string_view host, const Event& event) {
  const auto nanoseconds = event.time.time_since_epoch().count();
  std::string line = fmt::format("{}.{:09} ", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
  if (!host.empty()) line += fmt::format("{:<8} ", host);
  if (const auto* packet = std::get_if<PacketEvent>(&event.what)) {
    std::vector<std::uint8_t> octets(packet->packet.size());
    packet->packet.copy_out(0, octets);
    line += packet->direction == Direction::kIn ? "in   " : "out  ";
    line += describe_frame(octets, packet->has_ethernet_header);
  } else {
    line += "     ";
    if (const auto connection = connection_of(event))
      line += fmt::format("{} > {}  ", to_string(connection->local), to_string(connection->remote));
    line += words_.text(event);
  }
  line += '\n';
  file_.write(line);
}

}  // namespace transom::drivers
