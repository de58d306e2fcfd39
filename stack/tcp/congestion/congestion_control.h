// The seam between loss recovery and congestion control.
//
// An algorithm counts octets and nanoseconds. It reads no clock, allocates nothing after its creation, and
// knows no sequence numbers: the sender decides what is delivered, what is lost, and when recovery begins and
// ends, and tells. What the algorithm wants it says through output(), which has no side effects; the sender
// clamps it (see Sender) and obeys.
//
// To write one: derive from CongestionControl, give it a CongestionFactory, and add that to
// congestion/registry.cpp or, at run time, with TcpLayer::add_congestion_control(), or make a shared object
// of it (plugin.h). docs/congestion-control.md walks through one.
//
// What an algorithm needs of this header is inline, so that a shared object needs nothing of the program that
// loads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "stack/base/time.h"

namespace transom::tcp {

// Facts at the moment of a call. Octets unless named otherwise.
struct CongestionView {
  Instant now{};
  std::uint32_t mss = 0;
  std::uint64_t in_flight = 0;  // sent, and neither delivered nor lost
  Duration srtt{};              // zero before the first sample
  Duration min_rtt{};           // of the last five minutes; zero before the first sample
  bool in_fast_recovery = false;
  bool in_timeout_recovery = false;
  bool cwnd_limited = false;  // the window, not the application or the peer, held the sender back
};

// How fast data was delivered while one segment was in flight (draft-ietf-ccwg-bbr §4.1).
struct RateSample {
  std::uint64_t delivered = 0;        // octets delivered in the interval
  Duration interval{};                // zero: there is no sample
  std::uint64_t prior_delivered = 0;  // AckSample::total_delivered when that segment was sent
  std::uint64_t in_flight = 0;        // right after that segment was sent, with it
  std::uint64_t lost = 0;             // declared lost since then
  bool application_limited = false;   // the sender had nothing more to send then: the path may be faster

  // Octets per second; 0 without a sample.
  std::uint64_t rate() const {
    if (interval <= Duration::zero()) return 0;
    // Below 2^34 octets per interval the product fits.
    constexpr std::uint64_t kSecond = 1'000'000'000;
    return std::min(delivered, std::uint64_t{1} << 34) * kSecond /
           static_cast<std::uint64_t>(interval.count());
  }
};

struct AckSample {
  std::uint64_t acked = 0;            // newly delivered, by cumulative or selective acknowledgment
  std::uint64_t lost = 0;             // newly declared lost
  std::uint64_t ce_marked = 0;        // of `acked`, what arrived with a congestion mark (ECN)
  std::optional<Duration> rtt{};      // of this ACK alone
  std::uint64_t total_delivered = 0;  // of the connection
  RateSample rate{};
};

enum class LossKind : std::uint8_t {
  kFastRecovery,  // recovery was entered after segments were overtaken or duplicate ACKs counted
  kTimeout,       // the retransmission timer expired, for the first time in this window
  kEcn,           // the peer echoed a congestion mark (RFC 3168 §6.1.2); once in a round trip
};

// Something that ss -i and the simulator's CSV show.
struct Metric {
  std::string_view name;  // with its unit: "w_max octets". Lives as long as the program
  double value = 0;
};
inline constexpr std::size_t kMaxMetrics = 8;  // of one algorithm

// A number that an algorithm can be made with, as in "cubic:beta=0.8,c=0.4".
struct Parameter {
  std::string_view name;   // "beta"
  std::string_view unit;   // "ms"; empty for a plain number
  std::string_view about;  // one line
  double low, high;        // the values that are taken, both included
  double standard;         // when none is given
};
inline constexpr std::size_t kMaxParameters = 8;  // of one algorithm

class CongestionControl {
 public:
  struct Output {
    std::uint64_t cwnd;
    std::uint64_t ssthresh;
    std::uint64_t pacing_rate = 0;  // octets per second; 0: not paced
  };

  virtual ~CongestionControl() = default;
  virtual std::string_view name() const = 0;

  // Data was delivered, in recovery or not.
  virtual void on_ack(const CongestionView& view, const AckSample& ack) = 0;
  // Once in each round trip with congestion. `view.in_flight` is FlightSize (RFC 5681 §2): what was sent and
  // is not acknowledged cumulatively.
  virtual void on_loss(const CongestionView& view, LossKind kind) = 0;
  virtual void on_recovery_end(const CongestionView& view) = 0;
  // The last on_loss() was a mistake: nothing had been lost (RFC 4015 §3.3).
  virtual void on_undo(const CongestionView& view) = 0;
  virtual void on_sent(const CongestionView&, std::uint64_t /*octets*/) {}
  // Nothing was sent for more than one RTO (RFC 5681 §4.1).
  virtual void on_idle(const CongestionView& view) = 0;
  // Not more than `used` octets of the window were in flight for one RTO, by choice of the application or of
  // the peer (RFC 2861 §3). For those that measure the path in another way than by this window there is
  // nothing to do.
  virtual void on_underuse(const CongestionView&, std::uint64_t /*used*/) {}
  virtual Output output() const = 0;

  // Whether the sender brings the window down during recovery by proportional rate reduction (RFC 9937); an
  // algorithm that has a rule of its own says no.
  virtual bool wants_proportional_reduction() const { return true; }
  // Fills `out` from the front; returns how many it has filled.
  virtual std::size_t metrics(std::span<Metric> /*out*/) const { return 0; }
};

struct CongestionSettings {
  std::uint64_t initial_window = 0;  // octets
  std::uint64_t seed = 0;            // for those that need chance
  // One for each of CongestionFactory::parameters, in that order and within their ranges.
  std::span<const double> values{};
};

// What an algorithm makes of ECN. Those that live by marks are told how many there were
// (AckSample::ce_marked), and get accurate feedback where the peer gives it (RFC 9768); for others a mark is
// as a loss (LossKind::kEcn).
enum class EcnUse : std::uint8_t {
  kAsHost,  // whether it is asked for is the host's choice; data goes as ECT(0)
  kEct0,    // lives by marks, DCTCP
  kEct1,    // lives by marks, and says so to the network: L4S (RFC 9331)
};

struct CongestionFactory {
  std::string_view name;  // as TCP_CONGESTION spells it
  std::unique_ptr<CongestionControl> (*create)(const CongestionSettings& settings);
  EcnUse ecn = EcnUse::kAsHost;
  std::span<const Parameter> parameters{};  // at most kMaxParameters
  std::span<const double> values{};         // chosen for them; empty: the standard ones

  // `settings` without values.
  std::unique_ptr<CongestionControl> make(CongestionSettings settings) const {
    double standard[kMaxParameters] = {};
    for (std::size_t i = 0; i < std::min(parameters.size(), kMaxParameters); ++i)
      standard[i] = parameters[i].standard;
    settings.values = values.empty() ? std::span<const double>(standard).first(parameters.size()) : values;
    return create(settings);
  }
};

// The largest congestion window, in octets: what TCP can express.
inline constexpr std::uint64_t kMaxCongestionWindow = std::uint64_t{1} << 30;

// RFC 6928: min(10 * MSS, max(2 * MSS, 14600)); one segment after a lost SYN (RFC 5681 §3.1).
std::uint64_t initial_window(std::uint32_t mss, bool syn_was_lost);

}  // namespace transom::tcp
