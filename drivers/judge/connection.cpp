#include "drivers/judge/connection.h"

#include <algorithm>

namespace transom::drivers::judge {

namespace {

// Position of a SYN; where there was none, the first octet that is seen is 1, as if there had been one.
constexpr Position kSynPosition = 0, kFirstPosition = 1;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccd;
}

bool is_same_syn(const wire::TcpHeader& a, const wire::TcpHeader& b) {
  wire::TcpOptions x = a.options, y = b.options;
  x.timestamps.reset(), y.timestamps.reset();
  return a.sequence == b.sequence && a.flags == b.flags && x == y &&
         a.options.timestamps.has_value() == b.options.timestamps.has_value();
}

}  // namespace

Connection::Connection(std::uint64_t number, const Endpoint& first, const Endpoint& second,
                       const JudgeOptions& options, TextBudget& budget,
                       std::optional<PreviousConnection> previous, Report::Sink sink)
    : number_(number),
      options_(&options),
      report_(number, ends_, std::move(sink)),
      opening_(previous),
      text_(budget) {
  ends_[0].address = first;
  ends_[1].address = second;
  for (PassiveEndpoint& end : ends_)
    end.is_captured_here =
        std::ranges::find(options.captured_at, end.address.address) != options.captured_at.end();
  summary_.number = number;
}

Connection::SynKind Connection::kind_of_syn(const wire::TcpHeader& syn, Side side, Duration time) const {
  const PassiveEndpoint& from = endpoint(side);
  const PassiveEndpoint& to = endpoint(other(side));
  if (!from.has_sent && !from.has_reset) return SynKind::kOwn;
  const bool is_known =
      any_syn(from, [&](const wire::TcpHeader& known) { return known.sequence == syn.sequence; });
  if (is_known && !from.has_reset && !to.has_reset) return SynKind::kOwn;
  const bool is_over = from.has_reset || to.has_reset || (from.fin_at && to.fin_at);
  constexpr std::chrono::minutes kForgotten{10};
  if (is_over || !to.has_sent || time - summary_.last_time > kForgotten) return SynKind::kNext;
  return SynKind::kForeign;
}

PreviousConnection Connection::as_previous(Side first_of_next) const {
  PreviousConnection previous;
  previous.ended = summary_.last_time;
  for (const Side side : {Side::kFirst, Side::kSecond}) {
    const PassiveEndpoint& end = endpoint(side);
    const PassiveEndpoint& peer = endpoint(other(side));
    const tcp::State theirs = peer.at_most.state();
    if (end.at_most.state() != tcp::State::kTimeWait || end.has_reset || peer.has_reset ||
        (theirs != tcp::State::kClosed && theirs != tcp::State::kLastAck))
      continue;
    previous.waits = side == first_of_next ? Side::kFirst : Side::kSecond;
    previous.peer_end = peer.numbers.sequence(peer.sent_end);
    previous.peer_timestamp = peer.latest_timestamp;
  }
  return previous;
}

void Connection::judge_new_number(const CapturedPacket& packet, const PacketView& view, Side side) {
  const PassiveEndpoint& from = endpoint(side);
  constexpr std::chrono::seconds kOneAttempt{3};
  if (!from.is_from_start() || from.has_reset || endpoint(other(side)).has_reset ||
      packet.time - summary_.last_time > kOneAttempt)
    return;
  Segment segment;
  segment.packet = &packet;
  segment.view = &view;
  segment.side = side;
  report_.noteworthy(rule::kIsnChanges, segment, "SYN {} after {}", view.tcp->sequence.value(),
                     from.syn().sequence.value());
}

void Connection::begin_with_syn(const wire::TcpHeader& syn, Duration time) {
  PassiveEndpoint& first = ends_[0];
  first.syns.push_back(syn);
  first.numbers.anchor(syn.sequence, kSynPosition);
  first.sent.add(kSynPosition, kSynPosition + 1);
  first.sent_end = kSynPosition + 1;
  first.has_sent = true;
  ++first.segments;
  first.last_sent = time;
  first.at_most.sends({.syn = true});
  first.at_least.sends({.syn = true});
}

