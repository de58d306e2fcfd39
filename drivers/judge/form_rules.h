// Rules that need no more than one segment, and what was agreed on: its flags, its options, its size.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

void judge_flags(const Scene& scene);
void judge_options(const Scene& scene);

// RFC 9293 §3.7.1, RFC 6691. A segment that is too long may be a super-packet, which a device cuts behind the
// capture. The IPv4 identifications tell: they go on by one for each packet on the wire.
class SegmentSizeRule {
 public:
  void judge(const Scene& scene);
  void end(Report& report);

 private:
  struct Suspect {
    Report::Place place;
    std::uint16_t identification = 0;
    std::uint32_t size = 0, limit = 0;
  };
  struct OneSide {
    std::optional<std::uint16_t> identification;  // of the segment before
    std::optional<Suspect> suspect;
  };
  static void decide(Report& report, const Suspect& suspect, bool is_one_packet);

  std::array<OneSide, 2> sides_;
};

// RFC 9293 §3.8.5.
class UrgentRule {
 public:
  void judge(const Scene& scene);

 private:
  std::array<std::optional<Position>, 2> urgent_;
};

}  // namespace transom::drivers::judge
