// What an end has acknowledged or reported although it never passed the capture.
//
// Either the capture missed it, or the end lies. The peer tells: when it sends the part for the first time
// after all, or shows later that it had not got so far, the end could not have had it. When it never sends
// it, or sends it when it had come further, the capture has missed it (or the octets were lost and the lie
// goes unpunished): that stays unknown.
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class UnseenText {
 public:
  static constexpr std::size_t kMaxClaims = 32;  // of one side; when there are more, the oldest is given up

  // `scene.segment` says that it has `range` of the peer's stream, which has not passed.
  void claim(const Scene& scene, const Rule& rule, PositionRange range, std::string text);
  // A segment: does it show that an earlier claim of its receiver was false?
  void judge(const Scene& scene);
  void end(Report& report);

 private:
  struct Claim {
    const Rule* rule;
    PositionRange range;
    Report::Place place;
    ReceiptProof proof;
    bool is_within = false;  // the peer has sent what lies behind it
    std::string text;
  };
  static void give_up(Report& report, const Claim& claim);

  std::array<std::vector<Claim>, 2> claims_;  // by who claims
};

}  // namespace transom::drivers::judge
