#include "socket_api/stream_filter.h"

#include "socket_api/copied_packets.h"

namespace transom::sockets {

std::size_t StreamFilter::octets_to_keep(const ip::Received& received, const Packet& segment) {
  constexpr std::uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
  std::vector<std::uint8_t> scratch;
  return program_->run(in_one_piece(segment, 0, scratch),
                       {.protocol = received.source.is_v4() ? kIpv4 : kIpv6,
                        .interface = static_cast<std::uint32_t>(received.interface.id())});
}

}  // namespace transom::sockets
