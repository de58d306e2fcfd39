// A TAP (Ethernet) or TUN (bare IP) device of the Linux kernel: what the kernel sends to the interface is
// received here, and the other way round.
//
// With offload, every frame has a virtio_net_hdr in front: the kernel leaves checksums to us and hands over
// TCP super-frames of up to 64 KiB whole, and does both for what we send. A kernel that grants only part of
// this is used with that part.
//
// One readv() fills a packet's head and, if the frame is longer, spare 64 KiB buffers behind it, one after
// the other: a small frame costs a small buffer, a super-frame is not copied, and what a super-frame leaves
// of its buffer serves the next.
#pragma once

#include <expected>
#include <optional>

#include "drivers/device.h"

namespace transom::drivers {

struct TapOptions {
  std::string name;  // made if missing, gone again when closed; empty: the kernel chooses
  bool tun = false;
  std::optional<std::uint32_t> mtu = std::nullopt;  // of the kernel interface; left as it is otherwise
  bool offload = true;
};

// The interface is not brought up and gets no address: see network_setup.h.
std::expected<std::unique_ptr<Device>, DeviceError> open_tap(const TapOptions& options);

}  // namespace transom::drivers
