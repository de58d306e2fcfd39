#include "stack/tcp/scoreboard.h"

#include <algorithm>

namespace transom::tcp {

std::uint32_t Scoreboard::in_flight() const {
  const std::uint32_t gone = sacked_ + lost_ + reno_delivered_;
  return outstanding_ > gone ? outstanding_ - gone : 0;
}

std::uint32_t Scoreboard::retransmitted() const {
  std::uint32_t octets = 0;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const SentSegment& segment = segments_[i];
    if (segment.ever_retransmitted && !segment.sacked && !segment.lost) octets += segment.length;
  }
  return octets;
}

std::size_t Scoreboard::find(SeqNum sequence) const {
  std::size_t low = 0;
  std::size_t high = segments_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (is_at_or_before(segments_[middle].end(), sequence)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void Scoreboard::split(std::size_t index, std::uint32_t length) {
  SentSegment& front = segments_[index];
  SentSegment rest = front;
  rest.begin = front.begin + length;
  rest.length = front.length - length;
  front.length = length;
  front.fin = false;
  segments_.insert(index + 1, rest);
}

void Scoreboard::on_sent(SeqNum begin, std::uint32_t length, bool fin, const RateStamp& rate, Instant now) {
  if (segments_.empty()) judged_to_ = begin;
  segments_.push_back({.begin = begin, .length = length, .sent = now, .rate = rate, .fin = fin});
  outstanding_ += length;
}

void Scoreboard::set_lost(SentSegment& segment, Losses& losses) {
  if (segment.sacked || segment.lost) return;
  losses.begin = losses.octets == 0 ? segment.begin : earlier_of(losses.begin, segment.begin);
  losses.end = losses.octets == 0 ? segment.end() : later_of(losses.end, segment.end());
  losses.octets += segment.length;
  lost_from_ = lost_ == 0 ? segment.begin : earlier_of(lost_from_, segment.begin);
  segment.lost = true;
  lost_ += segment.length;
  total_lost_ += segment.length;
}

void Scoreboard::Delivered::add(const Delivered& more) {
  acked += more.acked;
  newly_delivered += more.newly_delivered;
  any_retransmitted = any_retransmitted || more.any_retransmitted;
  reordered = reordered || more.reordered;
  if (more.sent && (!sent || *more.sent > *sent)) sent = more.sent;
  if (more.latest && (!latest || *more.latest >= *latest)) {
    latest = more.latest;
    latest_end = more.latest_end;
  }
  if (more.newest && (!newest || *more.newest >= *newest)) {
    newest = more.newest;
    rate = more.rate;
  }
}

void Scoreboard::note_delivery(const SentSegment& segment, Delivered& delivered, Instant plausible) const {
  if (!delivered.newest || segment.sent >= *delivered.newest) {
    delivered.newest = segment.sent;
    delivered.rate = segment.rate;
  }
  if (segment.ever_retransmitted) {
    delivered.any_retransmitted = true;
    if (segment.sent > plausible) return;
  } else {
    if (!delivered.sent || segment.sent > *delivered.sent) delivered.sent = segment.sent;
    if (sacked_ > 0 && is_before(segment.end(), highest_sacked_)) delivered.reordered = true;
  }
  if (!delivered.latest || segment.sent >= *delivered.latest) {
    delivered.latest = segment.sent;
    delivered.latest_end = segment.end();
  }
}

void Scoreboard::set_sacked(SentSegment& segment, Delivered& delivered, Instant plausible) {
  if (segment.sacked) return;
  note_delivery(segment, delivered, plausible);
  segment.sacked = true;
  sacked_ += segment.length;
  ++sacked_entries_;
  if (segment.lost) {
    segment.lost = false;
    lost_ -= segment.length;
  }
  delivered.newly_delivered += segment.length;
}

Scoreboard::Delivered Scoreboard::acknowledge(SeqNum ack, Instant plausible) {
  Delivered delivered;
  while (!segments_.empty() && is_before(segments_.front().begin, ack)) {
    SentSegment& segment = segments_.front();
    const std::uint32_t length = std::min(segment.length, octets_between(segment.begin, ack));
    const bool whole = length == segment.length;
    delivered.acked += length;
    outstanding_ -= length;
    if (segment.sacked) {
      sacked_ -= length;
      if (whole) --sacked_entries_;
    } else {
      delivered.newly_delivered += length;
      note_delivery(segment, delivered, plausible);
    }
    if (segment.lost) lost_ -= length;
    if (whole) {
      segments_.pop_front();
    } else {
      segment.begin += length;
      segment.length -= length;
    }
  }
  while (!retransmissions_.empty() && is_at_or_before(retransmissions_.front().end, ack)) {
    retransmissions_.pop_front();
  }
  // What duplicate ACKs vouched for is among what is acknowledged now.
  reno_delivered_ = std::min(reno_delivered_ - std::min(reno_delivered_, delivered.acked), outstanding_);
  if (delivered.acked > 0) reno_credible_ = 0;
  return delivered;
}

Scoreboard::Delivered Scoreboard::apply_sacks(std::span<const wire::SackBlock> blocks, std::uint32_t mss,
                                              Instant plausible) {
  Delivered delivered;
  if (segments_.empty()) return delivered;
  const SeqNum una = segments_.front().begin;
  const SeqNum nxt = segments_.back().end();
  // In their order in the sequence space, whatever that in the option: what one ACK reports together did not
  // arrive out of order for that.
  std::array<wire::SackBlock, wire::TcpOptions::kMaxSackBlocks> sorted;
  const std::size_t count = std::min(blocks.size(), sorted.size());
  std::copy_n(blocks.begin(), count, sorted.begin());
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count),
            [una](const wire::SackBlock& a, const wire::SackBlock& b) {
              return octets_between(una, a.left) < octets_between(una, b.left);
            });
  for (const wire::SackBlock& block : std::span(sorted).first(count)) {
    // RFC 2018 §5, RFC 2883: reversed, old (a D-SACK) or never sent.
    if (!is_before(block.left, block.right) || is_before(block.left, una) || is_after(block.right, nxt))
      continue;
    for (std::size_t i = find(block.left); i < segments_.size() && is_before(segments_[i].begin, block.right);
         ++i) {
      if (segments_[i].sacked) continue;
      // An entry of several segments may be reported in part: cut it at whole segments.
      if (is_before(segments_[i].begin, block.left)) {
        const std::uint32_t before = octets_between(segments_[i].begin, block.left);
        const std::uint32_t whole = (before + mss - 1) / mss * mss;
        if (whole >= segments_[i].length) continue;
        split(i, whole);
        continue;
      }
      if (is_after(segments_[i].end(), block.right)) {
        const std::uint32_t whole = octets_between(segments_[i].begin, block.right) / mss * mss;
        if (whole == 0) break;
        split(i, whole);
      }
      if (sacked_ == 0) highest_sacked_ = segments_[i].end();
      set_sacked(segments_[i], delivered, plausible);
      highest_sacked_ = later_of(highest_sacked_, segments_[i].end());
    }
  }
  return delivered;
}