std::optional<wire::TcpHeader> Connection::take(const CapturedPacket& packet, const PacketView& view,
                                                Side side) {
  if (summary_.first_frame == 0) {
    summary_.first_frame = packet.number;
    summary_.first_time = packet.time;
  }
  summary_.last_frame = packet.number;
  summary_.last_time = packet.time;
  if (view.transport_checksum == ChecksumVerdict::kBad) {
    take_damaged(packet, view, side);
    return std::nullopt;
  }
  anchor(view, side);
  Segment segment = make_segment(packet, view, side);
  const Scene scene{.segment = segment,
                    .from = ends_[index_of(side)],
                    .to = ends_[index_of(other(side))],
                    .agreed = agreed_,
                    .report = report_,
                    .is_complete = options_->is_complete,
                    .has_missed_nothing = options_->is_complete || options_->has_missed_nothing,
                    .has_offload = options_->has_offload};
  if (foreign_syn_ && opening_.accepts_foreign_syn(scene)) return foreign_syn_;
  const bool is_new_syn =
      segment.flags().syn && scene.from.has_sent &&
      !any_syn(scene.from, [&](const wire::TcpHeader& syn) { return syn.sequence == view.tcp->sequence; });
  if (is_new_syn) {  // not of this connection, as far as one knows
    judge_flags(scene);
    if (!segment.flags().ack) {
      opening_.judge_foreign_syn(scene, view.tcp->sequence + view.sequence_length());
      challenges_.judge_foreign_syn(scene);
      foreign_syn_ = *view.tcp;
    }
    ++ends_[index_of(side)].segments;
    return std::nullopt;
  }
  judge(scene);
  apply(segment);
  return std::nullopt;
}

void Connection::anchor(const PacketView& view, Side side) {
  PassiveEndpoint& from = ends_[index_of(side)];
  PassiveEndpoint& to = ends_[index_of(other(side))];
  const wire::TcpHeader& header = *view.tcp;
  // A SYN-ACK with another number before anything was acknowledged: SYN cookies, or a new attempt. The later
  // counts.
  const bool restarts = header.flags.syn && from.is_from_start() && from.syn().sequence != header.sequence &&
                        !to.acked && !from.first_text;
  if (restarts) {
    from.sent.clear();
    from.sent_end = 0;
    from.numbers.anchor(header.sequence, kSynPosition);
    from.syns.push_back(header);
  }
  // The answer may be to an earlier one of them.
  if (header.flags.ack && !header.flags.rst && !from.acked && to.syns.size() > 1) {
    for (const wire::TcpHeader& syn : to.syns) {
      if (syn.sequence + 1 != header.acknowledgment || to.numbers.position(syn.sequence) == kSynPosition)
        continue;
      to.numbers.anchor(syn.sequence, kSynPosition);
      to.sent.clear();
      to.sent.add(kSynPosition, kSynPosition + 1);
      to.sent_end = kSynPosition + 1;
    }
  }
  if (!from.numbers.is_anchored() && !header.flags.rst)
    from.numbers.anchor(header.sequence, header.flags.syn ? kSynPosition : kFirstPosition);
  if (!to.numbers.is_anchored() && header.flags.ack && !header.flags.rst)
    to.numbers.anchor(header.acknowledgment, kFirstPosition);
}

Segment Connection::make_segment(const CapturedPacket& packet, const PacketView& view, Side side) {
  const PassiveEndpoint& from = ends_[index_of(side)];
  const PassiveEndpoint& to = ends_[index_of(other(side))];
  const wire::TcpHeader& header = *view.tcp;
  Segment segment;
  segment.packet = &packet;
  segment.view = &view;
  segment.side = side;
  if (from.numbers.is_anchored()) segment.begin = from.numbers.position(header.sequence);
  segment.text_begin = segment.begin + (header.flags.syn ? 1 : 0);
  segment.text_end = segment.text_begin + view.payload_length;
  segment.end = segment.text_end + (header.flags.fin ? 1 : 0);
  segment.option_octets =
      static_cast<std::uint32_t>(view.payload_offset - view.transport_offset - wire::TcpHeader::kMinSize);
  if (header.flags.ack)
    segment.ack = to.numbers.is_anchored() ? to.numbers.position(header.acknowledgment) : 0;
  if (header.flags.syn) {
    segment.window = header.window;  // never scaled (RFC 7323 §2.2)
  } else if (agreed_.is_known) {
    const unsigned shift =
        agreed_.scaled ? std::min<unsigned>(from.syn().options.window_scale.value_or(0), 14) : 0;
    segment.window = std::uint64_t{header.window} << shift;
  }
  segment.is_copy = is_copy(segment);
  const auto& timestamps = header.options.timestamps;
  segment.is_latest =
      !segment.is_copy &&
      (from.is_captured_here || !from.has_sent || (segment.ack && from.acked && *segment.ack > *from.acked) ||
       (timestamps && from.latest_timestamp && !header.flags.rst &&
        static_cast<std::int32_t>(timestamps->value - *from.latest_timestamp) > 0));
  segment.is_repeat = segment.end > segment.begin && segment.end <= from.sent_end &&
                      from.sent.contains(segment.begin, segment.end);
  return segment;
}

