#include "drivers/judge/acknowledgment_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

namespace {

// Which block holds the first one, if any; else 0.
std::size_t block_around_duplicate(const Segment& segment, const StreamNumbers& numbers) {
  const auto blocks = segment.header().options.sacks();
  const Position left = numbers.position(blocks[0].left), right = numbers.position(blocks[0].right);
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    if (left < right && left >= numbers.position(blocks[i].left) &&
        right <= numbers.position(blocks[i].right))
      return i;
  }
  return 0;
}

}  // namespace

bool has_duplicate_block(const Segment& segment, const StreamNumbers& numbers) {
  const auto blocks = segment.header().options.sacks();
  if (blocks.empty() || !segment.ack) return false;
  if (numbers.position(blocks[0].right) <= *segment.ack) return true;
  return block_around_duplicate(segment, numbers) != 0;
}

void AcknowledgmentRules::judge(const Scene& scene) {
  unseen_.judge(scene);
  if (!scene.segment.ack || scene.segment.flags().rst) return;
  judge_number(scene);
  judge_blocks(scene);
  judge_reneging(scene);
}

void AcknowledgmentRules::judge_number(const Scene& scene) {
  const Segment& segment = scene.segment;
  const Position ack = *segment.ack;
  if (scene.from.acked && ack < *scene.from.acked && *scene.from.acked <= scene.to.sent_end &&
      segment.is_latest)
    scene.report.violation(rule::kAckBackwards, segment, "acknowledges {} after {}", ack, *scene.from.acked);
  // Nothing can be said about what was sent before the capture began, or where it does not pass.
  if (!scene.to.is_from_start() || !scene.to.has_sent) return;
  const Position from = std::max<Position>(scene.from.acked.value_or(0), 0);
  for (const PositionRange& hole : scene.to.sent.missing(from, ack)) {
    if (scene.to.damaged.contains(hole.begin, hole.end)) {
      const std::string text =
          fmt::format("acknowledges {}:{}, whose checksum was wrong", hole.begin, hole.end);
      if (scene.shows_what_came())
        scene.report.violation_if_complete(rule::kBadChecksumAccepted, segment, "{}", text);
      else
        scene.report.unknown(rule::kBadChecksumAccepted, segment, "{}; or the capture missed another copy",
                             text);
    } else if (hole.begin >= scene.to.sent_end) {
      unseen_.claim(scene, rule::kAckBeyondSent, hole,
                    fmt::format("acknowledges {}, sent were {}", ack, scene.to.sent_end));
    } else {
      unseen_.claim(scene, rule::kAckBeyondReceived, hole,
                    fmt::format("acknowledges {}, though {}:{} has not passed", ack, hole.begin, hole.end));
    }
  }
}

void AcknowledgmentRules::judge_blocks(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto blocks = segment.header().options.sacks();
  if (blocks.empty() || !scene.to.numbers.is_anchored()) return;
  const bool has_duplicate = has_duplicate_block(segment, scene.to.numbers);
  if (has_duplicate && block_around_duplicate(segment, scene.to.numbers) > 1)
    scene.report.noteworthy(rule::kDuplicateApart, segment, "it is block {}",
                            block_around_duplicate(segment, scene.to.numbers) + 1);
  std::vector<PositionRange> seen;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const PositionRange block{scene.to.numbers.position(blocks[i].left),
                              scene.to.numbers.position(blocks[i].right)};
    if (block.begin >= block.end) {
      scene.report.violation(rule::kSackInverted, segment, "block {}:{}", block.begin, block.end);
      continue;
    }
    if (i == 0 && has_duplicate) continue;
    if (block.begin <= *segment.ack) {
      scene.report.violation(rule::kSackBelowAck, segment, "block {}:{} and acknowledgment {}", block.begin,
                             block.end, *segment.ack);
      continue;
    }
    for (const PositionRange& earlier : seen) {
      if (block.begin < earlier.end && earlier.begin < block.end)
        scene.report.violation(rule::kSackOverlap, segment, "blocks {}:{} and {}:{}", earlier.begin,
                               earlier.end, block.begin, block.end);
    }
    seen.push_back(block);
    if (!scene.to.is_from_start() || !scene.to.has_sent) continue;
    for (const PositionRange& hole : scene.to.sent.missing(block.begin, block.end)) {
      const bool is_beyond = hole.begin >= scene.to.sent_end;
      unseen_.claim(scene, is_beyond ? rule::kSackBeyondSent : rule::kSackBeyondReceived, hole,
                    fmt::format("reports {}:{}, of which {}:{} has not passed", block.begin, block.end,
                                hole.begin, hole.end));
    }
  }
}

// RFC 2018 §8 allows it; as long as not all blocks fit, nothing can be said.
void AcknowledgmentRules::judge_reneging(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto blocks = segment.header().options.sacks();
  const std::size_t room = segment.header().options.timestamps ? 3 : 4;
  if (!segment.is_latest || blocks.empty() || blocks.size() >= room) return;
  PositionRanges reported;
  for (const wire::SackBlock& block : blocks)
    reported.add(scene.to.numbers.position(block.left), scene.to.numbers.position(block.right));
  for (const PositionRange& before : scene.from.sacked.list()) {
    const Position begin = std::max(before.begin, *segment.ack);
    if (begin < before.end && !reported.contains(begin, before.end))
      return scene.report.noteworthy(rule::kReneging, segment, "does not report {}:{} any more", begin,
                                     before.end);
  }
}

void DelayedAckRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (scene.to.is_captured_here && segment.text_length() > 0) text_came(scene);
  if (!scene.from.is_captured_here || !segment.ack || segment.flags().rst || segment.flags().syn) return;
  OneSide& side = sides_[index_of(segment.side)];
  if (side.awaited && *segment.ack >= *side.awaited) {
    const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(segment.time() - side.since);
    constexpr std::chrono::milliseconds kLimit{500}, kTolerance{25};
    if (late > kLimit + kTolerance)
      scene.report.violation_if_complete(rule::kAckLate, segment, "acknowledges {} after {} ms",
                                         *side.awaited, late.count());
    side.awaited.reset();
  }
  if (scene.from.acked && *segment.ack > *scene.from.acked) {
    ++side.acknowledgments;
    const std::uint32_t mss = largest_segment(scene.from);
    constexpr std::uint64_t kJudged = 16;  // acknowledgments
    if (mss > 0 && *segment.ack - *scene.from.acked > 2 * static_cast<Position>(mss)) ++side.rare;
    if (side.acknowledgments == kJudged && side.rare > kJudged / 2)
      scene.report.noteworthy(rule::kAckRare, segment,
                              "{} of {} acknowledgments cover more than two segments", side.rare, kJudged);
  }
}

void DelayedAckRules::text_came(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(other(segment.side))];
  if (segment.is_repeat) {
    side.awaited.reset();  // the first copy was not taken: a buffer was full, or nobody had accepted
  } else if (!side.awaited && segment.is_verified() && scene.to.acked &&
             segment.text_begin == *scene.to.acked && scene.to.at_least.state() == tcp::State::kEstablished) {
    side.awaited = segment.text_end;
    side.since = segment.time();
  }
}

}  // namespace transom::drivers::judge
