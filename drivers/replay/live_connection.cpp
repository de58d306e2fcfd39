#include "drivers/replay/live_connection.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::replay {

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
