// A decorator that writes what passes a device, both ways, to a capture file, pcap or pcapng, with nanosecond
// times.
//
// The file shows the wire: a super-frame is written as the segments that it stands for, and a partial
// checksum is written completed, so that a reader finds neither oversize packets nor bad checksums. What
// passes is not changed.
#pragma once

#include <expected>
#include <functional>

#include "drivers/device.h"

namespace transom::drivers {

struct CaptureOptions {
  // Replaced if it exists; "-" is standard output. The name says the format, as CaptureWriter reads it.
  std::string path;
  std::uint32_t snap_length = 262144;  // octets kept of each frame
  // Turns the Instants that the device is called with into nanoseconds since 1970-01-01 UTC.
  std::function<Duration(Instant)> wall_clock = [](Instant now) { return now.time_since_epoch(); };
  // Told once, when something is missing from the file (the disk is full); frames go on passing. May be
  // empty.
  std::function<void(const DeviceError&)> on_error = nullptr;
};

// The file is written out soon after a frame has passed, and when the device is destroyed.
std::expected<std::unique_ptr<Device>, DeviceError> make_capture(std::unique_ptr<Device> device,
                                                                 CaptureOptions options);

}  // namespace transom::drivers
