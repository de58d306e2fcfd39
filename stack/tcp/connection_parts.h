// Parts of a Connection that an idle one does without: a million of them may be open, most of them idle. Each
// is made when it is needed.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "stack/base/seq_num.h"
#include "stack/base/timer_wheel.h"
#include "stack/ip/icmp_error_listener.h"
#include "stack/tcp/ack_limiter.h"
#include "stack/tcp/fast_open_queue.h"
#include "stack/tcp/limited_times.h"
#include "stack/tcp/receive_tuning.h"
#include "stack/tcp/tcp_layer.h"

namespace transom::tcp {

class ProgressListener;

// While the handshake lasts.
struct Opening {
  SeqNum irs;                    // of the peer's SYN, in SYN-RECEIVED
  std::uint32_t syn_octets = 0;  // of data in our SYN
  Instant syn_sent{};
  std::shared_ptr<FastOpenQueue> fast_open_queue;  // while it counts there
};

enum class Alarm : std::uint8_t {
  kRetransmit,
  kLossDetection,
  kPersist,
  kDelayedAck,
  kKeepAlive,
  kPacing,
  kCount
};

// While one is set: one timer for all of them.
struct Alarms {
  Alarms(Timer::Callback on_timer, Connection* connection) : timer(on_timer, connection) {
    deadlines.fill(kNever);
  }
  Instant& deadline(Alarm alarm) { return deadlines[static_cast<std::size_t>(alarm)]; }
  Instant first() const { return *std::ranges::min_element(deadlines); }

  std::array<Instant, static_cast<std::size_t>(Alarm::kCount)> deadlines;
  Timer timer;
  Instant trouble_since = kNever;  // the first timeout without progress since
};

// Once data has come or gone.
struct Traffic {
  ReceiveTuning receive_tuning;
  LimitedTimes limited;
  Instant last_sent{};  // data
  Instant last_ack_received{};
  std::uint64_t bytes_sent = 0, bytes_retransmitted = 0, bytes_acked = 0, bytes_received = 0;
  // Each of a super-segment.
  std::uint64_t data_segments_out = 0, data_segments_in = 0, retransmitted_segments = 0;
  std::uint32_t out_of_order_segments = 0;
};

// For the few that need them.
struct Rarities {
  AckLimiter ack_limiter;
  ip::IcmpErrorListener* error_listener = nullptr;
  ProgressListener* progress_listener = nullptr;
  std::vector<std::uint8_t> saved_syn;
  PortHold hold;
};

}  // namespace transom::tcp
