#include "stack/tcp/scoreboard.h"

#include <algorithm>

namespace transom::tcp {

namespace {
constexpr std::uint32_t kDuplicateThreshold = 3;  // RFC 5681 §3.2, RFC 6675 §2
}

std::uint32_t Scoreboard::in_flight() const {
  const std::uint32_t gone = sacked_ + lost_ + reno_delivered_;
  return outstanding_ > gone ? outstanding_ - gone : 0;
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

void Scoreboard::on_sent(SeqNum begin, std::uint32_t length, bool fin, Instant now) {
  segments_.push_back({.begin = begin, .length = length, .sent = now, .fin = fin});
  outstanding_ += length;
}

void Scoreboard::set_lost(SentSegment& segment) {
  if (segment.sacked || segment.lost) return;
  lost_from_ = lost_ == 0 ? segment.begin : earlier_of(lost_from_, segment.begin);
  segment.lost = true;
  lost_ += segment.length;
}

void Scoreboard::set_sacked(SentSegment& segment, Delivered& delivered) {
  if (segment.sacked) return;
  segment.sacked = true;
  sacked_ += segment.length;
  if (segment.lost) {
    segment.lost = false;
    lost_ -= segment.length;
  }
  delivered.newly_delivered += segment.length;
  if (segment.ever_retransmitted) {
    delivered.any_retransmitted = true;
  } else if (!delivered.sent || segment.sent > *delivered.sent) {
    delivered.sent = segment.sent;
  }
}

Scoreboard::Delivered Scoreboard::acknowledge(SeqNum ack) {
  Delivered delivered;
  while (!segments_.empty() && is_before(segments_.front().begin, ack)) {
    SentSegment& segment = segments_.front();
    const std::uint32_t length = std::min(segment.length, octets_between(segment.begin, ack));
    delivered.acked += length;
    outstanding_ -= length;
    if (segment.sacked) {
      sacked_ -= length;
    } else {
      delivered.newly_delivered += length;
      if (segment.ever_retransmitted) {
        delivered.any_retransmitted = true;
      } else if (!delivered.sent || segment.sent > *delivered.sent) {
        delivered.sent = segment.sent;
      }
    }
    if (segment.lost) lost_ -= length;
    if (length == segment.length) {
      segments_.pop_front();
    } else {
      segment.begin += length;
      segment.length -= length;
    }
  }
  // What duplicate ACKs vouched for is among what is acknowledged now.
  reno_delivered_ = std::min(reno_delivered_ - std::min(reno_delivered_, delivered.acked), outstanding_);
  return delivered;
}

Scoreboard::Delivered Scoreboard::apply_sacks(std::span<const wire::SackBlock> blocks, std::uint32_t mss) {
  Delivered delivered;
  if (segments_.empty()) return delivered;
  const SeqNum una = segments_.front().begin;
  const SeqNum nxt = segments_.back().end();
  for (const wire::SackBlock& block : blocks) {
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
      if (sacked_ == 0) {
        highest_sacked_ = segments_[i].end();
        losses_known_to_ = una;
      }
      set_sacked(segments_[i], delivered);
      highest_sacked_ = later_of(highest_sacked_, segments_[i].end());
    }
  }
  return delivered;
}

void Scoreboard::on_duplicate_ack(std::uint32_t mss) {
  reno_delivered_ = std::min(reno_delivered_ + mss, outstanding_);
}

bool Scoreboard::detect_losses(std::uint32_t mss) {
  if (sacked_ == 0) return false;
  // Walk down from the highest SACKed entry until more than (DupThresh - 1) segments' worth of octets, or
  // DupThresh separate entries, have been reported: everything unreported below is lost. The walk is short;
  // each entry is judged once.
  std::uint32_t octets = 0;
  std::uint32_t entries = 0;
  std::size_t index = find(highest_sacked_ - 1);
  for (;; --index) {
    if (segments_[index].sacked) {
      octets += segments_[index].length;
      ++entries;
      if (entries >= kDuplicateThreshold || octets > (kDuplicateThreshold - 1) * mss) break;
    }
    if (index == 0) return false;
  }
  const SeqNum limit = segments_[index].begin;
  bool news = false;
  for (std::size_t i = find(later_of(losses_known_to_, segments_.front().begin)); i < index; ++i) {
    SentSegment& segment = segments_[i];
    if (segment.sacked || segment.lost || segment.ever_retransmitted) continue;
    set_lost(segment);
    news = true;
  }
  losses_known_to_ = later_of(losses_known_to_, limit);
  return news;
}

bool Scoreboard::mark_front_lost(std::uint32_t mss) {
  if (segments_.empty() || segments_.front().sacked || segments_.front().lost) return false;
  if (segments_.front().length > mss) split(0, mss);
  set_lost(segments_.front());
  return true;
}

bool Scoreboard::mark_all_lost() {
  if (segments_.empty()) return false;
  const bool reneged = segments_.front().sacked;
  reno_delivered_ = 0;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (reneged && segments_[i].sacked) {
      segments_[i].sacked = false;
      sacked_ -= segments_[i].length;
    }
    set_lost(segments_[i]);
  }
  return reneged;
}

void Scoreboard::mark_longer_than_lost(std::uint32_t mss) {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].length > mss) set_lost(segments_[i]);
  }
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

void Scoreboard::on_retransmitted(SeqNum begin, std::uint32_t length, Instant now) {
  const SeqNum end = begin + length;
  for (std::size_t i = find(begin); i < segments_.size() && is_before(segments_[i].begin, end); ++i) {
    if (is_after(segments_[i].end(), end)) split(i, octets_between(segments_[i].begin, end));
    SentSegment& segment = segments_[i];
    if (segment.lost) {
      segment.lost = false;
      lost_ -= segment.length;
    }
    segment.ever_retransmitted = true;
    segment.sent = now;
  }
}

void Scoreboard::clear() {
  segments_.clear();
  outstanding_ = sacked_ = lost_ = reno_delivered_ = 0;
}

}  // namespace transom::tcp
