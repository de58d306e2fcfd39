// Windows against loss and time.
#include <cmath>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"
#include "tests/simulation/event_recorder.h"
#include "tests/simulation/validation.h"

namespace transom::test {

using namespace std::chrono_literals;
using namespace drivers::sim;

namespace {

constexpr std::uint64_t kFast = 10'000'000'000;  // bit/s: where the window is the only limit
constexpr double kMss = 1448;

tcp::Options large_buffers() {
  tcp::Options options;
  options.send_buffer = options.receive_buffer = 64 << 20;
  return options;
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Every `period`th packet is lost: the deterministic model of Mathis et al. and of RFC 9438 §5.1. In the
// mean: one in `period` is.
enum class Loss : std::uint8_t { kPeriodic, kRandom };

struct Response {
  std::string algorithm;
  Loss loss = Loss::kPeriodic;
  std::uint64_t period = 1000;  // 1/p
  Duration rtt{};
};

// The mean window, in segments: goodput * RTT / MSS, over the last three quarters of a long run.
double mean_window(const Response& response, std::uint64_t losses) {
  ChannelOptions path{.rate = kFast, .delay = response.rtt / 2, .queue = "pfifo limit 100000"};
  if (response.loss == Loss::kRandom) {
    path.loss.random = 1 / static_cast<double>(response.period);
  } else {
    for (std::uint64_t i = 1; i <= losses; ++i)
      path.loss.list.push_back({i * response.period, i * response.period});
  }
  Simulation simulation(1);
  Link& link = **make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = response.rtt / 2}});
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"),
               {.congestion_control = response.algorithm, .options = large_buffers()});
  const auto run_to = [&](std::uint64_t packets) {
    simulation.run_for(36000s, [&] { return link.forth().statistics().sent >= packets; });
    return std::pair{simulation.now(), flow.report().delivered};
  };
  const auto [begin, before] = run_to(losses / 4 * response.period);
  const auto [end, after] = run_to(losses * response.period);
  return static_cast<double>(after - before) / kMss * seconds(response.rtt) / seconds(end - begin);
}

std::string describe(const char* what, const Response& response) {
  return fmt::format("{}, p = {:g} %{}, RTT {} ms", what, 100 / static_cast<double>(response.period),
                     response.loss == Loss::kRandom ? " at random" : "", response.rtt / 1ms);
}

// RFC 9438 §5.1: the mean window of CUBIC under periodic losses, where it is not Reno's.
double cubic_response(const Response& response) {
  constexpr double kC = 0.4, kBeta = 0.7;
  const double p = 1 / static_cast<double>(response.period);
  return std::pow(kC * (3 + kBeta) / (4 * (1 - kBeta)), 0.25) * std::pow(seconds(response.rtt) / p, 0.75);
}

}  // namespace

std::vector<ValidationRow> validate_response_functions() {
  // The formulas know neither the round trip of a recovery, in which nothing grows, nor a last segment that
  // waits for a delayed ACK: of a dozen segments that is much.
  constexpr double kSmallWindow = 0.25;
  std::vector<ValidationRow> rows;
  const auto reno_law = [](std::uint64_t period) {
    return std::sqrt(1.5 * static_cast<double>(period));  // 1.22 / sqrt(p)
  };
  for (const auto& [period, rtt] : {std::pair{100U, 50ms}, {1000U, 20ms}, {1000U, 100ms}, {10000U, 50ms}}) {
    const Response reno{"reno", Loss::kPeriodic, period, rtt};
    rows.push_back({.result = describe("Reno's mean window 1.22/√p", reno),
                    .source = "Mathis et al. 1997",
                    .unit = "segments",
                    .known = reno_law(period),
                    .measured = mean_window(reno, period == 10000 ? 40 : 80),
                    .allowed = period == 100 ? kSmallWindow : 0.1});
  }
  const Response random{"reno", Loss::kRandom, 1000, 50ms};
  rows.push_back({.result = describe("Reno's mean window 1.31/√p", random),
                  .source = "Ott et al. 1996",
                  .unit = "segments",
                  .known = 1.31 * std::sqrt(1000),
                  .measured = mean_window(random, 400),
                  .allowed = 0.1});
  for (const auto& [period, rtt] : {std::pair{100U, 10ms}, {1000U, 10ms}, {10000U, 10ms}}) {
    const Response cubic{"cubic", Loss::kPeriodic, period, rtt};
    rows.push_back({.result = describe("CUBIC's mean window in its Reno-friendly region: Reno's", cubic),
                    .source = "RFC 9438 §4.3, §5.1",
                    .unit = "segments",
                    .known = reno_law(period),
                    .measured = mean_window(cubic, period == 10000 ? 40 : 80),
                    .allowed = period == 100 ? kSmallWindow : 0.1});
  }
  for (const auto& [period, rtt] : {std::pair{10000U, 100ms}, {10000U, 200ms}}) {
    const Response cubic{"cubic", Loss::kPeriodic, period, rtt};
    rows.push_back({.result = describe("CUBIC's mean window 1.054·(RTT/p)^¾", cubic),
                    .source = "RFC 9438 §5.1",
                    .unit = "segments",
                    .known = cubic_response(cubic),
                    .measured = mean_window(cubic, 40),
                    .allowed = 0.1});
  }
  return rows;
}

