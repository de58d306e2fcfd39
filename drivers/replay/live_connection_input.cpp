// What comes from the peer.
#include <algorithm>

#include "drivers/replay/live_connection.h"

namespace transom::drivers::replay {

namespace {

using std::chrono::milliseconds;

constexpr Duration kAckDelay = milliseconds(40);  // of what no step acknowledges
constexpr Duration kRetryConnect = milliseconds(100);
constexpr std::uint32_t kLeastSegment = 48;  // octets that any path takes in a segment (RFC 791: MTU 68)
constexpr std::size_t kMaxArrivals = 4096;
constexpr std::size_t kMaxBeyond = 4096;

}  // namespace

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
  // Octets that need not be equal count as if they were.
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

}  // namespace transom::drivers::replay
