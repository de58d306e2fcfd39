// Makes TCP segments of the fragments that they were captured in. No stack sends such, but routers cut what
// may be cut (RFC 791 §3.2), and hosts without path MTU discovery let them.
#pragma once

#include "drivers/replay/fragment_joiner.h"

namespace transom::drivers::replay {

// A fragment: which octets of what follows the IP header it carried, and whether more followed.
struct FragmentRange {
  std::size_t begin = 0, end = 0;
  bool has_more = false;
};

// Not to be copied: `packet` and `view` look at `octets`.
struct JoinedSegment {
  std::vector<std::uint8_t> octets;      // from an IP header on that says nothing of fragments
  CapturedPacket packet;                 // number and time are those of the fragment that came last
  PacketView view;                       // has TCP
  std::vector<FragmentRange> fragments;  // in the order in which they passed

  JoinedSegment() = default;
  JoinedSegment(const JoinedSegment&) = delete;
  JoinedSegment& operator=(const JoinedSegment&) = delete;
  JoinedSegment(JoinedSegment&&) = default;
  JoinedSegment& operator=(JoinedSegment&&) = default;
  ~JoinedSegment() = default;
};

class SegmentJoiner {
 public:
  static bool is_wanted(const PacketView& view) {
    return view.is_fragment && view.protocol == IpProtocol::kTcp;
  }
  // `view` is wanted. The segment, when this makes it whole. nullopt for ever where the header of TCP is not
  // all in the first fragment (RFC 1858 §3), or something was cut by the snap length.
  std::optional<JoinedSegment> add(const CapturedPacket& packet, const PacketView& view);

 private:
  static constexpr std::size_t kMaxSegments = 1024;
  static constexpr std::size_t kMaxFragments = 8192;  // of one segment: as many as there are offsets

  struct Pieces {
    std::vector<std::uint8_t> ip_header;  // of the first one
    std::vector<FragmentRange> fragments;
  };

  FragmentJoiner joiner_;
  std::map<FragmentKey, Pieces> unfinished_;
};

}  // namespace transom::drivers::replay