void Scoreboard::on_duplicate_ack(std::uint32_t mss) {
  if (reno_credible_ == 0) reno_credible_ = outstanding_;
  reno_delivered_ = std::min({reno_delivered_ + mss, reno_credible_, outstanding_});
}

Scoreboard::Losses Scoreboard::detect_losses(const Rack& rack, Duration window, Instant now) {
  Losses losses;
  if (segments_.empty()) return losses;
  std::size_t i = find(later_of(judged_to_, segments_.front().begin));
  for (; i < segments_.size(); ++i) {
    SentSegment& segment = segments_[i];
    if (segment.sacked || segment.lost || segment.ever_retransmitted) continue;
    if (!rack.has_overtaken(segment.sent, segment.end())) break;
    if (rack.deadline(segment.sent, window) > now) {
      losses.some_wait = true;
      break;
    }
    set_lost(segment, losses);
  }
  judged_to_ = i < segments_.size() ? segments_[i].begin : segments_.back().end();

  while (!retransmissions_.empty()) {
    const Retransmission again = retransmissions_.front();
    if (!rack.has_overtaken(again.sent)) break;
    bool is_open = false;
    const bool is_due = rack.deadline(again.sent, window) <= now;
    for (i = find(again.begin); i < segments_.size() && is_before(segments_[i].begin, again.end); ++i) {
      SentSegment& segment = segments_[i];
      if (segment.sacked || segment.lost || segment.sent != again.sent) continue;
      is_open = true;
      if (!is_due) break;
      set_lost(segment, losses);
      losses.retransmissions += segment.length;
    }
    if (is_open && !is_due) {
      losses.some_wait = true;
      break;
    }
    retransmissions_.pop_front();
  }
  return losses;
}

