// An Ethernet interface of the kernel by AF_XDP: what arrives there comes to us before the kernel's network
// sees it, in memory that is shared with the kernel. So the Host may have the interface's own MAC address,
// and the kernel answers nothing.
//
// Copy mode only, on the one receive queue that the interface must have. There is no word about checksums or
// segments beside a frame, so that there are no offloads: who sends to us must have made the checksums. The
// kernel at the other end of a veth pair does not, unless it is told to: `ethtool -K PEER tx off`. Frames of
// at most 3,500 octets of MTU.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "drivers/device.h"

namespace transom::drivers {

struct XdpOptions {
  std::string interface;                         // exists, and is up
  std::optional<MacAddress> mac = std::nullopt;  // of the Host; none: the interface's
};

// Needs root outside of user namespaces: CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF. While the device is open,
// the interface has an XDP program; it must not have another.
std::expected<std::unique_ptr<Device>, DeviceError> open_xdp(const XdpOptions& options);

}  // namespace transom::drivers
