// The seam between loss recovery and congestion control. An algorithm counts octets and nanoseconds, reads no
// clock, allocates nothing after its creation, and says what it wants through output(); the sender decides
// what is lost and when recovery begins and ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "stack/base/time.h"

namespace transom::tcp {

// Facts at the moment of a call. Octets unless named otherwise.
struct CongestionView {
  Instant now{};
  std::uint32_t mss = 0;
  std::uint64_t in_flight = 0;  // sent, and neither delivered nor lost
  Duration srtt{};
  bool in_recovery = false;   // loss recovery, fast or after a timeout, is going on
  bool cwnd_limited = false;  // the window, not the application or the peer, held the sender back
};

struct AckSample {
  std::uint64_t acked = 0;  // newly delivered, by cumulative or selective acknowledgment
};

enum class LossKind : std::uint8_t {
  kFastRecovery,  // recovery was entered after duplicate or selective ACKs
  kTimeout,       // the retransmission timer expired, for the first time in this window
};

class CongestionControl {
 public:
  struct Output {
    std::uint64_t cwnd;
    std::uint64_t ssthresh;
  };

  virtual ~CongestionControl() = default;
  virtual std::string_view name() const = 0;
  virtual void on_ack(const CongestionView& view, const AckSample& ack) = 0;
  virtual void on_loss(const CongestionView& view, LossKind kind) = 0;
  virtual void on_recovery_end(const CongestionView& view) = 0;
  // Nothing was sent for more than one RTO (RFC 5681 §4.1).
  virtual void on_idle(const CongestionView& view) = 0;
  virtual Output output() const = 0;
};

// RFC 6928: min(10 * MSS, max(2 * MSS, 14600)); one segment after a lost SYN (RFC 5681 §3.1).
std::uint64_t initial_window(std::uint32_t mss, bool syn_was_lost);

std::unique_ptr<CongestionControl> make_reno(std::uint64_t initial_window);

}  // namespace transom::tcp
