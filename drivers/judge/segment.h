// A TCP segment of a capture, in the numbers of its connection.
#pragma once

#include "drivers/judge/passive_endpoint.h"

namespace transom::drivers::judge {

struct Segment {
  const CapturedPacket* packet = nullptr;
  const PacketView* view = nullptr;
  Side side = Side::kFirst;  // who sends it

  Position begin = 0, end = 0;  // what it occupies, SYN and FIN included
  Position text_begin = 0, text_end = 0;
  std::optional<Position> ack;          // in the stream of the peer
  std::optional<std::uint64_t> window;  // octets; nullopt when the scale is not known
  std::uint32_t option_octets = 0;
  bool is_copy = false;    // the very packet that passed before: doubled by the network or the capture
  bool is_latest = false;  // surely sent after every earlier segment of its side
  bool is_repeat = false;  // all that it occupies was sent before

  const wire::TcpHeader& header() const { return *view->tcp; }
  const wire::TcpFlags& flags() const { return view->tcp->flags; }
  Duration time() const { return packet->time; }
  std::uint64_t frame() const { return packet->number; }
  std::uint32_t text_length() const { return view->payload_length; }
  // Its checksum says that it was not damaged; else it could not be checked.
  bool is_verified() const {
    return view->transport_checksum == ChecksumVerdict::kGood ||
           view->transport_checksum == ChecksumVerdict::kUnfilled;
  }
  bool is_pure_ack() const { return begin == end && flags().ack && !flags().rst; }
  std::uint8_t ecn() const { return view->traffic_class & 3; }  // 0: not ECN-capable, 3: CE
};

// Whether a later segment of the other end proves that it has received something that was sent no earlier
// than a given segment.
class ReceiptProof {
 public:
  ReceiptProof() = default;
  // `sender`: before the segment.
  ReceiptProof(const Segment& segment, const PassiveEndpoint& sender);
  bool is_given_by(const Segment& answer) const;

 private:
  std::optional<Position> new_end_;
  std::optional<std::uint32_t> new_timestamp_;
};

}  // namespace transom::drivers::judge