// The same octets again, and sooner than anybody would send them again: then it is one packet that passed
// twice. The identification of IPv4 tells for certain.
bool Connection::is_copy(const Segment& segment) {
  const wire::TcpHeader& header = segment.header();
  const bool has_identification =
      segment.view->family == IpFamily::kIpv4 && segment.view->identification != 0;
  std::uint64_t hash = mix(has_identification ? segment.view->identification : 0, header.sequence.value());
  hash = mix(hash, header.acknowledgment.value());
  hash =
      mix(hash, (std::uint64_t{header.checksum} << 32) | (std::uint64_t{header.window} << 8) | segment.ecn());
  hash = mix(hash, (std::uint64_t{segment.text_length()} << 16) |
                       segment.packet->octets[segment.view->transport_offset + 13]);
  if (const auto& timestamps = header.options.timestamps)
    hash = mix(hash, (std::uint64_t{timestamps->value} << 32) | timestamps->echo);
  auto& passed = passed_[index_of(segment.side)];
  constexpr std::chrono::milliseconds kSoon{10};
  constexpr std::chrono::seconds kSurelyNotReused{2};
  const bool found = std::ranges::any_of(passed, [&](const Fingerprint& earlier) {
    return earlier.hash == hash && segment.time() - earlier.time <
                                       (has_identification ? Duration(kSurelyNotReused) : Duration(kSoon));
  });
  constexpr std::size_t kRemembered = 32;
  if (passed.size() >= kRemembered) passed.pop_front();
  passed.push_back({hash, segment.time(), has_identification});
  return found;
}

void Connection::judge(const Scene& scene) {
  judge_flags(scene);
  judge_options(scene);
  opening_.judge(scene);
  timestamps_.judge(scene);
  acknowledgments_.judge(scene);
  delays_.judge(scene);
  windows_.judge(scene);
  sizes_.judge(scene);
  text_.judge(scene);
  urgent_.judge(scene);
  resets_.judge(scene);
  challenges_.judge(scene);
  retransmissions_.judge(scene);
  congestion_.judge(scene);
  ecn_.judge(scene);
  accurate_ecn_.judge(scene);
  accurate_ecn_octets_.judge(scene);
}

// One that was damaged on its way says nothing about who sent it; but nobody is so unlucky four times.
void Connection::take_damaged(const CapturedPacket& packet, const PacketView& view, Side side) {
  Segment segment;
  segment.packet = &packet;
  segment.view = &view;
  segment.side = side;
  PassiveEndpoint& from = ends_[index_of(side)];
  Damaged& damaged = damaged_[index_of(side)];
  constexpr std::uint32_t kSurely = 4;
  constexpr std::chrono::milliseconds kSentAgain{200};  // sooner, it is the same packet at another place
  const bool is_again = damaged.copies > 0 && damaged.sequence == view.tcp->sequence;
  const bool is_counted = view.payload_length > 0 && (!is_again || packet.time - damaged.time >= kSentAgain);
  if (is_counted) damaged = {view.tcp->sequence, is_again ? damaged.copies + 1 : 1, packet.time};
  if (is_counted && damaged.copies == kSurely) {
    Report::Place place(segment);
    place.is_verified = true;
    report_.add(rule::kChecksum, Verdict::kViolation, false, place,
                fmt::format("{:#06x} is wrong, for the {}th time", view.tcp->checksum, kSurely));
  } else {
    report_.unknown(rule::kChecksum, segment, "{:#06x} is wrong: damaged on the way, or sent so",
                    view.tcp->checksum);
  }
  if (!from.numbers.is_anchored()) return;
  const Position begin = from.numbers.position(view.tcp->sequence);
  constexpr Position kPlausible = 1 << 20;
  if (begin >= 0 && begin <= from.sent_end + kPlausible)
    from.damaged.add(begin, begin + view.sequence_length());
}

