#include "socket_api/packetdrill/script_device.h"

namespace transom::sockets {

std::size_t ScriptDevice::receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant) {
  std::size_t count = 0;
  for (; count < limit && !arriving_.empty(); ++count) {
    if (Packet packet = pool.copy_of(arriving_.front())) frames.push(std::move(packet));
    arriving_.pop_front();
  }
  return count;
}

void ScriptDevice::transmit(PacketQueue& frames, Instant now) {
  while (Packet packet = frames.pop()) {
    std::vector<std::uint8_t> octets(packet.size());
    packet.copy_out(0, octets);
    sent_.push_back({std::move(octets), now});
  }
}

}  // namespace transom::sockets
