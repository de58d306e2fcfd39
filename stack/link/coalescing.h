// Joining what arrives together: TCP segments of one flow, each behind the other, become one super-segment
// before they go up, and all layers look at one packet instead of forty. It is the reverse of
// segmentation.h, and what Linux calls GRO, for devices that do not do it themselves.
#pragma once

#include <optional>

#include "stack/base/packet.h"
#include "stack/link/segment_headers.h"

namespace transom::link {

// A frame and the segments that have been joined to it. What is joined could be cut again by segment() into
// the very same segments but for their IP identification: all but the last are full, headers differ in
// nothing but lengths, sequence number, checksum, PSH of the last. Checksums are verified on the way; the
// payload is copied, once, into a large buffer.
class SegmentRun {
 public:
  // `ip_offset`: octets of link header in front of the IP header.
  SegmentRun(BufferPool& pool, std::size_t ip_offset, Packet frame)
      : pool_(pool), ip_offset_(ip_offset), packet_(std::move(frame)) {}

  // Takes a copy of `frame`'s payload behind what there is, if it continues it. False, and nothing is
  // changed, if it does not, if its checksum is wrong or there is no room: it is for a run of its own.
  bool join(const Packet& frame);
  // The frame as it came, or the super-segment.
  Packet take() &&;

 private:
  struct Segment {
    SegmentHeaders::Fields fields;
    std::size_t payload = 0;
  };
  std::optional<SegmentHeaders> headers_to_join() const;
  bool begin();
  bool read(const Packet& frame, Segment& segment) const;
  bool join_two(const Packet& frame, const Segment& segment);
  bool append(const Packet& frame, const Segment& segment);

  BufferPool& pool_;
  std::size_t ip_offset_;
  Packet packet_;
  std::optional<SegmentHeaders> headers_;
  Segment first_;  // with PSH if the last one has it
  std::uint32_t next_sequence_ = 0;
  bool is_joined_ = false;  // packet_ is in a large buffer of ours
  bool has_ended_ = false;  // nothing can follow
};

}  // namespace transom::link
