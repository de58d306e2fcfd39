// A decorator that makes the link behind a device bad, both ways, reproducibly from a seed.
//
// Faults happen to frames on the wire. So the device is presented without offloads, which makes the stack
// send frames of MTU size with complete checksums; and what arrives as a super-frame, or with a partial
// checksum, is cut and completed first. Corruption is therefore always visible to a receiver that checks.
#pragma once

#include "drivers/device.h"
#include "drivers/fault_line.h"

namespace transom::drivers {

class FaultDevice final : public Device {
 public:
  FaultDevice(std::unique_ptr<Device> device, const FaultOptions& options);

  DeviceProperties properties() const override;
  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override;
  void transmit(PacketQueue& frames, Instant now) override;
  int descriptor() const override { return device_->descriptor(); }
  Instant next_deadline() const override;
  DeviceStatistics statistics() const override { return device_->statistics(); }
  const DeviceError* failure() const override { return device_->failure(); }

  const FaultStatistics& received() const { return in_.statistics(); }
  const FaultStatistics& sent() const { return out_.statistics(); }

 private:
  void put(FaultLine& line, Packet frame, Instant now);

  std::unique_ptr<Device> device_;
  link::LinkType type_;
  FaultLine in_;
  FaultLine out_;
  PacketQueue outgoing_;  // through the line, but the device was full
  Instant retry_at_ = kNever;
};

}  // namespace transom::drivers
