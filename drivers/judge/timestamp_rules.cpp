#include "drivers/judge/timestamp_rules.h"

namespace transom::drivers::judge {

namespace {
bool is_later(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }
}  // namespace

void TimestampRules::Clock::join(std::optional<std::uint32_t>& latest, std::uint32_t value) {
  if (!latest || is_later(value, *latest)) latest = value;
}

std::uint32_t TimestampRules::Clock::lag(std::uint32_t value, std::optional<Position> ack, bool is_in_order) {
  if (ack && level_ && *ack < *level_ && !is_in_order) return 0;
  if (ack && (!level_ || *ack > *level_)) {
    if (at_level_) join(below_, *at_level_);
    level_ = ack;
    at_level_.reset();
  }
  std::optional<std::uint32_t> earlier = below_;
  if (is_in_order && at_level_) join(earlier, *at_level_);
  join(at_level_, value);
  return earlier && is_later(*earlier, value) ? *earlier - value : 0;
}

void TimestampRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto& timestamps = segment.header().options.timestamps;
  // A reset may be sent without the connection's clock at hand (RFC 7323 §5.2).
  if (!timestamps || segment.flags().rst) return;
  const std::size_t side = index_of(segment.side);
  const bool is_in_order = scene.from.is_captured_here;
  const std::uint32_t lag = values_[side].lag(timestamps->value, segment.ack, is_in_order);
  if (lag != 0)
    scene.report.violation(rule::kTimestampBackwards, segment, "timestamp {} after {}", timestamps->value,
                           timestamps->value + lag);
  judge_claim(scene, timestamps->value);
  if (!segment.flags().ack) return;
  if (scene.to.latest_timestamp && scene.to.is_from_start() &&
      is_later(timestamps->echo, *scene.to.latest_timestamp)) {
    const std::string text =
        fmt::format("echoes {}, the latest that came is {}", timestamps->echo, *scene.to.latest_timestamp);
    if (scene.shows_what_was_sent())
      scene.report.violation_if_complete(rule::kEchoUnseen, segment, "{}", text);
    else if (!claims_[side])
      claims_[side] =
          Claim{Report::Place(segment), ReceiptProof(segment, scene.from), timestamps->echo, text};
    return;
  }
  const std::uint32_t echo_lag = echoes_[side].lag(timestamps->echo, segment.ack, is_in_order);
  if (echo_lag != 0)
    scene.report.violation(rule::kEchoBackwards, segment, "echoes {} after {}", timestamps->echo,
                           timestamps->echo + echo_lag);
}

void TimestampRules::judge_claim(const Scene& scene, std::uint32_t value) {
  auto& claim = claims_[index_of(other(scene.segment.side))];
  if (!claim || scene.segment.is_copy) return;
  if (!is_later(claim->echo, value)) {
    give_up(scene.report, *claim);
  } else if (claim->proof.is_given_by(scene.segment)) {
    scene.report.add(
        rule::kEchoUnseen, Verdict::kViolation, true, claim->place,
        fmt::format("{}; in frame {} it has come to {} only", claim->text, scene.segment.frame(), value));
  } else {
    return;
  }
  claim.reset();
}

void TimestampRules::give_up(Report& report, const Claim& claim) {
  report.add(rule::kEchoUnseen, Verdict::kUnknown, false, claim.place,
             fmt::format("{}; or the capture has missed it", claim.text));
}

void TimestampRules::end(Report& report) {
  for (auto& claim : claims_) {
    if (claim) give_up(report, *claim);
    claim.reset();
  }
}

}  // namespace transom::drivers::judge