std::vector<ValidationRow> validate_cubic_curve() {
  ChannelOptions path{
      .rate = kFast, .delay = 50ms, .loss = *parse_loss("list 1000"), .queue = "pfifo limit 100000"};
  Simulation simulation(1);
  (void)*make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = 50ms}});
  EventRecorder recorder;
  simulation.find("a")->host().set_observer(&recorder);
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"), {.options = large_buffers()});

  // The window before the loss, and when avoidance began after it.
  const auto recoveries = [&] { return recorder.all<TcpRecoveryEvent>(); };
  const auto has_left = [&] {
    return !recoveries().empty() && recoveries().back().what.phase == RecoveryPhase::kLeft;
  };
  simulation.run_for(
      60s, [&] { return flow.sender() != nullptr && flow.sender()->info().bytes_retransmitted > 0; });
  simulation.run_for(1s, has_left);
  double w_max = 0;
  for (const auto& change : recorder.all<TcpCongestionEvent>()) {
    if (change.what.reason == Reason::kOvertaken) w_max = static_cast<double>(change.what.before) / kMss;
  }
  const Instant epoch = recoveries().back().time;
  simulation.find("a")->host().set_observer(nullptr);

  constexpr double kC = 0.4, kBeta = 0.7;
  const double k = std::cbrt(w_max * (1 - kBeta) / kC);
  std::vector<ValidationRow> rows;
  for (const double share : {0.0, 0.25, 0.5, 1.0, 1.5, 2.0}) {
    simulation.run_until(epoch +
                         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(share * k)));
    rows.push_back({.result = fmt::format(
                        "CUBIC's window {:g} K after a loss at {:.0f} segments, K = {:.2f} s, RTT 100 ms",
                        share, w_max, k),
                    .source = "RFC 9438 §4.2",
                    .unit = "segments",
                    .known = kC * std::pow(share * k - k, 3) + w_max,
                    .measured = static_cast<double>(flow.sender()->info().cwnd) / kMss,
                    .allowed = 0.02});
  }
  return rows;
}

// Queues of three times the path's capacity, where slow start without a look at delays overshoots most.
std::vector<ValidationRow> validate_slow_start_exit() {
  struct Path {
    std::uint64_t rate;
    Duration rtt;
    std::uint64_t capacity;  // packets of 1500 octets
  };
  std::vector<ValidationRow> rows;
  for (const Path& path :
       {Path{100'000'000, 100ms, 833}, {50'000'000, 40ms, 167}, {20'000'000, 200ms, 333}}) {
    for (const bool is_hystart : {true, false}) {
      Simulation simulation(1);
      Link& link =
          **make_pair(simulation, {.forth = {.rate = path.rate,
                                             .delay = path.rtt / 2,
                                             .queue = fmt::format("pfifo limit {}", 3 * path.capacity)},
                                   .back = ChannelOptions{.delay = path.rtt / 2}});
      TcpFlow flow(
          simulation, *simulation.find("a"), *simulation.find("b"),
          {.congestion_control = is_hystart ? "cubic" : "cubic:hystart=0", .options = large_buffers()});
      const auto has_left = [&] {
        if (flow.sender() == nullptr) return false;
        const tcp::Info info = flow.sender()->info();
        for (const tcp::Metric& metric : std::span(info.metrics).first(info.metric_count)) {
          if (metric.name == "conservative slow start" && metric.value != 0) return true;
        }
        return info.ssthresh > 0 && info.ssthresh < tcp::kMaxCongestionWindow;  // 0 in the handshake
      };
      simulation.run_for(60s, has_left);
      const auto window = static_cast<double>(flow.sender()->info().cwnd) / kMss;
      if (!is_hystart) simulation.run_for(path.rtt);  // what was sent before the loss was known
      const std::string where =
          fmt::format("{} Mbit/s, RTT {} ms, queue of 3 BDP", path.rate / 1'000'000, path.rtt / 1ms);
      const auto dropped = static_cast<double>(link.forth().queue().statistics().dropped_full);
      if (!is_hystart) {
        rows.push_back(
            {.result = fmt::format("Packets dropped when CUBIC without it is told by loss, {}", where),
             .source = "RFC 9406 §1",
             .unit = "packets",
             .kind = ValidationRow::Kind::kAtLeast,
             .known = 1,
             .measured = dropped});
        continue;
      }
      rows.push_back(
          {.result = fmt::format("Packets dropped when HyStart++ leaves exponential growth, {}", where),
           .source = "RFC 9406 §1",
           .unit = "packets",
           .kind = ValidationRow::Kind::kAtMost,
           .known = 0,
           .measured = dropped});
      rows.push_back({.result = fmt::format("Its window then, in what path and queue hold, {}", where),
                      .source = "RFC 9406 §4.2",
                      .unit = "",
                      .kind = ValidationRow::Kind::kAtMost,
                      .known = 1,
                      .measured = window / (4 * static_cast<double>(path.capacity))});
    }
  }
  return rows;
}

}  // namespace transom::test
