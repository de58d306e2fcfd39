#include "drivers/judge/retransmission_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

using std::chrono::milliseconds;
using std::chrono::seconds;

void RetransmissionRules::unreachable() {
  for (OneSide& side : sides_) {
    side.repeats.clear();
    side.backed_off.reset();
  }
}

void RetransmissionRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  peer_is_heard(scene);
  if (segment.begin == segment.end || segment.flags().rst) return;
  OneSide& side = sides_[index_of(segment.side)];
  if (segment.is_repeat) {
    judge_repeat(scene, side);
  } else {
    side.repeats.clear();
    if (!side.first_new) {
      side.first_new = segment.begin;
      side.first_new_time = segment.time();
    }
    if (!side.timed_end) {
      side.timed_end = segment.end;
      side.timed_since = segment.time();
    }
  }
  judge_loss_window(scene, side);
  side.last_time = segment.time();
  side.last_begin = segment.begin;
  side.last_end = segment.end;
}

void RetransmissionRules::peer_is_heard(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& peer = sides_[index_of(other(segment.side))];
  if (peer.repeats.size() >= 2 && segment.ack && *segment.ack > peer.begin)
    peer.backed_off = peer.repeats.back() - peer.repeats[peer.repeats.size() - 2];
  peer.first_new.reset();
  peer.repeats.clear();
  peer.last_time.reset();
  peer.is_after_timeout = false;
  if (peer.timed_end && segment.ack && *segment.ack >= *peer.timed_end) {
    const Duration round_trip = segment.time() - peer.timed_since;
    peer.least_round_trip = std::min(peer.least_round_trip.value_or(round_trip), round_trip);
    peer.timed_end.reset();
    peer.backed_off.reset();
  }
}

void RetransmissionRules::judge_repeat(const Scene& scene, OneSide& side) {
  const Segment& segment = scene.segment;
  side.timed_end.reset();  // Karn: what is sent twice says nothing (RFC 6298 §3)
  const bool is_probe = scene.to.window == 0U || segment.end <= scene.to.acked.value_or(0);
  if (!is_probe && side.last_time && side.last_begin == segment.begin && side.least_round_trip &&
      segment.time() - *side.last_time < *side.least_round_trip && segment.end == side.last_end)
    scene.report.noteworthy(
        rule::kEarlyRetransmission, segment,
        "sends {}:{} again after {} us, the shortest round trip took {} us", segment.begin, segment.end,
        std::chrono::duration_cast<std::chrono::microseconds>(segment.time() - *side.last_time).count(),
        std::chrono::duration_cast<std::chrono::microseconds>(*side.least_round_trip).count());
  judge_karn(scene, side);
  judge_back_off(scene, side);
}

// Karn: an acknowledgment of what was sent twice measures nothing, so that the timeout stays as long as it
// had become. Judged where it is known for certain: at the sender, without timestamps, which measure all the
// same, and without the tail loss probes that SACK allows (RFC 8985 §7).
void RetransmissionRules::judge_karn(const Scene& scene, OneSide& side) {
  const Segment& segment = scene.segment;
  if (!side.backed_off || !side.first_new || segment.begin != *side.first_new ||
      !scene.from.is_captured_here || !scene.agreed.is_known || scene.agreed.timestamps ||
      scene.to.window == 0U)
    return;
  const auto permits = [](const wire::TcpHeader& syn) { return syn.options.sack_permitted; };
  if (any_syn(scene.from, permits) && any_syn(scene.to, permits)) return;
  const Duration after = segment.time() - side.first_new_time;
  if (after < *side.backed_off)
    scene.report.violation_if_complete(rule::kBackOffForgotten, segment,
                                       "sent again after {} ms, the timeout before had come to {} ms",
                                       std::chrono::duration_cast<milliseconds>(after).count(),
                                       std::chrono::duration_cast<milliseconds>(*side.backed_off).count());
  side.backed_off.reset();
}

// A repeat may be lost before it passes the capture, so that a gap is the sum of several; but of gaps that
// double, the third is always more than twice the first. Twice in a row, since a user timeout may cut the
// last one short.
void RetransmissionRules::judge_back_off(const Scene& scene, OneSide& side) {
  const Segment& segment = scene.segment;
  if (side.repeats.empty() || side.begin != segment.begin) {
    side.repeats.clear();
    side.begin = segment.begin;
  }
  side.repeats.push_back(segment.time());
  constexpr std::size_t kJudged = 5;
  if (side.repeats.size() > kJudged) side.repeats.erase(side.repeats.begin());
  if (side.repeats.size() < kJudged) return;
  const auto gap = [&](std::size_t i) { return side.repeats[i + 1] - side.repeats[i]; };
  // RFC 6298 (2.5): there may be a maximum, of at least 60 s.
  const auto backs_off = [&](std::size_t i) {
    return gap(i + 2) - gap(i + 2) / 3 >= gap(i) || gap(i + 2) > seconds(55);
  };
  if (backs_off(0) || backs_off(1)) return;
  const auto text = fmt::format("sent 5 times more, the last two {} ms apart",
                                std::chrono::duration_cast<milliseconds>(gap(3)).count());
  if (segment.flags().syn)  // Linux sends the first SYNs at even intervals
    scene.report.noteworthy(rule::kNoBackOff, segment, "{}", text);
  else
    scene.report.violation_if_complete(rule::kNoBackOff, segment, "{}", text);
  side.repeats.clear();
}

// RFC 5681 §3.1: after a timeout, one segment. Judged at the sender only: elsewhere nobody knows what it had
// heard.
void RetransmissionRules::judge_loss_window(const Scene& scene, OneSide& side) {
  const Segment& segment = scene.segment;
  if (!scene.from.is_captured_here || !side.least_round_trip || segment.text_length() == 0) return;
  if (side.is_after_timeout) {
    side.sent_after_timeout += segment.text_length();
    constexpr Position kAllowed = 4;  // segments
    if (side.sent_after_timeout > kAllowed * static_cast<Position>(largest_segment(scene.to))) {
      scene.report.violation_if_complete(
          rule::kLossWindow, segment, "{} octets without an answer after a timeout", side.sent_after_timeout);
      side.is_after_timeout = false;
    }
    return;
  }
  if (!segment.is_repeat || !scene.from.last_sent || !scene.to.last_sent) return;
  const Duration silence = segment.time() - std::max(*scene.from.last_sent, *scene.to.last_sent);
  if ((silence - seconds(1)) / 2 > *side.least_round_trip) {
    side.is_after_timeout = true;
    side.sent_after_timeout = segment.text_length();
  }
}

}  // namespace transom::drivers::judge
