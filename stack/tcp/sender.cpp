#include "stack/tcp/sender.h"

#include <algorithm>
#include <utility>

namespace transom::tcp {

const SendQueue Sender::kNothingQueued;

void Sender::begin() {
  flow_ = std::make_unique<Flow>();
  flow_->start(una_);
}

void Sender::establish(std::uint32_t mss, bool sack) {
  mss_ = mss;
  sack_ = sack;
  if (flow_) flow_->start(una_);
}

void Sender::take_over_syn_data(std::uint32_t octets, std::uint32_t acked, Instant sent) {
  flow_->queue.drop_front(acked);
  una_ = nxt_ = una_ + acked;
  flow_->recovery_point = flow_->small_end = flow_->urgent_end = una_;
  const std::uint32_t ignored = octets - acked;
  if (ignored == 0) return;
  flow_->scoreboard.on_sent(
      nxt_, ignored, false,
      flow_->delivery_rate.on_sent({.in_flight = 0, .octets = ignored, .lost = 0}, sent), sent);
  nxt_ += ignored;
  declare(flow_->scoreboard.mark_all_lost(), Reason::kFastOpenIgnored, sent);
}

std::uint32_t Sender::unsent() const {
  const std::uint32_t sent = outstanding() - (fin_sent_ && una_ != nxt_ ? 1U : 0U);
  return queue().size() - std::min(sent, queue().size());
}

CongestionView Sender::view(Instant now) const {
  const auto output = control();
  return {.now = now,
          .mss = mss_,
          .in_flight = flow_->scoreboard.in_flight(),
          .srtt = rtt_.srtt(),
          .min_rtt = rtt_.has_sample() ? rtt_.min_rtt() : Duration::zero(),
          .in_fast_recovery = flow_->recovery == Recovery::kFast,
          .in_timeout_recovery = flow_->recovery == Recovery::kTimeout,
          .cwnd_limited = flow_->window_validation.is_used(output.cwnd, output.ssthresh)};
}

// ---------------------------------------------------------------- sending

std::uint32_t Sender::window_room() const {
  const std::int32_t room =
      (una_ + window_) - nxt_;  // negative when the peer has shrunk its window (MUST-34)
  return room > 0 ? static_cast<std::uint32_t>(room) : 0;
}

std::uint64_t Sender::cwnd() const {
  const bool is_proportional = flow_->recovery == Recovery::kFast && flow_->peer_sends_sack &&
                               flow_->congestion->wants_proportional_reduction();
  return is_proportional ? flow_->prr.window() : control().cwnd;
}

// An algorithm may be anybody's. Its window is at least the loss window and at most what sequence numbers
// allow; its threshold at least two segments (RFC 5681 §3.1); and its pace no standstill.
CongestionControl::Output Sender::control() const {
  constexpr std::uint64_t kSlowest = 4;  // seconds for a segment
  CongestionControl::Output output = flow_->congestion->output();
  output.cwnd = std::clamp<std::uint64_t>(output.cwnd, mss_, kMaxCongestionWindow);
  output.ssthresh = std::max(output.ssthresh, std::uint64_t{2} * mss_);
  if (output.pacing_rate != 0) output.pacing_rate = std::max(output.pacing_rate, mss_ / kSlowest + 1);
  return output;
}

std::uint64_t Sender::congestion_room() const {
  const std::uint64_t window = cwnd();
  const std::uint64_t used = flow_->scoreboard.in_flight();
  return window > used ? window - used : 0;
}

std::expected<Transmission, SendLimit> Sender::poll(SendPolicy policy) {
  if (!flow_) return std::unexpected(SendLimit::kNothingToSend);
  if (flow_->probe_due) return poll_probe(policy);
  if (trace_ != nullptr && trace_->is_on()) tell_clamp();
  flow_->pacing_rate = control().pacing_rate;
  if (policy.max_pacing_rate != 0 && (flow_->pacing_rate == 0 || flow_->pacing_rate > policy.max_pacing_rate))
    flow_->pacing_rate = policy.max_pacing_rate;
  if (flow_->pacing_rate != 0)
    policy.max_octets = std::min(policy.max_octets, Pacer::burst(flow_->pacing_rate, mss_));
  auto next = poll_next(policy);
  if (next && flow_->pacing_rate != 0 && policy.now < flow_->pacer.next() && !flow_->force_retransmission)
    next = std::unexpected(SendLimit::kPacing);
  if (next) {
    flow_->told_limit.reset();
    return next;
  }
  if (trace_ != nullptr && trace_->is_on()) tell_limit(next.error());
  if (next.error() == SendLimit::kNothingToSend && congestion_room() > 0)
    flow_->delivery_rate.on_application_limited(flow_->scoreboard.in_flight());
  validate_window(next.error(), policy);
  return next;
}

void Sender::tell_clamp() {
  const auto wanted = flow_->congestion->output();
  const auto given = control();
  const bool is_clamped = wanted.cwnd != given.cwnd || wanted.pacing_rate != given.pacing_rate;
  if (is_clamped && !flow_->told_clamp)
    tell<TcpClampEvent>(wanted.cwnd, given.cwnd, wanted.pacing_rate, given.pacing_rate, Reason::kClamped);
  flow_->told_clamp = is_clamped;
}

void Sender::validate_window(SendLimit limit, const SendPolicy& policy) {
  const auto output = control();
  const std::uint32_t in_flight = flow_->scoreboard.in_flight();
  // A paced sender fills the window little by little, and never quite.
  const std::uint64_t slack = limit == SendLimit::kPacing ? output.cwnd / 4 : mss_ - 1;
  flow_->window_validation.on_sent(
      {.una = una_, .nxt = nxt_, .in_flight = in_flight, .cwnd = output.cwnd, .ssthresh = output.ssthresh},
      limit == SendLimit::kCongestion || in_flight + slack >= output.cwnd, policy.now);
  const auto used = flow_->window_validation.take_underuse(rtt_.rto(), policy.now);
  if (!used || in_recovery() || policy.writer_waits) return;
  const Windows before = windows();
  flow_->congestion->on_underuse(view(policy.now), *used);
  tell_change(before, Reason::kIdle);
}

void Sender::tell_limit(SendLimit limit) {
  if (flow_->told_limit == limit) return;
  flow_->told_limit = limit;
  constexpr Reason kReasons[] = {Reason::kNothingToSend, Reason::kPeerWindow, Reason::kCongestionWindow,
                                 Reason::kNagle,         Reason::kCorked,     Reason::kSillyWindow,
                                 Reason::kPacing};
  tell<TcpLimitEvent>(kReasons[static_cast<std::size_t>(limit)], unsent());
}

std::expected<Transmission, SendLimit> Sender::poll_next(const SendPolicy& policy) {
  if (!flow_->scoreboard.has_lost()) return poll_new_data(policy);
  if (flow_->spurious.wants_new_data()) {
    const auto fresh = poll_new_data(policy);
    if (fresh || fresh.error() == SendLimit::kCongestion) return fresh;
  }
  return poll_retransmission(policy);
}

std::expected<Transmission, SendLimit> Sender::poll_retransmission(const SendPolicy& policy) {
  const std::uint64_t room = congestion_room();
  if (room < mss_ && !flow_->force_retransmission) return std::unexpected(SendLimit::kCongestion);
  const auto whole =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(room, policy.max_octets) / mss_ * mss_);
  const auto lost = flow_->scoreboard.next_lost(flow_->force_retransmission ? mss_ : std::max(whole, mss_));
  // RFC 9293 §3.8.6, SHLD-16: old data inside a window that has shrunk goes on being retransmitted; beyond
  // it, a probe finds out.
  const std::int32_t inside = (una_ + std::max(window_, 1U)) - lost->begin;
  if (inside <= 0) return std::unexpected(SendLimit::kWindow);
  Transmission next{.begin = lost->begin,
                    .octets = lost->length - (lost->fin ? 1U : 0U),
                    .fin = lost->fin,
                    .retransmission = true};
  if (next.octets > static_cast<std::uint32_t>(inside) && window_ > 0) {
    next.octets = static_cast<std::uint32_t>(inside);
    next.fin = false;
  }
  next.push = next.begin + next.octets == end_of_data();
  return next;
}