// What lies wholly beyond the window is not taken by the other end, and often not sent by this one: an
// attack, or what is left of another connection.
bool Connection::lies_outside(const Segment& segment) const {
  const PassiveEndpoint& from = endpoint(segment.side);
  const PassiveEndpoint& to = endpoint(other(segment.side));
  constexpr Position kFar = 1 << 30;
  if (to.edge && agreed_.is_known) return segment.begin > *to.edge;
  return from.has_sent && std::abs(segment.begin - from.sent_end) > kFar;
}

void Connection::apply(const Segment& segment) {
  PassiveEndpoint& from = ends_[index_of(segment.side)];
  PassiveEndpoint& to = ends_[index_of(other(segment.side))];
  SegmentEvent event{.connection = number_, .segment = &segment, .from = &from, .to = &to};
  ++from.segments;
  from.octets += segment.text_length();
  from.last_sent = segment.time();
  damaged_[index_of(segment.side)].copies = 0;
  if (segment.flags().rst) {
    apply_states(segment, event);
    from.has_reset = true;
  } else if (!lies_outside(segment)) {
    from.has_sent = true;
    if (segment.flags().syn) apply_syn(segment);
    Position end = segment.end;
    if (segment.view->is_fragment) end += 65535;  // the rest of it is in other fragments
    from.sent.add(segment.begin, end);
    from.damaged.remove(segment.begin, segment.end);
    if (segment.end > from.sent_end) {
      from.sent_end = segment.end;
      from.numbers.move_to(segment.end);
    }
    if (segment.text_length() > 0 && !from.first_text) from.first_text = segment.text_begin;
    apply_acknowledgment(segment);
    apply_states(segment, event);
    if (segment.flags().fin && !from.fin_at) from.fin_at = segment.text_end;
  }
  if (options_->on_segment) options_->on_segment(event);
}

void Connection::apply_syn(const Segment& segment) {
  PassiveEndpoint& from = ends_[index_of(segment.side)];
  const bool is_known =
      any_syn(from, [&](const wire::TcpHeader& syn) { return is_same_syn(syn, segment.header()); });
  if (!is_known && from.syns.size() < PassiveEndpoint::kMaxSyns) from.syns.push_back(segment.header());
  agreed_ = Agreement::of(ends_[0], ends_[1]);
}

void Connection::apply_acknowledgment(const Segment& segment) {
  PassiveEndpoint& from = ends_[index_of(segment.side)];
  PassiveEndpoint& to = ends_[index_of(other(segment.side))];
  const auto& timestamps = segment.header().options.timestamps;
  if (timestamps &&
      (!from.latest_timestamp || static_cast<std::int32_t>(timestamps->value - *from.latest_timestamp) > 0))
    from.latest_timestamp = timestamps->value;
  if (!segment.ack) {
    if (segment.window) from.window = segment.window;
    return;
  }
  const Position ack = *segment.ack;
  const Position before = from.acked.value_or(0);
  if (segment.window) {
    const Position edge = ack + static_cast<Position>(*segment.window);
    from.edge = std::max(from.edge.value_or(edge), edge);
    if (!from.acked || ack >= *from.acked) from.window = segment.window;
    from.largest_window = std::max(from.largest_window, *segment.window);
  }
  from.acked = std::max(from.acked.value_or(ack), ack);
  // What was acknowledged is not asked for again.
  to.sent.add(std::min(before, ack), ack);
  to.damaged.remove(0, ack);
  const auto blocks = segment.header().options.sacks();
  const bool has_duplicate = has_duplicate_block(segment, to.numbers);
  const std::size_t room = timestamps ? 3 : 4;
  if (segment.is_latest && blocks.size() < room) from.sacked.clear();
  for (std::size_t i = has_duplicate ? 1 : 0; i < blocks.size(); ++i) {
    const Position left = to.numbers.position(blocks[i].left), right = to.numbers.position(blocks[i].right);
    if (left > ack && left < right && right - left < (1 << 30)) {
      from.sacked.add(left, right);
      to.sent.add(left, right);
    }
  }
  from.sacked.remove(0, from.acked.value_or(0));
}

