// The option of accurate ECN (RFC 9768 §3.2.3): counters of 24 bits that say how many octets of text have
// come in packets with ECT(0), CE and ECT(1).
//
// Each lies between the text with that mark that was acknowledged and all of it that passed. That is known
// where the capture was taken at the end that counts: behind it packets are lost, and marked.
#pragma once

#include <deque>

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class AccurateEcnOctets {
 public:
  void judge(const Scene& scene);

 private:
  struct Text {
    Position begin = 0, end = 0;
    std::uint8_t mark = 0;  // the ECN field
  };
  struct OneSide {
    // Octets, by mark: that it has sent; of the peer's, those that it has acknowledged, and what it has
    // counted at the least.
    std::array<std::uint64_t, 4> passed{}, acknowledged{}, least{};
    std::deque<Text> text;     // not acknowledged yet, and sent once or with one mark only
    bool is_given_up = false;  // what it counts is not followed any more
  };
  static constexpr std::size_t kMaxText = 4096;

  void see(const Scene& scene);
  void judge_count(const Scene& scene, std::uint8_t mark, std::uint32_t field);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
