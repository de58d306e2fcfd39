#include "drivers/fault_device.h"

#include "drivers/frame_layout.h"
#include "stack/link/segmentation.h"

namespace transom::drivers {

namespace {

constexpr Duration kRetryInterval = std::chrono::milliseconds(1);

}  // namespace

FaultDevice::FaultDevice(std::unique_ptr<Device> device, const FaultOptions& options)
    : device_(std::move(device)),
      type_(device_->properties().type),
      in_(options, 0, type_),
      out_(options, 1, type_) {}

DeviceProperties FaultDevice::properties() const {
  DeviceProperties properties = device_->properties();
  properties.offloads = {};
  return properties;
}

void FaultDevice::put(FaultLine& line, Packet frame, Instant now) {
  const bool is_on_wire = frame.info().segment_size == 0 && frame.info().checksum != ChecksumState::kPartial;
  const auto ip_offset = ip_offset_of(frame.head(), type_);
  if (is_on_wire || !ip_offset) return line.put(std::move(frame), now);
  PacketQueue segments;
  BufferPool& pool = frame.pool();
  // Out of buffers: lost, as on any busy machine. The pool counts it.
  link::segment(pool, std::move(frame), *ip_offset, true, segments);
  while (!segments.empty()) line.put(segments.pop(), now);
}

std::size_t FaultDevice::receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) {
  PacketQueue arrived;
  device_->receive(pool, arrived, limit, now);
  while (!arrived.empty()) put(in_, arrived.pop(), now);
  return in_.take(frames, limit, now);
}

void FaultDevice::transmit(PacketQueue& frames, Instant now) {
  // While the device is full, frames stay with the caller, who then waits for it to become writable.
  if (outgoing_.empty()) {
    while (!frames.empty()) put(out_, frames.pop(), now);
  }
  out_.take(outgoing_, SIZE_MAX, now);
  device_->transmit(outgoing_, now);
  // When the caller has nothing more to send, nobody else would come back for the rest.
  retry_at_ = outgoing_.empty() ? kNever : now + kRetryInterval;
}

Instant FaultDevice::next_deadline() const {
  return std::min({device_->next_deadline(), in_.next_deadline(), out_.next_deadline(), retry_at_});
}

}  // namespace transom::drivers
