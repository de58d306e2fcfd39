// Two devices joined by a link of the simulated network: what one receives, the other sends, after the link's
// rate, queue, loss and delay. With TAP or TUN devices and the machine's clock, two kernels' stacks talk over
// it; with devices in memory it runs in virtual time.
//
//   kernel ── device 0 ── Channel forth ─► device 1 ── kernel
//                      ◄─ Channel back  ──
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <string>

#include "drivers/device.h"
#include "drivers/sim/channel.h"

namespace transom::drivers::sim {

class EmulatedLink {
 public:
  struct Options {
    ChannelOptions forth;  // from the first device to the second
    ChannelOptions back;
    Seed seed{};
  };
  // The devices must be of the same type. On failure: a line that says what is wrong.
  static std::expected<std::unique_ptr<EmulatedLink>, std::string> make(
      std::array<std::unique_ptr<Device>, 2> devices, const Options& options);

  // Takes what has arrived at both devices, and sends what is due.
  void serve(Instant now);
  // When serve() is to be called, unless a device becomes readable before.
  Instant next_deadline() const;

  Device& device(std::size_t end) { return *devices_[end]; }
  const Channel& forth() const { return *channels_[0]; }
  const Channel& back() const { return *channels_[1]; }
  // Frames that a device had no room for in the end.
  std::uint64_t overflows() const { return overflows_; }

 private:
  static constexpr std::size_t kMaxWaiting = 1000;  // frames, for a device that takes none

  EmulatedLink() = default;

  BufferPool pool_;
  std::array<std::unique_ptr<Device>, 2> devices_;
  std::array<std::unique_ptr<Channel>, 2> channels_;  // [i]: from device i to the other
  std::array<PacketQueue, 2> waiting_;                // to be sent by device i
  std::uint64_t overflows_ = 0;
};

}  // namespace transom::drivers::sim
