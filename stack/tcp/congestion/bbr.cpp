#include "stack/tcp/congestion/bbr.h"

#include <algorithm>

namespace transom::tcp {

namespace {

// §2.4, §2.5: gains in hundredths.
constexpr std::uint32_t kStartupPacing = 277, kDrainPacing = 50, kDownPacing = 90, kUpPacing = 125,
                        kEven = 100;
constexpr std::uint32_t kCwndGain = 200, kUpCwndGain = 225, kProbeRttCwndGain = 50;
constexpr std::uint32_t kPacingMargin = 1;   // per cent below the estimate
constexpr std::uint32_t kLossThreshold = 2;  // per cent
constexpr std::uint32_t kBeta = 70;          // per cent that is left after a loss
constexpr std::uint32_t kHeadroom = 15;      // per cent left to others
constexpr std::uint32_t kFullRounds = 3;
constexpr std::uint32_t kFullGrowth = 125;
constexpr std::uint32_t kStartupLossEvents = 6;
constexpr std::uint32_t kMinPipe = 4;  // segments
constexpr Duration kMinRttWindow = std::chrono::seconds(10);
constexpr Duration kProbeRttInterval = std::chrono::seconds(5);
constexpr Duration kProbeRttTime = std::chrono::milliseconds(200);
constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t scaled(std::uint64_t value, std::uint32_t percent) {
  if (value > UINT64_MAX / 512) return value;
  return value * percent / 100;
}

}  // namespace

Bbr::Bbr(const CongestionSettings& settings)
    : random_(settings.seed | 1U), cwnd_(settings.initial_window), initial_(settings.initial_window) {}

// Xorshift: chance enough for waiting times.
std::uint64_t Bbr::random_below(std::uint64_t bound) {
  random_ ^= random_ << 13U;
  random_ ^= random_ >> 7U;
  random_ ^= random_ << 17U;
  return random_ % bound;
}

CongestionControl::Output Bbr::output() const {
  // There is no threshold; during Startup the window is below any.
  return {.cwnd = std::min(cwnd_, kMaxCongestionWindow),
          .ssthresh = full_reached_ ? std::min(cwnd_, kMaxCongestionWindow) : kMaxCongestionWindow,
          .pacing_rate = pacing_rate_};
}

std::uint32_t Bbr::pacing_gain() const {
  switch (state_) {
    case State::kStartup:
      return kStartupPacing;
    case State::kDrain:
      return kDrainPacing;
    case State::kProbeBwDown:
      return kDownPacing;
    case State::kProbeBwUp:
      return kUpPacing;
    default:
      return kEven;
  }
}

std::uint32_t Bbr::cwnd_gain() const {
  if (state_ == State::kProbeBwUp) return kUpCwndGain;
  return state_ == State::kProbeRtt ? kProbeRttCwndGain : kCwndGain;
}

// ---------------------------------------------------------------- one ACK (§5.2.3)

void Bbr::on_ack(const CongestionView& view, const AckSample& ack) {
  const Step step{view, ack, ack.rate.rate()};
  if (!has_rate_ && view.srtt > Duration::zero()) {  // §5.6.2: until there is a sample of the rate
    has_rate_ = true;
    pacing_rate_ = scaled(cwnd_ * kSecond / static_cast<std::uint64_t>(view.srtt.count()), kStartupPacing);
  }
  update_latest_delivery_signals(step);
  update_congestion_signals(step);
  update_ack_aggregation(step);
  check_full_bandwidth(step);
  check_startup_high_loss(step);
  if (state_ == State::kStartup && full_reached_) enter_drain();
  if (state_ == State::kDrain && view.in_flight <= quantized(bdp(bandwidth(), kEven), view.mss))
    start_down(step);
  update_probe_bw_cycle(step);
  update_min_rtt(step);
  check_probe_rtt(step);
  if (loss_round_start_) {
    bandwidth_latest_ = step.rate;
    in_flight_latest_ = ack.rate.delivered;
  }
  was_in_recovery_ = view.in_fast_recovery;
  set_pacing_rate(pacing_gain());
  set_cwnd(step);
}

// ---------------------------------------------------------------- the model

void Bbr::start_round(std::uint64_t delivered) { next_round_delivered_ = delivered; }

// §5.5.1.
void Bbr::update_round(const Step& step) {
  round_start_ = false;
  if (step.ack.rate.prior_delivered < next_round_delivered_) return;
  start_round(step.ack.total_delivered);
  ++rounds_since_probe_;
  round_start_ = true;
}

// §5.5.10.3.
void Bbr::update_latest_delivery_signals(const Step& step) {
  loss_round_start_ = false;
  bandwidth_latest_ = std::max(bandwidth_latest_, step.rate);
  in_flight_latest_ = std::max(in_flight_latest_, step.ack.rate.delivered);
  if (step.ack.rate.prior_delivered >= loss_round_delivered_) {
    loss_round_delivered_ = step.ack.total_delivered;
    loss_round_start_ = true;
  }
}

// §5.5.10.3: the filter of the largest bandwidth, and the lower bounds after a round with loss.
void Bbr::update_congestion_signals(const Step& step) {
  update_round(step);
  if (step.rate > 0 && (step.rate >= max_bandwidth() || !step.ack.rate.application_limited))
    max_bandwidth_[1] = std::max(max_bandwidth_[1], step.rate);
  if (step.ack.lost > 0) {
    loss_in_round_ = true;
    ++loss_events_in_round_;
  }
  if (!loss_round_start_) return;
  if (loss_in_round_ && !is_probing_bandwidth()) {
    if (bandwidth_low_ == kInfinite) bandwidth_low_ = max_bandwidth();
    if (in_flight_low_ == kInfinite) in_flight_low_ = cwnd_;
    bandwidth_low_ = std::max(bandwidth_latest_, scaled(bandwidth_low_, kBeta));
    in_flight_low_ = std::max(in_flight_latest_, scaled(in_flight_low_, kBeta));
  }
  loss_in_round_ = false;
}

// §5.5.9.
void Bbr::update_ack_aggregation(const Step& step) {
  constexpr std::uint32_t kWindow = 5;  // rounds, of which two are kept
  if (round_start_ && ++extra_acked_rounds_ >= kWindow) {
    extra_acked_rounds_ = 0;
    extra_acked_ = {extra_acked_[1], 0};
  }
  const auto interval =
      static_cast<std::uint64_t>(std::max((step.view.now - extra_acked_since_).count(), std::int64_t{0}));
  const std::uint64_t expected =
      interval < 10 * kSecond ? bandwidth() / 1000 * (interval / 1000) / 1000 : kInfinite;
  if (extra_acked_delivered_ <= expected) {
    extra_acked_delivered_ = 0;
    extra_acked_since_ = step.view.now;
  }
  extra_acked_delivered_ += step.ack.acked;
  const std::uint64_t spent = extra_acked_since_ == step.view.now ? 0 : expected;
  const std::uint64_t extra =
      std::min(extra_acked_delivered_ - std::min(extra_acked_delivered_, spent), cwnd_);
  extra_acked_[1] = std::max(extra_acked_[1], extra);
}

// §5.3.1.2: three rounds without a quarter more.
void Bbr::check_full_bandwidth(const Step& step) {
  if (full_now_ || !round_start_ || step.ack.rate.application_limited || step.rate == 0) return;
  if (step.rate >= scaled(full_bandwidth_, kFullGrowth)) return reset_full_bandwidth(step.rate);
  full_now_ = ++full_count_ >= kFullRounds;
  if (full_now_) full_reached_ = true;
}

void Bbr::reset_full_bandwidth(std::uint64_t rate) {
  full_bandwidth_ = rate;
  full_count_ = 0;
  full_now_ = false;
}

// §5.3.1.3.
void Bbr::check_startup_high_loss(const Step& step) {
  const bool is_over = round_start_ && was_in_recovery_;
  if (state_ == State::kStartup && is_over && loss_events_in_round_ >= kStartupLossEvents &&
      is_in_flight_too_high(step)) {
    full_reached_ = true;
    in_flight_high_ = std::max(bdp(max_bandwidth(), kEven), in_flight_latest_);
  }
  if (round_start_) loss_events_in_round_ = 0;
}

// §5.3.4.3.
void Bbr::update_min_rtt(const Step& step) {
  const Instant now = step.view.now;
  const bool is_probe_due = now > probe_rtt_min_at_ + kProbeRttInterval;
  if (step.ack.rtt && (*step.ack.rtt < probe_rtt_min_ || is_probe_due)) {
    probe_rtt_min_ = *step.ack.rtt;
    probe_rtt_min_at_ = now;
  }
  if (probe_rtt_min_ < min_rtt_ || now > min_rtt_at_ + kMinRttWindow) {
    min_rtt_ = probe_rtt_min_;
    min_rtt_at_ = probe_rtt_min_at_;
  }
  if (state_ != State::kProbeRtt && is_probe_due && !idle_restart_ && min_rtt_ != Duration::max()) {
    state_ = State::kProbeRtt;
    prior_cwnd_ = step.view.in_fast_recovery ? std::max(prior_cwnd_, cwnd_) : cwnd_;
    probe_rtt_done_at_ = kNever;
    ack_phase_ = AckPhase::kProbeStopping;
    start_round(step.ack.total_delivered);
  }
}

void Bbr::reset_congestion_signals() {
  loss_in_round_ = false;
  bandwidth_latest_ = in_flight_latest_ = 0;
}

void Bbr::reset_lower_bounds() { bandwidth_low_ = in_flight_low_ = kInfinite; }

// ---------------------------------------------------------------- the states

void Bbr::enter_startup() { state_ = State::kStartup; }
void Bbr::enter_drain() { state_ = State::kDrain; }

// §5.3.3.5.
void Bbr::update_probe_bw_cycle(const Step& step) {
  if (!full_reached_) return;
  adapt_long_term_model(step);
  switch (state_) {
    case State::kProbeBwDown:
      if (is_time_to_probe(step)) return start_refill(step);
      if (is_time_to_cruise(step)) state_ = State::kProbeBwCruise;
      return;
    case State::kProbeBwCruise:
      if (is_time_to_probe(step)) start_refill(step);
      return;
    case State::kProbeBwRefill:
      if (!round_start_) return;
      has_probe_samples_ = true;
      return start_up(step);
    case State::kProbeBwUp:
      if (step.view.cwnd_limited && cwnd_ >= in_flight_high_) {
        reset_full_bandwidth(step.rate);
      } else if (full_now_) {
        start_down(step);
      }
      return;
    default:
      return;
  }
}

// §5.3.3.6: what the answers to the last probe say about the bounds.
void Bbr::adapt_long_term_model(const Step& step) {
  if (ack_phase_ == AckPhase::kProbeStarting && round_start_) ack_phase_ = AckPhase::kProbeFeedback;
  if (ack_phase_ == AckPhase::kProbeStopping && round_start_) {
    ack_phase_ = AckPhase::kInit;
    if (is_in_probe_bw() && !step.ack.rate.application_limited) max_bandwidth_ = {max_bandwidth_[1], 0};
  }
  if (is_in_flight_too_high(step)) {
    if (has_probe_samples_) handle_in_flight_too_high(step);
    return;
  }
  if (in_flight_high_ == kInfinite) return;
  in_flight_high_ = std::max(in_flight_high_, step.ack.rate.in_flight);
  if (state_ == State::kProbeBwUp) probe_in_flight_upward(step);
}

// §5.5.10.2.
bool Bbr::is_in_flight_too_high(const Step& step) const {
  return step.ack.lost > 0 && step.ack.rate.lost > scaled(step.ack.rate.in_flight, kLossThreshold);
}

void Bbr::handle_in_flight_too_high(const Step& step) {
  has_probe_samples_ = false;
  if (!step.ack.rate.application_limited)
    in_flight_high_ = std::max(step.ack.rate.in_flight, scaled(target_in_flight(step.view), kBeta));
  if (state_ == State::kProbeBwUp) start_down(step);
}

// §5.3.3.6: exponentially faster growth while nothing is lost.
void Bbr::probe_in_flight_upward(const Step& step) {
  if (!step.view.cwnd_limited || cwnd_ < in_flight_high_) return;
  probe_up_acked_ += step.ack.acked;
  if (probe_up_acked_ >= probe_up_count_) {
    const std::uint64_t segments = probe_up_acked_ / probe_up_count_;
    probe_up_acked_ -= segments * probe_up_count_;
    in_flight_high_ += segments * step.view.mss;
  }
  if (round_start_) raise_in_flight_slope(step);
}

void Bbr::raise_in_flight_slope(const Step& step) {
  const std::uint64_t segments = std::uint64_t{1} << probe_up_rounds_;
  probe_up_rounds_ = std::min(probe_up_rounds_ + 1, 30U);
  probe_up_count_ = std::max<std::uint64_t>(cwnd_ / segments, step.view.mss);
}

// §5.3.3.5.2, §5.3.3.5.3: after two to three seconds, or as soon as Reno would have grown by one window.
bool Bbr::is_time_to_probe(const Step& step) const {
  constexpr std::uint64_t kMaxRounds = 63;
  if (step.view.now > cycle_at_ + probe_wait_) return true;
  return rounds_since_probe_ >= std::min(target_in_flight(step.view) / step.view.mss, kMaxRounds);
}

bool Bbr::is_time_to_cruise(const Step& step) const {
  if (step.view.in_flight > in_flight_with_headroom(step.view.mss)) return false;
  return step.view.in_flight <= quantized(bdp(max_bandwidth(), kEven), step.view.mss);
}

void Bbr::start_down(const Step& step) {
  reset_congestion_signals();
  probe_up_count_ = kInfinite;
  rounds_since_probe_ = random_below(2);
  probe_wait_ = std::chrono::seconds(2) + Duration(static_cast<std::int64_t>(random_below(kSecond)));
  cycle_at_ = step.view.now;
  ack_phase_ = AckPhase::kProbeStopping;
  start_round(step.ack.total_delivered);
  state_ = State::kProbeBwDown;
}

void Bbr::start_refill(const Step& step) {
  reset_lower_bounds();
  probe_up_rounds_ = 0;
  probe_up_acked_ = 0;
  ack_phase_ = AckPhase::kRefilling;
  start_round(step.ack.total_delivered);
  state_ = State::kProbeBwRefill;
}

void Bbr::start_up(const Step& step) {
  ack_phase_ = AckPhase::kProbeStarting;
  start_round(step.ack.total_delivered);
  reset_full_bandwidth(step.rate);
  cycle_at_ = step.view.now;
  state_ = State::kProbeBwUp;
  raise_in_flight_slope(step);
}

// §5.3.4.3: at least 200 ms and one round with little in flight.
void Bbr::check_probe_rtt(const Step& step) {
  if (state_ == State::kProbeRtt) {
    const std::uint64_t least =
        std::max(bdp(bandwidth(), kProbeRttCwndGain), std::uint64_t{kMinPipe} * step.view.mss);
    if (probe_rtt_done_at_ == kNever) {
      if (step.view.in_flight <= least) {
        probe_rtt_done_at_ = step.view.now + kProbeRttTime;
        probe_rtt_round_done_ = false;
        start_round(step.ack.total_delivered);
      }
    } else {
      probe_rtt_round_done_ = probe_rtt_round_done_ || round_start_;
      if (probe_rtt_round_done_ && step.view.now > probe_rtt_done_at_) exit_probe_rtt(step);
    }
  }
  if (step.ack.acked > 0) idle_restart_ = false;
}

void Bbr::exit_probe_rtt(const Step& step) {
  probe_rtt_min_at_ = step.view.now;
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  reset_lower_bounds();
  if (full_reached_) {
    start_down(step);
    state_ = State::kProbeBwCruise;
  } else {
    enter_startup();
  }
}

// ---------------------------------------------------------------- the controls (§5.6)

std::uint64_t Bbr::bdp(std::uint64_t rate, std::uint32_t gain) const {
  if (min_rtt_ == Duration::max()) return initial_;
  if (rate == kInfinite) return kInfinite;
  const auto microseconds = static_cast<std::uint64_t>(min_rtt_.count()) / 1000;
  const std::uint64_t octets = std::min(rate, std::uint64_t{1} << 38U) / 1000 *
                               std::min<std::uint64_t>(microseconds, 1U << 25U) / 1000;
  return scaled(octets, gain);
}

// §5.6.4.2: room for aggregation by the offloads on both ends.
std::uint64_t Bbr::quantized(std::uint64_t octets, std::uint32_t mss) const {
  if (octets == kInfinite) return octets;
  const std::uint64_t burst = std::clamp<std::uint64_t>(pacing_rate_ / 1000, std::uint64_t{2} * mss, 65536);
  octets = std::max({octets, 3 * burst, std::uint64_t{kMinPipe} * mss});
  return state_ == State::kProbeBwUp ? octets + std::uint64_t{2} * mss : octets;
}

std::uint64_t Bbr::target_in_flight(const CongestionView&) const {
  return std::min(bdp(bandwidth(), kEven), cwnd_);
}

std::uint64_t Bbr::in_flight_with_headroom(std::uint32_t mss) const {
  if (in_flight_high_ == kInfinite) return kInfinite;
  const std::uint64_t headroom = std::max<std::uint64_t>(scaled(in_flight_high_, kHeadroom), mss);
  return std::max(in_flight_high_ - std::min(headroom, in_flight_high_), std::uint64_t{kMinPipe} * mss);
}

void Bbr::set_pacing_rate(std::uint32_t gain) {
  if (max_bandwidth() == 0) return;
  const std::uint64_t rate = scaled(scaled(bandwidth(), gain), 100 - kPacingMargin);
  if (full_reached_ || rate > pacing_rate_) pacing_rate_ = std::max<std::uint64_t>(rate, 1000);
}

void Bbr::set_cwnd(const Step& step) {
  const std::uint32_t mss = step.view.mss;
  const std::uint64_t least = std::uint64_t{kMinPipe} * mss;
  const std::uint64_t aggregation = std::max(extra_acked_[0], extra_acked_[1]);
  const std::uint64_t most = quantized(bdp(bandwidth(), cwnd_gain()) + aggregation, mss);
  if (full_reached_) {
    cwnd_ = std::min(cwnd_ + step.ack.acked, most);
  } else if (cwnd_ < most || step.ack.total_delivered < initial_) {
    cwnd_ += step.ack.acked;
  }
  cwnd_ = std::max(cwnd_, least);
  if (state_ == State::kProbeRtt)
    cwnd_ = std::min(cwnd_, std::max(bdp(bandwidth(), kProbeRttCwndGain), least));
  // §5.6.4.7: the bounds of the model.
  std::uint64_t bound = kInfinite;
  if (is_in_probe_bw() && state_ != State::kProbeBwCruise) {
    bound = in_flight_high_;
  } else if (state_ == State::kProbeRtt || state_ == State::kProbeBwCruise) {
    bound = in_flight_with_headroom(mss);
  }
  cwnd_ = std::min(cwnd_, std::max(std::min(bound, in_flight_low_), least));
}

// ---------------------------------------------------------------- what else happens

void Bbr::on_loss(const CongestionView& view, LossKind kind) {
  if (kind == LossKind::kEcn) {
    loss_in_round_ = true;
    return;
  }
  before_loss_ = {bandwidth_low_, in_flight_low_, in_flight_high_};
  prior_cwnd_ = std::max(cwnd_, view.in_fast_recovery || view.in_timeout_recovery ? prior_cwnd_ : 0);
  if (kind == LossKind::kTimeout) cwnd_ = view.mss;  // §5.6.4.4
}

void Bbr::on_recovery_end(const CongestionView&) {
  if (state_ != State::kProbeRtt) cwnd_ = std::max(cwnd_, prior_cwnd_);
}

void Bbr::on_undo(const CongestionView&) {
  cwnd_ = std::max(cwnd_, prior_cwnd_);
  bandwidth_low_ = std::max(bandwidth_low_, before_loss_.bandwidth_low);
  in_flight_low_ = std::max(in_flight_low_, before_loss_.in_flight_low);
  in_flight_high_ = std::max(in_flight_high_, before_loss_.in_flight_high);
  loss_in_round_ = false;
}

// §5.4.1: after a pause, go on at the rate that is known.
void Bbr::on_sent(const CongestionView& view, std::uint64_t) {
  if (probe_rtt_min_at_ == Instant{}) probe_rtt_min_at_ = min_rtt_at_ = extra_acked_since_ = view.now;
}

void Bbr::on_idle(const CongestionView& view) {
  idle_restart_ = true;
  extra_acked_since_ = view.now;
  extra_acked_delivered_ = 0;
  if (is_in_probe_bw()) set_pacing_rate(kEven);
}

std::size_t Bbr::metrics(std::span<Metric> out) const {
  const auto finite = [](std::uint64_t value) {
    return value == kInfinite ? 0.0 : static_cast<double>(value);
  };
  const Metric all[] = {
      {"state", static_cast<double>(state_)},
      {"bandwidth octets/s", static_cast<double>(bandwidth())},
      {"max_bw octets/s", static_cast<double>(max_bandwidth())},
      {"min_rtt ms", min_rtt_ == Duration::max() ? 0.0 : static_cast<double>(min_rtt_.count()) / 1e6},
      {"inflight_hi octets", finite(in_flight_high_)},
      {"inflight_lo octets", finite(in_flight_low_)}};
  const std::size_t count = std::min(out.size(), std::size(all));
  std::copy_n(all, count, out.begin());
  return count;
}

const CongestionFactory kBbr = {"bbr",
                                [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
                                  return std::make_unique<Bbr>(settings);
                                }};

}  // namespace transom::tcp