// RFC 8985 §7.3: one segment of new data where the peer's window lets it, else the last one again. The
// congestion window does not matter for it.
std::expected<Transmission, SendLimit> Sender::poll_probe(const SendPolicy& policy) {
  const std::uint32_t fresh = std::min({unsent(), window_room(), mss_, policy.max_octets});
  if (fresh > 0) {
    Transmission next{.begin = nxt_, .octets = fresh, .push = fresh == unsent(), .probe = true};
    next.fin = next.push && fin_queued_ && fresh < window_room();
    return next;
  }
  const SentSegment last = flow_->scoreboard.last(mss_);
  return Transmission{.begin = last.begin,
                      .octets = last.length - (last.fin ? 1U : 0U),
                      .fin = last.fin,
                      .push = true,
                      .retransmission = true,
                      .probe = true};
}

std::expected<Transmission, SendLimit> Sender::poll_new_data(const SendPolicy& policy) {
  const std::uint32_t waiting = unsent();
  if (waiting == 0) {
    if (!fin_queued_ || fin_sent_) return std::unexpected(SendLimit::kNothingToSend);
    if (window_room() == 0) return std::unexpected(SendLimit::kWindow);
    return Transmission{.begin = nxt_, .fin = true};
  }
  const std::uint32_t window = window_room();
  if (window == 0) return std::unexpected(SendLimit::kWindow);
  const std::uint64_t congestion = congestion_room();
  const std::uint32_t usable = std::min(waiting, window);
  std::uint32_t octets = std::min(usable, policy.max_octets);
  if (octets > congestion) {
    // Whole segments only: a window that is not a multiple of the MSS must not cut small ones.
    octets = static_cast<std::uint32_t>(congestion / mss_ * mss_);
    if (octets == 0) return std::unexpected(SendLimit::kCongestion);
  }
  if (const auto probe = poll_path_probe(policy)) return *probe;
  const std::uint32_t partial = octets % mss_;
  if (partial != 0) {
    if (const auto limit = why_partial_must_wait(octets, policy)) {
      octets -= partial;
      if (octets == 0) return std::unexpected(*limit);
    }
  }
  Transmission next{.begin = nxt_, .octets = octets};
  next.push = octets == waiting;  // MUST-61
  next.fin = next.push && fin_queued_ && octets < window;
  return next;
}

