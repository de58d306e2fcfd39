#include "stack/tcp/receiver.h"

#include <algorithm>

namespace transom::tcp {

void Receiver::start(SeqNum irs, std::uint8_t scale, std::uint32_t buffer, std::uint32_t mss) {
  nxt_ = right_edge_ = last_ack_sent_ = irs + 1;
  scale_ = scale;
  buffer_ = buffer;
  mss_ = mss;
  delayed_ack_.go_quick(DelayedAck::kMaxQuick);  // while the peer is in slow start, each segment deserves one
}

std::uint32_t Receiver::window() const {
  return is_after(right_edge_, nxt_) ? octets_between(nxt_, right_edge_) : 0;
}

bool Receiver::is_in_window(SeqNum sequence) const {
  return is_at_or_after(sequence, nxt_) && is_before(sequence, nxt_ + window());
}

bool Receiver::is_acceptable(SeqNum sequence, std::uint32_t length) const {
  // The right edge itself is let in, beyond the RFC's text: there stand the pure ACKs of a peer that has
  // filled our window. Where both ends did so and lost all of it, these ACKs alone tell that the windows are
  // full.
  if (length == 0) return is_at_or_after(sequence, nxt_) && octets_between(nxt_, sequence) <= window();
  if (window() == 0) return false;
  return is_in_window(sequence) || is_in_window(sequence + (length - 1));
}

// ---------------------------------------------------------------- text

Receiver::Accepted Receiver::accept(BufferPool& pool, SeqNum sequence, Payload payload, bool fin,
                                    std::uint32_t segment_size) {
  Accepted accepted;
  const SeqNum fin_position = sequence + payload.size();
  if (is_before(sequence, nxt_)) {  // RFC 9293 §3.10.7.4: trim off what was received before
    const std::uint32_t old = std::min(octets_between(sequence, nxt_), payload.size());
    if (old > 0) {
      has_duplicate_ = true;
      duplicate_ = {sequence, sequence + old};
      delayed_ack_.on_disorder(useful_quick_acks());
      need_ack(AckNeed::kNow);
    }
    payload.trim_front(old);
    sequence += old;
  }
  const SeqNum edge = nxt_ + window();
  if (is_after(sequence + payload.size(), edge)) {
    payload.trim_back(std::min(octets_between(edge, sequence + payload.size()), payload.size()));
    fin = false;              // it lies beyond what was trimmed
    need_ack(AckNeed::kNow);  // tells the peer our window: this may have been a probe of it
  }

  if (!payload.empty() && sequence != nxt_) {
    accepted.out_of_order = true;
    delayed_ack_.on_disorder(useful_quick_acks());
    hold(pool, sequence, std::move(payload));
    need_ack(AckNeed::kNow);  // RFC 5681 §4.2
  } else if (!payload.empty()) {
    const std::uint32_t octets = payload.size();
    queue_.append(pool, std::move(payload));
    nxt_ += octets;
    accepted.delivered = octets;
    if (reassembly_) {
      accepted.delivered += release(pool);
      need_ack(AckNeed::kNow);  // RFC 5681 §4.2: it fills all or part of a gap
    }
    on_in_order(octets, segment_size);
    if (urgent_ == Urgent::kExpected) capture_urgent();
  }

  if (fin && !fin_received_ && is_at_or_after(fin_position, nxt_)) {
    has_pending_fin_ = true;
    pending_fin_ = fin_position;
    if (pending_fin_ != nxt_) need_ack(AckNeed::kNow);
  }
  if (has_pending_fin_ && pending_fin_ == nxt_ && !fin_received_) {
    fin_received_ = accepted.fin_reached = true;
    nxt_ += 1;
    need_ack(AckNeed::kNow);
  }
  return accepted;
}

// Text that lies beyond a hole.
void Receiver::hold(BufferPool& pool, SeqNum sequence, Payload payload) {
  if (!reassembly_) reassembly_ = std::make_unique<ReassemblyQueue>();
  const auto inserted = reassembly_->insert(pool, sequence, std::move(payload), std::max(buffer_, window()));
  if (inserted.duplicate) {
    has_duplicate_ = true;
    duplicate_ = *inserted.duplicate;
  }
  if (reassembly_->empty()) reassembly_.reset();
}

// Moves what has become next in order to the queue. Returns how many octets.
std::uint32_t Receiver::release(BufferPool& pool) {
  const SeqNum before = nxt_;
  while (auto run = reassembly_->take_contiguous(nxt_)) {
    nxt_ = run->end;
    queue_.append(pool, run->slices);
  }
  if (reassembly_->empty()) reassembly_.reset();
  return octets_between(before, nxt_);
}

void Receiver::on_in_order(std::uint32_t octets, std::uint32_t segment_size) {
  peer_segment_ = std::max(peer_segment_, std::min(segment_size != 0 ? segment_size : octets, mss_));
  unacked_octets_ += octets;
  // RFC 9293 SHLD-19: at least every second full-sized segment.
  const bool two_segments = unacked_octets_ >= 2 * peer_segment_;
  need_ack(two_segments || delayed_ack_.is_quick() ? AckNeed::kNow : AckNeed::kDelayed);
}

void Receiver::note_duplicate(SeqNum sequence, std::uint32_t octets) {
  if (octets == 0 || !is_before(sequence, nxt_)) return;
  has_duplicate_ = true;
  delayed_ack_.on_disorder(useful_quick_acks());
  duplicate_ = {sequence, earlier_of(sequence + octets, nxt_)};
}

// ---------------------------------------------------------------- window and acknowledgments

std::uint32_t Receiver::free_space() const {
  const std::uint32_t used = queue_.size() + taken_;
  return buffer_ > used ? buffer_ - used : 0;
}

std::uint32_t Receiver::offer_window() {
  const std::uint32_t unit = 1U << scale_;
  const std::uint32_t largest = 0xffffU << scale_;
  const std::uint32_t free = std::min(free_space(), largest);
  // RFC 9293 §3.8.6.2.2: move the edge in steps of min(half the buffer, one MSS), else leave it.
  const std::uint32_t step = std::min(buffer_ / 2, mss_);
  const std::uint32_t kept = window();
  const std::uint32_t wanted = free >= kept + step ? free : kept;
  // The field counts in units. What was offered before is rounded up, so that the edge never moves back
  // (SHLD-14, RFC 7323 §2.4), be it a fraction of a unit beyond the buffer; what is offered anew is rounded
  // down.
  const std::uint32_t kept_in_units = (kept + unit - 1) / unit * unit;
  const std::uint32_t offered = std::max(wanted / unit * unit, kept_in_units);
  right_edge_ = later_of(right_edge_, nxt_ + offered);
  return std::min(offered, largest);
}

bool Receiver::window_update_due() const {
  const std::uint32_t now_offered = window();
  const std::uint32_t free = std::min(free_space(), 0xffffU << scale_);
  const std::uint32_t step = std::min(buffer_ / 2, mss_);
  return free >= now_offered + step && free / 2 >= now_offered;
}

void Receiver::ack_sent() {
  ack_need_ = AckNeed::kNone;
  unacked_octets_ = 0;
  last_ack_sent_ = nxt_;
  delayed_ack_.on_sent();
}

std::size_t Receiver::sack_blocks(std::span<wire::SackBlock> out) {
  const bool reports_duplicate = has_duplicate_ && !out.empty();
  if (reports_duplicate) out[0] = duplicate_;
  const std::size_t first = reports_duplicate ? 1 : 0;
  const auto held = out.subspan(first);
  const std::size_t count = reassembly_ ? reassembly_->sack_blocks(held) : 0;
  // RFC 2883 §4 (4): the block around it comes second, also when another has grown since.
  if (reports_duplicate) {
    const auto around = std::ranges::find_if(held.first(count), [&](const wire::SackBlock& block) {
      return is_at_or_before(block.left, duplicate_.left) && is_at_or_after(block.right, duplicate_.right);
    });
    if (around != held.begin() + static_cast<std::ptrdiff_t>(count))
      std::rotate(held.begin(), around, around + 1);
    has_duplicate_ = false;
  }
  return first + count;
}

// ---------------------------------------------------------------- timestamps

void Receiver::update_timestamp(std::uint32_t value, SeqNum sequence, Instant now) {
  // RFC 7323 §4.3 (2): from a segment that covers the last ACK sent, and not going back.
  if (static_cast<std::int32_t>(value - ts_recent_) < 0 &&
      !(now - ts_recent_time_ > std::chrono::hours(24 * 24)))
    return;
  if (is_after(sequence, last_ack_sent_)) return;
  ts_recent_ = value;
  ts_recent_time_ = now;
}

bool Receiver::is_too_old(std::uint32_t value, Instant now) const {
  constexpr Duration kValid = std::chrono::hours(24 * 24);  // RFC 7323 §5.5
  return static_cast<std::int32_t>(value - ts_recent_) < 0 && now - ts_recent_time_ <= kValid;
}

// ---------------------------------------------------------------- the user's side

SeqNum Receiver::read_position() const { return nxt_ - (queue_.size() + (fin_received_ ? 1U : 0U)); }

std::uint32_t Receiver::readable(bool urgent_in_line) const {
  const bool skips_one = !urgent_in_line && !queue_.empty() && at_urgent_mark();
  return queue_.size() - (skips_one ? 1 : 0);
}

Receiver::NextRead Receiver::next_read(bool urgent_in_line) const {
  NextRead next{.end = queue_.size()};
  if (urgent_ != Urgent::kReady && urgent_ != Urgent::kTaken) return next;
  const std::int32_t ahead = urgent_position_ - read_position();
  if (ahead > 0) {
    next.end = std::min(next.end, static_cast<std::uint32_t>(ahead));  // stop at the mark
  } else if (ahead == 0 && !urgent_in_line && next.end > 0) {
    next.skipped = 1;  // the urgent octet is read by itself only
  }
  return next;
}

void Receiver::forget_urgent_passed() {
  if (urgent_ != Urgent::kNone && urgent_ != Urgent::kExpected &&
      is_after(read_position(), urgent_position_)) {
    urgent_ = Urgent::kNone;
  }
}

std::size_t Receiver::read(MutableBytes out, bool peek, bool urgent_in_line) {
  const NextRead next = next_read(urgent_in_line);
  const std::size_t copied = queue_.copy(out.first(std::min(out.size(), next.octets())), next.skipped);
  if (peek) return copied;
  queue_.drop_front(static_cast<std::uint32_t>(copied) + next.skipped);
  forget_urgent_passed();
  return copied;
}

std::size_t Receiver::take(std::vector<Slice>& out, std::size_t limit, bool urgent_in_line) {
  const NextRead next = next_read(urgent_in_line);
  const auto octets = static_cast<std::uint32_t>(std::min(limit, next.octets()));
  queue_.drop_front(next.skipped);
  queue_.take(octets, out);
  taken_ += octets;
  forget_urgent_passed();
  return octets;
}

void Receiver::discard() { queue_.clear(); }

bool Receiver::on_urgent(SeqNum sequence, std::uint16_t pointer) {
  if (pointer == 0) return false;  // the mark would lie before the segment: nothing is urgent
  const SeqNum position = sequence + (pointer - 1U);
  if (is_before(position, read_position())) return false;
  if (urgent_ != Urgent::kNone && is_at_or_before(position, urgent_position_)) return false;
  if (urgent_ == Urgent::kNone && is_before(position, nxt_)) return false;  // it went by as ordinary data
  urgent_position_ = position;
  urgent_ = Urgent::kExpected;
  return true;
}

void Receiver::capture_urgent() {
  const std::int32_t ahead = urgent_position_ - read_position();
  if (ahead < 0 || static_cast<std::uint32_t>(ahead) >= queue_.size()) return;
  queue_.copy({&urgent_octet_, 1}, static_cast<std::uint32_t>(ahead));
  urgent_ = Urgent::kReady;
}

bool Receiver::at_urgent_mark() const {
  return urgent_ != Urgent::kNone && urgent_position_ == read_position();
}

Result<std::uint8_t> Receiver::read_urgent(bool peek, bool urgent_in_line) {
  if (urgent_in_line || urgent_ == Urgent::kNone || urgent_ == Urgent::kTaken)
    return std::unexpected(Error::kInvalidArgument);
  if (urgent_ == Urgent::kExpected) return std::unexpected(Error::kWouldBlock);
  if (!peek) urgent_ = Urgent::kTaken;
  return urgent_octet_;
}

}  // namespace transom::tcp
