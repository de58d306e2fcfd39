#include "drivers/replay/live_connection.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/replay/icmp_errors.h"

namespace transom::drivers::replay {

namespace {

using std::chrono::milliseconds;

constexpr Duration kAckDelay = milliseconds(40);  // of what no step acknowledges
constexpr Duration kRetryConnect = milliseconds(100);
constexpr std::uint32_t kLeastSegment = 48;  // octets that any path takes in a segment (RFC 791: MTU 68)
constexpr std::size_t kMaxArrivals = 4096;
constexpr std::size_t kMaxBeyond = 4096;

}  // namespace

LiveConnection::LiveConnection(const TcpScript& script, const LiveOptions& options, Pacing& pacing,
                               tcp::FourTuple tuple, SeqNum initial, std::uint32_t max_segment, Send send)
    : script_(script),
      options_(options),
      pacing_(pacing),
      tuple_(tuple),
      send_(std::move(send)),
      own_(initial),
      mss_(max_segment) {
  received_.add(StreamCheck::Side::kRecorded, 0, script.expected);
}

void LiveConnection::start(Instant anchor) {
  anchor_ = last_progress_ = last_step_ = heard_at_ = anchor;
  run(anchor);
}

// ---------------------------------------------------------------- what comes

void LiveConnection::receive(const wire::TcpHeader& header, Bytes payload, Instant now) {
  note(false, header, payload.size(), now);
  if (header.flags.rst) return on_reset(now);
  if (header.flags.syn && !has_syn_) {
    take_syn(header, now);
  } else if (!has_syn_) {
    if (header.flags.ack) refuse_old(header, now);
    return;
  } else if (header.flags.syn && sent_end_ > 0) {
    send_ack(now);  // our ACK was lost
  }
  if (header.flags.ack) take_ack(header, !payload.empty() || header.flags.fin, now);
  take_text(header, payload, now);
  run(now);
}

// The peer still has a connection of before between the same ends: a reset lets it go, and our SYN can follow
// (RFC 9293 §3.10.7.3, first check).
void LiveConnection::refuse_old(const wire::TcpHeader& header, Instant now) {
  wire::TcpHeader reset;
  reset.source_port = tuple_.local.port;
  reset.destination_port = tuple_.remote.port;
  reset.sequence = header.acknowledgment;
  reset.flags.rst = true;
  send(reset, {}, now);
  if (una_ < sent_end_) retransmit_at_ = std::min(retransmit_at_, now + kRetryConnect);
}

void LiveConnection::take_syn(const wire::TcpHeader& header, Instant now) {
  has_syn_ = true;
  their_ = SequenceOffsets(header.sequence);
  heard_ = 1;
  heard_at_ = last_progress_ = now;
  const wire::TcpOptions &theirs = header.options, &ours = script_.us.syn_options;
  peer_mss_ = theirs.maximum_segment_size.value_or(536);
  mss_ = std::min(mss_, peer_mss_);
  timestamps_ = theirs.timestamps && ours.timestamps;
  sack_ = theirs.sack_permitted && ours.sack_permitted;
  scaling_ = theirs.window_scale && ours.window_scale;
  asks_for_cookie_ = theirs.fast_open.has_value();
  if (cookies_ != nullptr && script_.is_opener && theirs.fast_open && !theirs.fast_open->is_request())
    cookies_->insert_or_assign(tuple_.remote.address, *theirs.fast_open);
  peer_scale_ = scaling_ ? std::min<std::uint8_t>(*theirs.window_scale, 14) : 0;
  if (timestamps_) {
    echo_ = theirs.timestamps->value;
    mss_ -= 12;
    peer_mss_ -= 12;
  }
  peer_edge_ = std::max<std::int64_t>(peer_edge_, 1 + header.window);
}

void LiveConnection::take_ack(const wire::TcpHeader& header, bool has_text, Instant now) {
  const std::int64_t ack = own_.of(header.acknowledgment);
  if (ack > sent_end_) return;  // of nothing that we sent
  const std::uint8_t scale = header.flags.syn ? 0 : peer_scale_;
  const std::int64_t edge = ack + (std::int64_t{header.window} << scale);
  const bool window_moved = edge > peer_edge_;
  peer_edge_ = std::max(peer_edge_, edge);
  if (header.flags.syn && ack < sent_end_) recover_ = sent_end_;  // of a SYN's data nothing was taken
  if (ack > una_) {
    una_ = ack;
    last_progress_ = now;
    duplicate_acks_ = 0;
    rtt_.reset_backoff();
    if (timed_at_ != kNever && ack >= timed_end_) {
      rtt_.sample(now - timed_at_, 1, now);
      timed_at_ = kNever;
    }
    retransmit_at_ = una_ < sent_end_ ? now + rtt_.rto() : kNever;
    if (una_ < recover_) retransmit(now);
  } else if (ack == una_ && una_ < sent_end_ && !has_text && !window_moved) {
    if (++duplicate_acks_ == 3 && una_ >= recover_) {
      recover_ = sent_end_;
      retransmit(now);
    }
  }
}

void LiveConnection::take_text(const wire::TcpHeader& header, Bytes payload, Instant now) {
  const std::int64_t begin = their_.of(header.sequence) + (header.flags.syn ? 1 : 0);
  const std::int64_t text_end = begin + static_cast<std::int64_t>(payload.size());
  const std::int64_t end = text_end + (header.flags.fin ? 1 : 0);
  if (header.options.timestamps && timestamps_) {
    if (arrivals_.size() >= kMaxArrivals) arrivals_.pop_front();
    arrivals_.push_back({end, header.options.timestamps->value});
  }
  if (end <= begin) {
    if (begin < heard_ && !header.flags.syn) send_ack(now);  // a keep-alive or window probe
    return;
  }
  if (!payload.empty() && begin >= 1)
    received_.add(StreamCheck::Side::kActual, static_cast<std::uint64_t>(begin - 1),
                  script_.with_mask(begin - 1, payload));
  if (header.flags.fin) fin_at_ = text_end;
  their_.see(header.sequence + static_cast<std::uint32_t>(end - begin));
  const bool is_new = end > heard_;
  const bool had_gap = !beyond_.empty();
  if (begin <= heard_) {
    heard_ = std::max(heard_, end);
    while (!beyond_.empty() && beyond_.begin()->first <= heard_) {
      heard_ = std::max(heard_, beyond_.begin()->second);
      beyond_.erase(beyond_.begin());
    }
  } else if (beyond_.size() < kMaxBeyond) {
    beyond_[begin] = std::max(beyond_[begin], end);
  }
  if (is_new) heard_at_ = last_progress_ = now;
  if (fin_at_ >= 0 && heard_ > fin_at_) peer_has_closed_ = true;
  // What is lost, or came twice, the peer must hear of at once (RFC 5681 §4.2).
  if (!is_new || had_gap || !beyond_.empty()) {
    send_ack(now);
  } else if (ack_at_ == kNever) {
    ack_at_ = now + (next_ == script_.steps.size() ? Duration::zero() : kAckDelay);
  }
}

// Octets that need not be equal count as if they were.
void LiveConnection::on_reset(Instant now) {
  if (!has_syn_ && script_.is_opener && !script_.peer.has_reset && !script_.is_unreachable)
    return begin_again(now);
  const bool is_expected = script_.peer.has_reset || next_ == script_.steps.size();
  state_ = is_expected ? State::kDone : State::kReset;
}

// Nobody listens yet.
void LiveConnection::begin_again(Instant now) {
  was_refused_ = true;
  una_ = sent_end_ = 0;
  next_ = 0;
  retransmit_at_ = kNever;
  last_step_ = now + kRetryConnect;
  own_ = SequenceOffsets(own_.number_of(0) + 1000);  // no old answer fits
}

bool LiveConnection::take_error(const ip::IcmpError& error, SeqNum sequence, Instant now) {
  const std::int64_t offset = own_.of(sequence);  // RFC 5927 §4.1
  if (state_ != State::kRunning || offset < una_ || offset >= sent_end_) return false;
  if (error.kind == ip::IcmpErrorKind::kPacketTooBig) {
    const std::uint32_t headers = (tuple_.local.address.is_v4() ? 40U : 60U) + (timestamps_ ? 12U : 0U);
    if (error.mtu > headers + kLeastSegment && error.mtu - headers < mss_) {
      mss_ = error.mtu - headers;
      recover_ = sent_end_;
      retransmit(now);
    }
    return true;
  }
  // RFC 1122 §4.2.3.9: the hard errors abort a connection that is being opened.
  const bool is_hard = error.kind == ip::IcmpErrorKind::kPortUnreachable ||
                       error.kind == ip::IcmpErrorKind::kProtocolUnreachable;
  if (script_.is_unreachable) {
    una_ = sent_end_;
    state_ = State::kDone;
  } else if (is_hard && !has_syn_ && script_.is_opener) {
    begin_again(now);
  }
  return true;
}

// ---------------------------------------------------------------- what is due

bool LiveConnection::is_heard(const ScriptStep& step) const {
  // Data that the recorded SYN brought, the live one may not have (RFC 7413 §3).
  if (step.flags.syn) return heard_ >= std::min<std::int64_t>(step.awaits, 1);
  return peer_has_closed_ || heard_ >= step.awaits || (options_.when == When::kRecorded && has_syn_);
}

bool LiveConnection::fits_window(const ScriptStep& step) const {
  const std::int64_t text_end = step.end - (step.flags.fin ? 1 : 0);
  return step.flags.syn || step.flags.rst || step.begin == step.end || text_end <= peer_edge_;
}

bool LiveConnection::says_nothing_new(const ScriptStep& step) const {
  if (options_.fidelity == Fidelity::kExact) return false;
  if (step.is_pure_ack()) return acked_ >= step.awaits && right_edge_ >= step.right_edge;
  if (step.begin == step.end || step.flags.rst) return false;
  return step.end <= una_ || (options_.fidelity == Fidelity::kStream && step.end <= sent_end_);
}

Instant LiveConnection::due(const ScriptStep& step) const {
  Instant instant = std::max(last_step_, step.flags.ack ? heard_at_ : last_step_) + pacing_.gap(step.think);
  if (options_.when != When::kCausal) instant = anchor_ + pacing_.gap(step.time);
  return std::max(instant, pacing_.earliest(anchor_));
}

void LiveConnection::run(Instant now) {
  if (state_ != State::kRunning || anchor_ == kNever) return;
  while (next_ < script_.steps.size() && state_ == State::kRunning) {
    const ScriptStep& step = script_.steps[next_];
    if (!is_heard(step) || now < due(step) || !fits_window(step)) break;
    ++next_;
    pacing_.took_step();
    if (!says_nothing_new(step)) play(step, now);
    last_step_ = now;
    if (has_syn_ || !was_refused_) last_progress_ = now;
  }
  if (ack_at_ <= now && sent_end_ > 0) send_ack(now);
  if (retransmit_at_ <= now) on_timeout(now);
  if (retransmit_at_ == kNever && next_ < script_.steps.size() && has_syn_ &&
      !fits_window(script_.steps[next_]))
    retransmit_at_ = now + rtt_.rto();  // the window is closed: probe it
  finish_if_done();
  if (state_ == State::kRunning && stall_at() <= now) state_ = State::kStalled;
}

// Thinking is no stall, but for what a refused client does between its tries.
Instant LiveConnection::stall_at() const {
  const Instant stall = last_progress_ + options_.stall;
  const bool thinks = next_ < script_.steps.size() && is_heard(script_.steps[next_]) &&
                      fits_window(script_.steps[next_]) && (has_syn_ || !was_refused_);
  if (!thinks) return stall;
  const Instant next = due(script_.steps[next_]);
  return next == kNever ? kNever : std::max(stall, next + options_.stall);
}

Instant LiveConnection::next_deadline() const {
  if (state_ != State::kRunning || anchor_ == kNever) return kNever;
  Instant next = std::min({sent_end_ > 0 ? ack_at_ : kNever, retransmit_at_, stall_at()});
  if (next_ < script_.steps.size()) {
    const ScriptStep& step = script_.steps[next_];
    if (is_heard(step) && fits_window(step)) next = std::min(next, due(step));
  }
  return next;
}

void LiveConnection::finish_if_done() {
  if (state_ != State::kRunning || next_ < script_.steps.size() || una_ < sent_end_) return;
  const bool all_heard = heard_ >= 1 + static_cast<std::int64_t>(script_.expected.size());
  if (peer_has_closed_ || (all_heard && !script_.peer_closes)) state_ = State::kDone;
}

// The recorded message, about the live segment at the same place.
void LiveConnection::play_error(const ScriptStep& step, Instant now) {
  QuotedSegment quoted{.from = tuple_.remote,
                       .to = tuple_.local,
                       .sequence = their_.number_of(step.awaits - 1),
                       .acknowledgment = std::nullopt};
  if (step.error_quotes_ack) quoted.acknowledgment = own_.number_of(*step.error_quotes_ack);
  auto message =
      error_about(quoted, {script_.ours, script_.theirs}, {tuple_.local, tuple_.remote}, step.error);
  if (message.empty() || !send_error_) return;
  ++sent_packets_;
  pacing_.sent(message.size());
  last_packets_.note(fmt::format("> ICMP type {} code {} about {}", message[0], message[1], step.awaits - 1),
                     now - anchor_);
  send_error_(std::move(message));
}

void LiveConnection::play(const ScriptStep& step, Instant now) {
  if (!step.error.empty()) return play_error(step, now);
  if (step.flags.rst) {
    wire::TcpFlags flags = step.flags;
    flags.ack = has_syn_;
    send(header_at(std::max(una_, sent_end_), flags, &step, now), {}, now);
    state_ = State::kDone;
    return;
  }
  send_range(step.begin, step.end, step.flags, &step, now);
}

// The SYN, octets and the FIN in [begin, end), in segments that the peer takes.
void LiveConnection::send_range(std::int64_t begin, std::int64_t end, const wire::TcpFlags& flags,
                                const ScriptStep* step, Instant now) {
  const bool is_in_fragments = step != nullptr && options_.fidelity == Fidelity::kExact &&
                               !step->fragments.empty() && end - begin <= std::int64_t{peer_mss_};
  const auto room = std::int64_t{is_in_fragments ? peer_mss_ : mss_};
  if (end - begin > room + 1) ++recut_;
  do {
    wire::TcpFlags now_flags = flags;
    now_flags.syn = begin == 0;
    const std::int64_t text = std::max<std::int64_t>(begin, 1);
    std::int64_t text_end = std::min({end, stream_end(), text + room});
    const bool is_fast_open = now_flags.syn && step != nullptr && script_.is_opener;
    if (now_flags.syn && !is_fast_open) text_end = std::min(text_end, text);  // it follows the handshake
    text_end = std::max(text_end, text);
    const bool reaches_fin = end > stream_end() && text_end == stream_end() && !now_flags.syn;
    now_flags.fin = reaches_fin;
    const std::int64_t segment_end = text_end + (reaches_fin ? 1 : 0);
    now_flags.psh = flags.psh && text_end > text && (segment_end >= end || reaches_fin);
    now_flags.ack = has_syn_;
    now_flags.ece = now_flags.cwr = now_flags.urg = false;
    const auto from = static_cast<std::size_t>(text - 1), size = static_cast<std::size_t>(text_end - text);
    // Probes and keep-alives lie before what there is.
    const Bytes payload = from + size <= script_.stream.size() && begin >= 0
                              ? Bytes(script_.stream).subspan(from, size)
                              : Bytes();
    wire::TcpHeader header = header_at(begin, now_flags, step, now);
    if (step != nullptr && flags.urg && begin == step->begin) {
      header.flags.urg = true;
      header.urgent_pointer = step->urgent;
    }
    if (segment_end > sent_end_) {
      if (timed_at_ == kNever && recover_ <= una_) {
        timed_at_ = now;
        timed_end_ = segment_end;
      }
      sent_end_ = segment_end;
      own_.see(own_.number_of(segment_end));
    } else if (segment_end > begin) {
      ++retransmitted_;
      timed_at_ = kNever;  // Karn (RFC 6298 §3)
    }
    send(header, payload, now, is_in_fragments ? step->fragments : std::span<const FragmentRange>());
    if (segment_end <= begin || (now_flags.syn && !has_syn_)) break;
    begin = segment_end;
  } while (begin < end);
  if (una_ < sent_end_ && retransmit_at_ == kNever) retransmit_at_ = now + rtt_.rto();
}

void LiveConnection::retransmit(Instant now) {
  const std::int64_t end = std::min(sent_end_, una_ + static_cast<std::int64_t>(mss_));
  wire::TcpFlags flags;
  flags.psh = true;
  if (una_ < end) send_range(una_, una_ == 0 ? 1 : end, flags, nullptr, now);
  retransmit_at_ = now + rtt_.rto();
}

void LiveConnection::on_timeout(Instant now) {
  rtt_.back_off();
  duplicate_acks_ = 0;
  if (una_ < sent_end_) {
    recover_ = sent_end_;
    retransmit(now);
    return;
  }
  retransmit_at_ = kNever;
  if (next_ == script_.steps.size() || !has_syn_) return;
  wire::TcpFlags flags;  // the window is closed: an old number draws an ACK that says how large it is
  flags.ack = true;
  send(header_at(una_ - 1, flags, nullptr, now), {}, now);
  retransmit_at_ = now + rtt_.rto();
}

// ---------------------------------------------------------------- segments

wire::TcpHeader LiveConnection::header_at(std::int64_t begin, wire::TcpFlags flags, const ScriptStep* step,
                                          Instant now) {
  wire::TcpHeader header;
  header.source_port = tuple_.local.port;
  header.destination_port = tuple_.remote.port;
  header.sequence = own_.number_of(begin);
  header.flags = flags;
  if (flags.ack) {
    // What the step acknowledged has come; never take back what was said.
    if (step == nullptr || options_.fidelity == Fidelity::kStream || step->awaits > heard_) {
      acked_ = heard_;
    } else {
      acked_ = std::max(acked_, step->awaits);
    }
    header.acknowledgment = their_.number_of(acked_);
    if (acked_ >= heard_) ack_at_ = kNever;
  }
  const std::uint8_t scale = scaling_ && !flags.syn ? script_.scale : 0;
  if (step != nullptr) right_edge_ = std::max(right_edge_, step->right_edge);
  if (next_ == script_.steps.size()) right_edge_ = std::max<std::int64_t>(right_edge_, acked_ + 65535);
  const std::int64_t window = std::max<std::int64_t>(right_edge_ - acked_, 0);
  header.window = static_cast<std::uint16_t>(std::min<std::int64_t>(window >> scale, 65535));
  if (flags.syn) {
    header.window = script_.us.syn_window;
    const wire::TcpOptions& recorded = script_.us.syn_options;
    header.options.maximum_segment_size = recorded.maximum_segment_size;
    if (!has_syn_ || scaling_) header.options.window_scale = recorded.window_scale;
    if (!has_syn_ || sack_) header.options.sack_permitted = recorded.sack_permitted;
    if (step != nullptr && recorded.fast_open) add_fast_open(header.options, *recorded.fast_open);
  }
  const bool wants_timestamps =
      flags.syn && !has_syn_ ? script_.us.syn_options.timestamps.has_value() : timestamps_;
  if (wants_timestamps) {
    if (step != nullptr && step->echoes > 0) {  // the peer's segment that the recorded one answered
      while (!arrivals_.empty() && arrivals_.front().end < step->echoes) arrivals_.pop_front();
      if (!arrivals_.empty() && static_cast<std::int32_t>(arrivals_.front().timestamp - echo_) > 0)
        echo_ = arrivals_.front().timestamp;
    } else if (!arrivals_.empty() && flags.ack) {
      const std::uint32_t latest = arrivals_.back().timestamp;
      if (static_cast<std::int32_t>(latest - echo_) > 0) echo_ = latest;
    }
    const std::uint32_t clock =
        script_.us.first_timestamp.value_or(0) + static_cast<std::uint32_t>(to_milliseconds(now - anchor_));
    header.options.timestamps = wire::TcpTimestamps{clock, flags.ack ? echo_ : 0};
  }
  if (sack_ && flags.ack && !flags.syn && begin >= sent_end_) add_sack_blocks(header.options);
  return header;
}

// RFC 7413 §3.1: a client has the cookie from the live peer, as far as there was one; a server gives the
// recorded one to who asks.
void LiveConnection::add_fast_open(wire::TcpOptions& options, const wire::FastOpenCookie& recorded) const {
  if (has_syn_) {
    if (asks_for_cookie_) options.fast_open = recorded;
    return;
  }
  options.fast_open = recorded;
  if (recorded.is_request() || cookies_ == nullptr) return;
  if (const auto known = cookies_->find(tuple_.remote.address); known != cookies_->end())
    options.fast_open = known->second;
}

void LiveConnection::add_sack_blocks(wire::TcpOptions& options) const {
  const std::size_t room = timestamps_ ? 3 : 4;  // RFC 2018 §3
  std::vector<std::pair<std::int64_t, std::int64_t>> merged;
  for (const auto& [begin, end] : beyond_) {
    if (!merged.empty() && begin <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, end);
    } else {
      merged.emplace_back(begin, end);
    }
  }
  for (std::size_t i = 0; i < merged.size() && i < room; ++i)
    options.add_sack({their_.number_of(merged[i].first), their_.number_of(merged[i].second)});
}