// RFC 4821 §7.4, §7.5: when a probe is due, and there is enough to send behind it for its loss to be seen.
std::optional<std::expected<Transmission, SendLimit>> Sender::poll_path_probe(const SendPolicy& policy) {
  if (in_recovery()) return std::nullopt;
  const std::uint32_t size = flow_->path_mtu_search.due_probe(path_mss_, policy.now);
  if (size <= mss_) return std::nullopt;
  const std::uint32_t with_followers = size + kDuplicateThreshold * mss_;
  if (std::min(unsent(), window_room()) < with_followers || cwnd() < with_followers) return std::nullopt;
  if (congestion_room() < size) return std::unexpected(SendLimit::kCongestion);  // the next ACK makes room
  return Transmission{.begin = nxt_, .octets = size, .path_probe = true};
}

// `octets` is what would be sent; its last segment is below one MSS.
std::optional<SendLimit> Sender::why_partial_must_wait(std::uint32_t octets, const SendPolicy& policy) const {
  if (policy.override_limits) return std::nullopt;
  if (octets == unsent()) {  // all that there is
    if (fin_queued_) return std::nullopt;
    if (policy.cork) return SendLimit::kCorked;
    if (policy.no_delay) return std::nullopt;
    // Nagle with Minshall's refinement, as Linux has it: wait only for an earlier small segment.
    if (is_after(flow_->small_end, una_)) return SendLimit::kNagle;
    return std::nullopt;
  }
  if (octets == policy.max_octets) return std::nullopt;
  // Cut short by the peer's window (RFC 9293 §3.8.6.2.1): worth it from half the largest window on.
  if (octets >= std::max(max_window_ / 2, 1U)) return std::nullopt;
  return SendLimit::kSillyWindow;
}

void Sender::transmitted(const Transmission& transmission, Instant now) {
  if (flow_->recovery == Recovery::kFast) flow_->prr.on_sent(transmission.length());
  flow_->pacer.on_sent(transmission.octets, flow_->pacing_rate, now);
  const RateStamp rate = flow_->delivery_rate.on_sent({.in_flight = flow_->scoreboard.in_flight(),
                                                       .octets = transmission.length(),
                                                       .lost = flow_->scoreboard.total_lost()},
                                                      now);
  flow_->congestion->on_sent(view(now), transmission.length());
  if (transmission.retransmission) {
    flow_->scoreboard.on_retransmitted(transmission.begin, transmission.length(), rate, now);
    flow_->spurious.on_retransmitted(transmission.length(), now);
    flow_->force_retransmission = false;
  } else {
    flow_->scoreboard.on_sent(transmission.begin, transmission.length(), transmission.fin, rate, now);
    nxt_ += transmission.length();
    if (transmission.fin) fin_sent_ = true;
    if (transmission.path_probe) {
      flow_->path_mtu_search.on_probe_sent(transmission.begin, transmission.octets);
    } else if (transmission.octets % mss_ != 0) {
      flow_->small_end = nxt_;
    }
  }
  if (transmission.probe) {
    flow_->probe_due = false;
    flow_->probe_outstanding = true;
    flow_->probe_repeats = transmission.retransmission;
    flow_->probe_end = nxt_;
  }
  arm_loss_detection(now);
}

}  // namespace transom::tcp