Scoreboard::Losses Scoreboard::mark_front_lost(std::uint32_t mss) {
  Losses losses;
  if (segments_.empty() || segments_.front().sacked || segments_.front().lost) return losses;
  if (segments_.front().length > mss) split(0, mss);
  set_lost(segments_.front(), losses);
  return losses;
}

Scoreboard::Losses Scoreboard::mark_all_lost() {
  Losses losses;
  if (segments_.empty()) return losses;
  losses.reneged = segments_.front().sacked;
  reset_duplicate_acks();
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (losses.reneged && segments_[i].sacked) {
      segments_[i].sacked = false;
      sacked_ -= segments_[i].length;
      --sacked_entries_;
    }
    set_lost(segments_[i], losses);
  }
  retransmissions_.clear();
  judged_to_ = segments_.back().end();
  return losses;
}

Scoreboard::Losses Scoreboard::mark_longer_than_lost(std::uint32_t mss) {
  Losses losses;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].length > mss) set_lost(segments_[i], losses);
  }
  return losses;
}

std::optional<SentSegment> Scoreboard::next_lost(std::uint32_t limit) {
  if (lost_ == 0) return std::nullopt;
  for (std::size_t i = find(later_of(lost_from_, segments_.front().begin)); i < segments_.size(); ++i) {
    if (!segments_[i].lost) continue;
    SentSegment range = segments_[i];
    lost_from_ = range.begin;
    // Neighbours that are lost too go out together, as one super-segment.
    for (std::size_t j = i + 1; j < segments_.size() && segments_[j].lost && range.length < limit; ++j) {
      range.length += segments_[j].length;
      range.fin = segments_[j].fin;
    }
    if (range.length > limit) {
      range.length = limit;
      range.fin = false;
    }
    return range;
  }
  return std::nullopt;
}

void Scoreboard::forget_losses() {
  for (std::size_t i = 0; i < segments_.size() && lost_ > 0; ++i) {
    if (!segments_[i].lost) continue;
    segments_[i].lost = false;
    lost_ -= segments_[i].length;
  }
  judged_to_ = segments_.empty() ? judged_to_ : segments_.front().begin;
}

void Scoreboard::on_retransmitted(SeqNum begin, std::uint32_t length, const RateStamp& rate, Instant now) {
  const SeqNum end = begin + length;
  retransmissions_.push_back({begin, end, now});
  for (std::size_t i = find(begin); i < segments_.size() && is_before(segments_[i].begin, end); ++i) {
    if (is_before(segments_[i].begin, begin)) {
      split(i, octets_between(segments_[i].begin, begin));
      continue;
    }
    if (is_after(segments_[i].end(), end)) split(i, octets_between(segments_[i].begin, end));
    SentSegment& segment = segments_[i];
    if (segment.lost) {
      segment.lost = false;
      lost_ -= segment.length;
    }
    segment.ever_retransmitted = true;
    segment.sent = now;
    segment.rate = rate;
  }
}

SentSegment Scoreboard::last(std::uint32_t mss) const {
  SentSegment last = segments_.back();
  const std::uint32_t length = std::min(last.length, mss + (last.fin ? 1U : 0U));
  last.begin = last.end() - length;
  last.length = length;
  return last;
}

}  // namespace transom::tcp