void Connection::apply_states(const Segment& segment, SegmentEvent& event) {
  PassiveEndpoint& from = ends_[index_of(segment.side)];
  PassiveEndpoint& to = ends_[index_of(other(segment.side))];
  const wire::TcpFlags& flags = segment.flags();
  const auto note = [&](Side side, bool by_sending, const std::optional<StateChange>& change) {
    if (change) event.moves.push_back({.side = side, .by_sending = by_sending, .change = *change});
  };
  if (!flags.syn && !flags.rst) {  // neither end was seen to begin
    for (PassiveEndpoint* end : {&from, &to}) {
      if (end->is_from_start() || end->at_most.state() != tcp::State::kClosed || end->fin_at ||
          end->has_reset)
        continue;
      end->at_most.begin_within();
      end->at_least.begin_within();
    }
  }
  const StateEvent is{
      .syn = flags.syn,
      .fin = flags.fin,
      .rst = flags.rst,
      .ack = flags.ack,
      .acknowledges_syn = segment.ack && to.is_from_start() && *segment.ack >= 1,
      .acknowledges_fin = segment.ack && to.fin_at && *segment.ack > *to.fin_at,
  };
  // Whoever answers a SYN was listening, and has received it.
  if (flags.syn && flags.ack && from.at_most.state() == tcp::State::kClosed)
    note(segment.side, false, from.at_most.receives({.syn = true}));
  note(segment.side, true, from.at_most.sends(is));
  // A reset that answers what is not of this connection ends nothing.
  const bool resets =
      flags.rst && (!to.acked || segment.begin == *to.acked || segment.begin == from.sent_end ||
                    to.at_most.state() == tcp::State::kSynSent);
  if (!flags.rst || resets) note(other(segment.side), false, to.at_most.receives(is));

  // By its own words, the sender has received what it acknowledges.
  if (flags.syn && flags.ack) from.at_least.receives({.syn = true});
  if (segment.ack && to.is_from_start() && *segment.ack >= 1 && !flags.syn && !flags.rst) {
    if (from.at_least.state() == tcp::State::kSynSent)
      from.at_least.receives({.syn = true, .ack = true, .acknowledges_syn = true});
    if (from.at_least.state() == tcp::State::kSynReceived && segment.text_length() > 0)
      from.at_least.receives({.ack = true, .acknowledges_syn = true});
  }
  if (is.acknowledges_fin) from.at_least.receives({.fin = true, .ack = true});
  from.at_least.sends(is);
}

void Connection::take_icmp_error(const CapturedPacket& packet, Side side, std::optional<SeqNum> sequence) {
  retransmissions_.unreachable();
  const PassiveEndpoint& from = endpoint(side);
  const PassiveEndpoint& to = endpoint(other(side));
  if (!sequence || !from.numbers.is_anchored() || !to.acked) return;
  const Position position = from.numbers.position(*sequence);
  if (position >= *to.acked - 1 && position <= from.sent_end) return;
  Report::Place place;
  place.side = side;
  place.frame = packet.number;
  place.time = packet.time;
  report_.add(rule::kIcmpQuotedSequence, Verdict::kLegal, false, place,
              fmt::format("the error quotes {}, in flight are {}:{}", position, *to.acked, from.sent_end));
}

void Connection::end() {
  sizes_.end(report_);
  acknowledgments_.end(report_);
  timestamps_.end(report_);
}

ConnectionSummary Connection::summary() const {
  ConnectionSummary summary = summary_;
  for (std::size_t i = 0; i < 2; ++i)
    summary.ends[i] = {.address = ends_[i].address,
                       .segments = ends_[i].segments,
                       .octets = ends_[i].octets,
                       .state = ends_[i].state_text()};
  summary.has_handshake = agreed_.is_known;
  summary.has_missed = report_.has_missed();
  summary.left_out = report_.left_out();
  return summary;
}

}  // namespace transom::drivers::judge
