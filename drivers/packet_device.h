// An Ethernet interface of the kernel that is not a TAP: a network card, or one end of a veth pair. Frames
// are taken from a packet socket's ring (packet_ring.h) and sent by sendmmsg(), both with a virtio_net_hdr:
// super-frames and partial checksums cross whole, and what the interface cannot do the kernel does for it.
//
// The kernel sees every frame, too. So that it does not answer, the Host has a MAC address of its own on the
// interface: what is sent to that the kernel's IP takes for another machine's. The addresses of the Host must
// not be the kernel's. Only frames for this MAC address and for groups are received; with the interface's own
// address as `mac`, for networks that let one only pass, the kernel must not be a router (ip_forward) and is
// best left without an address on the interface.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "drivers/device.h"

namespace transom::drivers {

struct PacketOptions {
  std::string interface;                         // exists, and is up
  std::optional<MacAddress> mac = std::nullopt;  // of the Host; none: derived from the interface's
  // False: frames are cut and checksums made by us before they are sent. What is received may be
  // super-frames all the same: whoever is at the other end of a veth pair decides that (`ethtool -K`).
  bool offload = true;
};

// Needs CAP_NET_RAW. The interface is left as it is.
std::expected<std::unique_ptr<Device>, DeviceError> open_packet_device(const PacketOptions& options);

}  // namespace transom::drivers
