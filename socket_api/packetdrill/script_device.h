// The device between a stack and a script: bare IP packets in, and out with the time at which they left.
#pragma once

#include <deque>
#include <vector>

#include "drivers/device.h"

namespace transom::sockets {

class ScriptDevice final : public drivers::Device {
 public:
  struct Sent {
    std::vector<std::uint8_t> octets;
    Instant time;
  };

  explicit ScriptDevice(std::uint32_t mtu) : mtu_(mtu) {}

  // `packet` arrives when the device is next served.
  void arrive(Bytes packet) { arriving_.emplace_back(packet.begin(), packet.end()); }
  // What was sent and not yet taken, the oldest first.
  std::deque<Sent>& sent() { return sent_; }

  drivers::DeviceProperties properties() const override {
    return {.type = link::LinkType::kPointToPoint, .name = "tun0", .mac = {}, .mtu = mtu_, .offloads = {}};
  }
  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override;
  void transmit(PacketQueue& frames, Instant now) override;

 private:
  std::uint32_t mtu_;
  std::deque<std::vector<std::uint8_t>> arriving_;
  std::deque<Sent> sent_;
};

}  // namespace transom::sockets
