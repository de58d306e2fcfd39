#include "drivers/judge/form_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

void judge_flags(const Scene& scene) {
  const Segment& segment = scene.segment;
  const wire::TcpFlags& flags = segment.flags();
  Report& report = scene.report;
  const std::uint8_t offset_octet = segment.packet->octets[segment.view->transport_offset + 12];
  if ((offset_octet & 0x0e) != 0)  // the fourth is AE of RFC 9768
    report.violation(rule::kReservedBits, segment, "the reserved bits are {:#x}", offset_octet & 0x0e);
  if (flags.syn && (flags.fin || flags.rst))
    report.noteworthy(rule::kFlags, segment, "SYN together with {}", flags.fin ? "FIN" : "RST");
  else if (flags.fin && flags.rst)
    report.noteworthy(rule::kFlags, segment, "FIN together with RST");
  if (!flags.ack && !flags.syn && !flags.rst) {
    if (scene.from.is_from_start() && scene.to.is_from_start())
      report.violation(rule::kAckFlagMissing, segment, "no ACK flag after the handshake");
    else
      report.noteworthy(rule::kFlags, segment, "none of the flags SYN, ACK and RST");
  }
  if (!flags.ack && segment.header().acknowledgment.value() != 0)
    report.noteworthy(rule::kAckFieldWithoutFlag, segment, "acknowledgment number {} without ACK flag",
                      segment.header().acknowledgment.value());
  if (!flags.urg && segment.header().urgent_pointer != 0)
    report.noteworthy(rule::kUrgent, segment, "urgent pointer {} without URG flag",
                      segment.header().urgent_pointer);
  if (flags.urg && segment.header().urgent_pointer == 0)
    report.noteworthy(rule::kUrgent, segment, "URG flag with an urgent pointer of 0");
}

namespace {

// Whether the other end has only SYNs without it, and at least one SYN was seen.
template <typename Predicate>
bool never_offered(const PassiveEndpoint& end, Predicate has) {
  return end.is_from_start() && !any_syn(end, has);
}

void judge_syn_options(const Scene& scene) {
  const Segment& segment = scene.segment;
  const wire::TcpOptions& options = segment.header().options;
  Report& report = scene.report;
  if (options.window_scale && *options.window_scale > 14)
    report.violation(rule::kScaleTooLarge, segment, "window scale {}", *options.window_scale);
  if (!segment.flags().ack) return;
  if (options.window_scale && never_offered(scene.to, [](const wire::TcpHeader& syn) {
        return syn.options.window_scale.has_value();
      }))
    report.violation_if_complete(rule::kScaleUnoffered, segment, "answers with a window scale of {}",
                                 *options.window_scale);
  if (options.timestamps &&
      never_offered(scene.to, [](const wire::TcpHeader& syn) { return syn.options.timestamps.has_value(); }))
    report.violation_if_complete(rule::kTimestampsUnoffered, segment, "answers with timestamps");
}

}  // namespace

void judge_options(const Scene& scene) {
  const Segment& segment = scene.segment;
  const wire::TcpOptions& options = segment.header().options;
  Report& report = scene.report;
  if (segment.flags().syn) {
    judge_syn_options(scene);
  } else {
    if (options.maximum_segment_size)
      report.violation(rule::kMssOutsideSyn, segment, "MSS {} in a segment without SYN",
                       *options.maximum_segment_size);
    if (options.window_scale)
      report.violation(rule::kScaleOutsideSyn, segment, "window scale {} in a segment without SYN",
                       *options.window_scale);
    if (options.sack_permitted)
      report.violation(rule::kSackPermittedOutsideSyn, segment, "SACK-permitted in a segment without SYN");
    if (scene.agreed.is_known && !segment.flags().rst) {
      if (scene.agreed.timestamps && !options.timestamps)
        report.violation_if_complete(rule::kTimestampsMissing, segment, "no timestamps");
      if (!scene.agreed.timestamps && options.timestamps)
        report.violation_if_complete(rule::kTimestampsNotAgreed, segment, "timestamps {} {}",
                                     options.timestamps->value, options.timestamps->echo);
    }
  }
  if (options.sack_count > 0 &&
      never_offered(scene.to, [](const wire::TcpHeader& syn) { return syn.options.sack_permitted; }))
    report.violation_if_complete(rule::kSackNotPermitted, segment, "{} SACK blocks", options.sack_count);
  if (!segment.flags().ack && !segment.flags().rst && options.timestamps && options.timestamps->echo != 0)
    report.noteworthy(rule::kEchoInSyn, segment, "echoes timestamp {}", options.timestamps->echo);
}

void SegmentSizeRule::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy || segment.view->is_fragment) return;
  OneSide& side = sides_[index_of(segment.side)];
  const auto identification = static_cast<std::uint16_t>(segment.view->identification);
  const bool is_v4 = segment.view->family == IpFamily::kIpv4;
  if (side.suspect) {
    decide(scene.report, *side.suspect,
           is_v4 && identification == static_cast<std::uint16_t>(side.suspect->identification + 1));
    side.suspect.reset();
  }
  // What nobody can do without is taken, too: Linux and others send segments of some size whatever is
  // announced.
  constexpr std::uint32_t kAlwaysAllowed = 216;
  const std::uint32_t size = segment.text_length() + segment.option_octets;
  const std::uint32_t limit = std::max(largest_segment(scene.to), kAlwaysAllowed);
  if (scene.to.is_from_start() && segment.text_length() > 0 && !segment.flags().syn && size > limit) {
    Suspect suspect{Report::Place(segment), identification, size, limit};
    const bool may_tell = is_v4 && side.identification && *side.identification != 0 &&
                          identification == static_cast<std::uint16_t>(*side.identification + 1);
    if (!scene.has_offload)
      decide(scene.report, suspect, true);
    else if (may_tell)
      side.suspect = suspect;
    else
      decide(scene.report, suspect, false);
  }
  side.identification = identification;
}

void SegmentSizeRule::decide(Report& report, const Suspect& suspect, bool is_one_packet) {
  report.add(rule::kMssExceeded, is_one_packet ? Verdict::kViolation : Verdict::kUnknown, true, suspect.place,
             fmt::format("{} octets with options, the peer takes {}{}", suspect.size, suspect.limit,
                         is_one_packet ? "" : "; perhaps a super-packet of the device"));
}

void SegmentSizeRule::end(Report& report) {
  for (OneSide& side : sides_)
    if (side.suspect) decide(report, *side.suspect, false);
}

void UrgentRule::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (!segment.flags().urg || segment.flags().syn) return;
  auto& urgent = urgent_[index_of(segment.side)];
  const Position points_to = segment.begin + segment.header().urgent_pointer;
  if (urgent && points_to < *urgent && segment.is_latest)
    scene.report.noteworthy(rule::kUrgentBackwards, segment, "the urgent pointer goes from {} to {}", *urgent,
                            points_to);
  urgent = std::max(urgent.value_or(points_to), points_to);
}

}  // namespace transom::drivers::judge