void LiveConnection::send_ack(Instant now) {
  wire::TcpFlags flags;
  flags.ack = true;
  ack_at_ = kNever;
  send(header_at(sent_end_, flags, nullptr, now), {}, now);
}

void LiveConnection::send(const wire::TcpHeader& header, Bytes payload, Instant now,
                          std::span<const FragmentRange> fragments) {
  ++sent_packets_;
  pacing_.sent(payload.size() + 40);
  note(true, header, payload.size(), now);
  send_(header, payload, fragments);
}

void LiveConnection::note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, Instant now) {
  last_packets_.note(is_ours, header, octets, is_ours ? own_ : their_, is_ours ? their_ : own_,
                     anchor_ == kNever ? Duration::zero() : now - anchor_);
}

std::string LiveConnection::awaited() const {
  if (was_refused_ && !has_syn_) return "a SYN-ACK; the peer refuses the connection";
  if (next_ == script_.steps.size()) {
    if (una_ < sent_end_) return fmt::format("an acknowledgment of {}, {} is the last", sent_end_, una_);
    return fmt::format("the end of the peer's stream; {} octets of {} have come",
                       std::max<std::int64_t>(heard_ - 1, 0), script_.expected.size());
  }
  const ScriptStep& step = script_.steps[next_];
  if (!is_heard(step)) {
    return fmt::format("the peer's octets up to {} (packet {} acknowledges them); {} have come", step.awaits,
                       step.number, heard_);
  }
  return fmt::format("room in the peer's window for {}:{} (packet {}); it ends at {}", step.begin, step.end,
                     step.number, peer_edge_);
}

}  // namespace transom::drivers::replay
