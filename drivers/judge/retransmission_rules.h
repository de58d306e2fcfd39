// When retransmissions are sent (RFC 6298, RFC 5681 §3.1).
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

class RetransmissionRules {
 public:
  void judge(const Scene& scene);
  // An ICMP error told one end that its packets do not arrive: RFC 6069 lets it take a back-off back.
  void unreachable();
  // Between data and its acknowledgment, as seen where the capture was taken: no more than the whole way.
  std::optional<Duration> least_round_trip(Side sender) const {
    return sides_[index_of(sender)].least_round_trip;
  }

 private:
  struct OneSide {
    // One segment that is sent again and again, while the peer says nothing.
    Position begin = 0;
    std::vector<Duration> repeats;
    std::optional<Duration> last_time;  // when it last passed
    Position last_begin = 0, last_end = 0;
    // The first new text since the peer was last heard.
    std::optional<Position> first_new;
    Duration first_new_time{};
    // The last gap between repeats that were then acknowledged. Until a round trip is measured, the timeout
    // is twice as long.
    std::optional<Duration> backed_off;
    // A round trip that is being measured.
    std::optional<Position> timed_end;
    Duration timed_since{};
    std::optional<Duration> least_round_trip;
    // Since the peer was last heard.
    bool is_after_timeout = false;
    Position sent_after_timeout = 0;
  };
  void peer_is_heard(const Scene& scene);
  void judge_repeat(const Scene& scene, OneSide& side);
  void judge_back_off(const Scene& scene, OneSide& side);
  void judge_karn(const Scene& scene, OneSide& side);
  void judge_loss_window(const Scene& scene, OneSide& side);

  std::array<OneSide, 2> sides_;
};

}  // namespace transom::drivers::judge
