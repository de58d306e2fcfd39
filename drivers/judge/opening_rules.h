// How a connection is opened and refused (RFC 9293 §3.5, §3.10.7.1 to §3.10.7.3; RFC 5961 §4; RFC 7413).
#pragma once

#include "drivers/judge/scene.h"

namespace transom::drivers::judge {

// What a connection of the same endpoints left behind.
struct PreviousConnection {
  // The side, of the connection that follows it, that closed first, when both FINs were acknowledged: it is
  // in TIME-WAIT (RFC 9293 §3.6.1).
  std::optional<Side> waits;
  Duration ended{};
  SeqNum peer_end;  // behind the last that the other side sent
  std::optional<std::uint32_t> peer_timestamp;
};

class OpeningRules {
 public:
  explicit OpeningRules(std::optional<PreviousConnection> previous) : previous_(previous) {}
  void judge(const Scene& scene);
  // A SYN that cannot belong to this connection came from the sender of `scene.segment`.
  void judge_foreign_syn(const Scene& scene, SeqNum sequence_behind);
  // The SYN at hand is answered with a connection of its own, or a reset. Returns whether this is such an
  // answer.
  bool accepts_foreign_syn(const Scene& scene);

 private:
  void judge_syn_ack(const Scene& scene);
  void judge_reset(const Scene& scene);
  void judge_text(const Scene& scene);

  std::optional<PreviousConnection> previous_;
  std::array<std::uint64_t, 2> syns_{}, resets_{};
  std::array<std::optional<Report::Place>, 2> early_text_;
  std::array<std::optional<SeqNum>, 2> foreign_;  // the number behind a SYN that came within the connection
};

}  // namespace transom::drivers::judge
