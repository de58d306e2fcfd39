#include "drivers/judge/window_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void WindowRules::judge(const Scene& scene) {
  if (scene.segment.is_copy || scene.segment.flags().rst) return;
  judge_text(scene);
  judge_probes(scene);
  judge_tinygrams(scene);
  judge_offer(scene);
}

void WindowRules::judge_text(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.begin == segment.end || segment.flags().syn || !scene.to.edge || !scene.agreed.is_known) return;
  const Position beyond = segment.end - *scene.to.edge;
  if (beyond <= 0 || segment.end <= scene.from.sent_end) return;
  // RFC 9293 §3.8.6.1: a probe of one octet. A FIN takes no room in the buffer; many send it all the same.
  if (beyond == 1 && (segment.text_length() == 1 || segment.flags().fin)) return;
  scene.report.violation_if_complete(rule::kBeyondWindow, segment, "sends up to {}, offered was {}",
                                     segment.end, *scene.to.edge);
}

void WindowRules::judge_offer(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (!segment.ack || !segment.window || !scene.from.edge) return;
  const Position edge = *segment.ack + static_cast<Position>(*segment.window);
  // A window is cut to the unit of its scale: that much may be taken back (RFC 7323 §2.4).
  const std::uint8_t shift =
      scene.agreed.scaled ? std::min<std::uint8_t>(scene.from.syn().options.window_scale.value_or(0), 14) : 0;
  const Position unit = Position{1} << shift;
  if (segment.is_latest && edge + unit <= *scene.from.edge)
    scene.report.noteworthy(rule::kWindowShrunk, segment, "offers up to {} after {}", edge, *scene.from.edge);

  OneSide& side = sides_[index_of(segment.side)];
  const bool opens = scene.from.window == 0U && *segment.window > 0 && scene.to.acked;
  const std::uint64_t enough =
      std::min<std::uint64_t>(largest_segment(scene.from), scene.from.largest_window / 2);
  constexpr std::uint32_t kTolerated = 2;
  if (opens && *segment.window + static_cast<std::uint64_t>(unit) <= enough &&
      ++side.silly_openings > kTolerated)
    scene.report.noteworthy(rule::kSillyWindow, segment,
                            "opens a closed window by {} octets, for the {}th time", *segment.window,
                            side.silly_openings);
}

// RFC 9293 §3.8.6.1, SHLD-30: the interval grows exponentially. Five probes with like gaps do not.
void WindowRules::judge_probes(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(segment.side)];
  const bool is_closed = scene.to.window == 0U && scene.to.acked.has_value();
  const bool is_probe = is_closed && segment.text_length() <= 1 && !segment.flags().fin &&
                        !segment.flags().syn &&
                        (segment.begin == *scene.to.acked - 1 ||
                         (segment.begin == *scene.to.acked && segment.text_length() == 1));
  if (!is_closed) side.probes.clear();
  if (!is_probe) return;
  side.probes.push_back(segment.time());
  constexpr std::size_t kJudged = 6;
  if (side.probes.size() > kJudged) side.probes.erase(side.probes.begin());
  if (side.probes.size() < kJudged) return;
  const Duration first = side.probes[1] - side.probes[0];
  const Duration last = side.probes[kJudged - 1] - side.probes[kJudged - 2];
  if (last - last / 3 < first && last < std::chrono::seconds(50)) {
    scene.report.noteworthy(rule::kProbeBackOff, segment,
                            "{} probes of a closed window, the last two {} ms apart", kJudged,
                            std::chrono::duration_cast<std::chrono::milliseconds>(last).count());
    side.probes.clear();
  }
}

// RFC 9293 §3.7.4: the Nagle algorithm may be off, but so many tiny segments say that nobody gathers.
void WindowRules::judge_tinygrams(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.text_length() == 0) return;
  OneSide& side = sides_[index_of(segment.side)];
  constexpr std::uint32_t kTinyOctets = 8, kMany = 32;
  const bool is_tiny = segment.text_length() <= kTinyOctets && segment.text_begin == scene.from.sent_end &&
                       scene.to.acked && *scene.to.acked < scene.from.sent_end && scene.to.window != 0U;
  side.tiny = is_tiny ? side.tiny + 1 : 0;
  if (side.tiny == kMany)
    scene.report.noteworthy(rule::kTinygrams, segment, "{} segments of up to {} octets in a row, none waited",
                            kMany, kTinyOctets);
}

}  // namespace transom::drivers::judge
