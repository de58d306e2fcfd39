// The translation between struct virtio_net_hdr, which the kernel puts in front of every frame of a TAP or
// TUN device opened with IFF_VNET_HDR, and PacketInfo. Pure functions (virtio 1.2 §5.1.6).
#pragma once

#include "stack/base/packet.h"
#include "stack/link/interface.h"

namespace transom::drivers {

// Laid out as the kernel's struct, in the machine's byte order: it is read and written as it is. (The
// kernel's own header does not compile as C++.)
struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kDataValid = 2;
  static constexpr std::uint8_t kGsoNone = 0;
  static constexpr std::uint8_t kGsoTcpv4 = 1;
  static constexpr std::uint8_t kGsoTcpv6 = 4;
  static constexpr std::uint8_t kGsoUdp =
      5;  // datagrams: never asked for, and sent along veth pairs all the same
  static constexpr std::uint8_t kGsoEcn = 0x80;  // added to the type: the first segment only keeps CWR

  std::uint8_t flags = 0;
  std::uint8_t gso_type = kGsoNone;
  std::uint16_t header_length = 0;    // of all headers in front of the TCP payload; a hint
  std::uint16_t gso_size = 0;         // payload octets per segment
  std::uint16_t checksum_start = 0;   // from the start of the frame
  std::uint16_t checksum_offset = 0;  // of the field, from checksum_start
};
static_assert(sizeof(VnetHeader) == 10);

// What a sender asks of the device, from `frame`'s info and headers. False when something is asked but the
// headers are not ones that it can be asked for: such a frame cannot be sent.
bool make_vnet_header(const Packet& frame, link::LinkType type, VnetHeader& header);

// Sets `frame`'s info from what the device says about it. Nothing is believed: false, and the frame is to be
// dropped, when the header points outside of the frame, contradicts the frame's own headers, or has an
// offload that was not asked for.
//
// A partial checksum that is not the one of the outermost transport header (a tunnel's inner packet) is
// completed here.
bool apply_vnet_header(const VnetHeader& header, link::LinkType type, Packet& frame);

}  // namespace transom::drivers
