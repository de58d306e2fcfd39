#include "drivers/capture/capture_check.h"

#include <fmt/format.h>

#include "stack/base/siphash.h"

namespace transom::drivers {

namespace {

constexpr SipKey kKey{0x7472616e736f6d21, 0x6e61742074776963};
constexpr std::size_t kRememberedSegments = 1024;
constexpr Duration kTranslationTime = std::chrono::milliseconds(50);
constexpr std::uint32_t kJumboPacket = 9000;  // octets: the most that Ethernet carries in practice

}  // namespace

std::string_view name_of(CaptureFlaw flaw) {
  switch (flaw) {
    case CaptureFlaw::kOneSided:
      return "one-sided";
    case CaptureFlaw::kNoHandshake:
      return "no-handshake";
    case CaptureFlaw::kNoEnd:
      return "no-end";
    case CaptureFlaw::kCut:
      return "cut";
    case CaptureFlaw::kSuperPackets:
      return "super-packets";
    case CaptureFlaw::kUnfilledChecksum:
      return "unfilled-checksums";
    case CaptureFlaw::kBadChecksum:
      return "bad-checksums";
    case CaptureFlaw::kDuplicate:
      return "duplicates";
    case CaptureFlaw::kClockStep:
      return "clock-steps";
    case CaptureFlaw::kLinkTypes:
      return "link-types";
    case CaptureFlaw::kUnknownLinkType:
      return "unknown-link-type";
    case CaptureFlaw::kNat:
      return "nat";
    case CaptureFlaw::kDropped:
      return "dropped";
  }
  return {};
}

std::string_view words_of(CaptureFlaw flaw) {
  switch (flaw) {
    case CaptureFlaw::kOneSided:
      return "connections of which one direction is missing";
    case CaptureFlaw::kNoHandshake:
      return "connections that began before the capture";
    case CaptureFlaw::kNoEnd:
      return "connections that went on after the capture";
    case CaptureFlaw::kCut:
      return "packets cut by a snap length";
    case CaptureFlaw::kSuperPackets:
      return "segments longer than a wire carries (segmentation offload)";
    case CaptureFlaw::kUnfilledChecksum:
      return "checksums that the sender left to its device";
    case CaptureFlaw::kBadChecksum:
      return "bad checksums";
    case CaptureFlaw::kDuplicate:
      return "packets captured twice";
    case CaptureFlaw::kClockStep:
      return "packets older than the one before";
    case CaptureFlaw::kLinkTypes:
      return "link types in one file";
    case CaptureFlaw::kUnknownLinkType:
      return "packets of a link type that is not known";
    case CaptureFlaw::kNat:
      return "segments seen before and behind a translation of addresses";
    case CaptureFlaw::kDropped:
      return "packets that whoever captured has missed";
  }
  return {};
}

std::string_view fix_of(CaptureFlaw flaw) {
  switch (flaw) {
    case CaptureFlaw::kOneSided:
      return "capture at an end, or on both directions of the link";
    case CaptureFlaw::kNoHandshake:
      return "leave them out: transom rewrite --fix no-handshake";
    case CaptureFlaw::kNoEnd:
      return "none needed: a replay ends where the capture does";
    case CaptureFlaw::kCut:
      return "capture with -s 0; or fill them with zeros, or leave them out: transom rewrite --fixlen "
             "pad|del";
    case CaptureFlaw::kSuperPackets:
      return "cut them as the wire had them: transom rewrite --fix super-packets";
    case CaptureFlaw::kUnfilledChecksum:
    case CaptureFlaw::kBadChecksum:
      return "compute them: transom rewrite --fixcsum";
    case CaptureFlaw::kDuplicate:
      return "leave the copies out: transom rewrite --fix duplicates";
    case CaptureFlaw::kClockStep:
      return "hold the time until it is reached again: transom rewrite --fix clock-steps; or sort: "
             "reordercap";
    case CaptureFlaw::kLinkTypes:
      return "reduce all to bare IP: transom rewrite --fix link-types";
    case CaptureFlaw::kUnknownLinkType:
      return "none";
    case CaptureFlaw::kNat:
      return "keep one side: transom dump -r FILE -w NEW 'net ...'";
    case CaptureFlaw::kDropped:
      return "capture less at a time, or with a larger buffer (tcpdump -B)";
  }
  return {};
}

CaptureCheck::CaptureCheck()
    : connections_([this](const SeenConnection& connection) {
        if (connection.is_one_sided()) found(CaptureFlaw::kOneSided, connection.first_packet);
        if (!connection.has_handshake()) found(CaptureFlaw::kNoHandshake, connection.first_packet);
        if (!connection.has_end()) found(CaptureFlaw::kNoEnd, connection.first_packet);
      }) {
  segment_order_.resize(kRememberedSegments);
}

void CaptureCheck::found(CaptureFlaw flaw, std::uint64_t number, std::string detail) {
  CaptureFinding& finding = findings_[flaw];
  finding.flaw = flaw;
  // Connections are told of when they end, not in the order in which they began.
  if (finding.count++ == 0 || number < finding.first_packet) finding.first_packet = number;
  if (!detail.empty()) finding.detail = std::move(detail);
}

void CaptureCheck::take(const CapturedPacket& packet) {
  if (report_.packets++ == 0) report_.first_time = report_.last_time = packet.time;
  report_.first_time = std::min(report_.first_time, packet.time);
  report_.last_time = std::max(report_.last_time, packet.time);
  if (packet.time < last_time_) {
    largest_step_ = std::max(largest_step_, last_time_ - packet.time);
    found(CaptureFlaw::kClockStep, packet.number,
          fmt::format("by up to {:.6f} s", std::chrono::duration<double>(largest_step_).count()));
  }
  last_time_ = packet.time;
  if (link_types_.insert(packet.link_type).second && link_types_.size() > 1)
    found(CaptureFlaw::kLinkTypes, packet.number);
  if (packet.is_cut()) found(CaptureFlaw::kCut, packet.number);
  if (!parse_link(packet)) found(CaptureFlaw::kUnknownLinkType, packet.number);
  const auto view = PacketView::parse(packet);
  if (duplicates_.is_duplicate(packet, view)) {
    // Whatever else is to say about it was said of the first.
    found(CaptureFlaw::kDuplicate, packet.number);
    return;
  }
  if (!view) return;
  const auto is_either = [&](ChecksumVerdict verdict) {
    return view->network_checksum == verdict || view->transport_checksum == verdict;
  };
  if (is_either(ChecksumVerdict::kUnfilled)) found(CaptureFlaw::kUnfilledChecksum, packet.number);
  if (is_either(ChecksumVerdict::kBad)) found(CaptureFlaw::kBadChecksum, packet.number);
  if (view->tcp) take_tcp(packet, *view);
}

void CaptureCheck::take_tcp(const CapturedPacket& packet, const PacketView& view) {
  const auto [connection, side] = connections_.take(packet, view);
  // The other side said how much it takes; the loopback device of Linux takes more than any Ethernet.
  const auto& limit = connection.maximum_segment_size[1 - side];
  if ((limit && view.payload_length > *limit) || view.transport_length > kJumboPacket)
    found(CaptureFlaw::kSuperPackets, packet.number);
  if (!view.payload.empty()) look_for_nat(packet, view);
}

void CaptureCheck::look_for_nat(const CapturedPacket& packet, const PacketView& view) {
  const std::array<std::uint64_t, 4> words{
      siphash(kKey, view.payload), view.tcp->sequence.value(), view.tcp->acknowledgment.value(),
      view.tcp->options.timestamps ? view.tcp->options.timestamps->value : 0};
  const std::uint64_t key = siphash_words(kKey, words);
  const Segment segment{
      packet.time, {view.source, view.tcp->source_port}, {view.destination, view.tcp->destination_port}};
  const auto known = segments_.find(key);
  if (known != segments_.end()) {
    const Segment& before = known->second;
    const Duration apart = packet.time - before.time;
    const bool is_other = before.source != segment.source || before.destination != segment.destination;
    if (is_other && apart <= kTranslationTime && apart >= -kTranslationTime)
      found(CaptureFlaw::kNat, packet.number,
            fmt::format("{} > {} is {} > {}", before.source, before.destination, segment.source,
                        segment.destination));
    return;
  }
  segments_.erase(segment_order_[next_segment_]);
  segment_order_[next_segment_] = key;
  next_segment_ = (next_segment_ + 1) % kRememberedSegments;
  segments_.emplace(key, segment);
}

CaptureReport CaptureCheck::finish(std::uint64_t dropped) {
  // Which of them it was nobody knows.
  if (dropped > 0)
    findings_[CaptureFlaw::kDropped] = {.flaw = CaptureFlaw::kDropped, .count = dropped, .detail = {}};
  connections_.finish();
  report_.connections = connections_.count();
  if (const auto several = findings_.find(CaptureFlaw::kLinkTypes); several != findings_.end())
    ++several->second.count;  // the first, too
  for (auto& [flaw, finding] : findings_) report_.findings.push_back(std::move(finding));
  findings_.clear();
  return std::move(report_);
}

}  // namespace transom::drivers
