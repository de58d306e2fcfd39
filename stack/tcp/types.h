// The small types of TCP: states, the four-tuple, what a user can set, and what a user can see.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "stack/base/address.h"
#include "stack/base/error.h"
#include "stack/base/time.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/limited_times.h"

namespace transom::tcp {

// RFC 9293 §3.3.2. LISTEN belongs to Listener, SYN-RECEIVED of a passive open to a half-open record (unless
// it is a fast open), TIME-WAIT to a TIME-WAIT record; a Connection lives through the rest.
enum class State : std::uint8_t {
  kClosed,
  kListen,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};

std::string_view to_string(Limited limited);  // "receive window"
std::string_view to_string(State state);      // "SYN-SENT", as the RFC spells it
std::string_view to_ss_string(State state);  // "SYN-SENT", "ESTAB", "TIME-WAIT", "UNCONN": as ss(8) spells it

struct FourTuple {
  Endpoint local;
  Endpoint remote;

  friend auto operator<=>(const FourTuple&, const FourTuple&) = default;
};

// What a buffer may grow to by itself, in octets of payload; as net.ipv4.tcp_rmem and tcp_wmem say it.
struct BufferRange {
  std::uint32_t min;      // what a connection starts with while packet buffers are scarce
  std::uint32_t initial;  // and otherwise
  std::uint32_t max;
};

class SegmentFilter;

// Options of one connection, as setsockopt sets them. A listener's are inherited by what it accepts.
struct Options {
  bool no_delay = false;            // TCP_NODELAY: Nagle off (RFC 9293 §3.7.4)
  bool cork = false;                // TCP_CORK: only full segments, for at most 200 ms
  bool quick_ack = false;           // TCP_QUICKACK: no delayed ACKs
  bool keep_alive = false;          // SO_KEEPALIVE (RFC 9293 §3.8.4)
  bool out_of_band_inline = false;  // SO_OOBINLINE
  std::uint8_t keep_count = 9;      // TCP_KEEPCNT, unanswered probes
  std::uint8_t syn_retries = 7;  // TCP_SYNCNT; with 1 s initial RTO this exceeds 3 minutes (RFC 9293 MUST-23)
  std::uint8_t ttl = 0;          // IP_TTL; 0: the default
  std::uint8_t traffic_class = 0;  // IP_TOS, IPV6_TCLASS: the six DSCP bits
  std::uint8_t min_hops = 0;       // IP_MINTTL, IPV6_MINHOPCOUNT: what comes with less is dropped (RFC 5082)
  std::uint16_t max_segment = 0;   // TCP_MAXSEG; 0: from the path
  std::uint32_t keep_idle = 7200;  // TCP_KEEPIDLE, seconds
  std::uint32_t keep_interval = 75;  // TCP_KEEPINTVL, seconds
  std::uint32_t user_timeout = 0;    // TCP_USER_TIMEOUT, milliseconds; 0: about 15 minutes of retransmissions
  std::uint32_t send_buffer = 0;     // SO_SNDBUF, octets of payload; 0: tuned, see Config
  std::uint32_t not_sent_low_water =
      UINT32_MAX;                    // TCP_NOTSENT_LOWAT: with so many octets unsent no more is taken
  std::uint32_t receive_buffer = 0;  // SO_RCVBUF, octets of payload: the largest window; 0: tuned, see Config
  std::uint64_t max_pacing_rate = 0;  // SO_MAX_PACING_RATE, octets per second; 0: no limit of the user's
  const CongestionFactory* congestion_control = nullptr;  // TCP_CONGESTION; nullptr: the standard one
  bool fast_open_connect = false;         // TCP_FASTOPEN_CONNECT: the SYN waits for data, if it may carry any
  bool fast_open_without_cookie = false;  // TCP_FASTOPEN_NO_COOKIE (where no address is spoofed)
  std::uint32_t fast_open_queue = 0;      // TCP_FASTOPEN, of a listener: so many connections may have an
                                          // unfinished handshake; 0: no fast open
  std::uint8_t defer_accept = 0;   // TCP_DEFER_ACCEPT, of a listener: so many SYN-ACKs may go by before a
                                   // connection without data is accepted; 0: at once
  bool save_syn = false;           // TCP_SAVE_SYN, of a listener
  bool receive_errors = false;     // IP_RECVERR: what ICMP says is a pending error at once
  std::uint32_t window_clamp = 0;  // TCP_WINDOW_CLAMP, octets: the window offered is no larger; 0: no limit
  std::int32_t fin_wait_2 = 0;     // TCP_LINGER2, seconds that an orphan waits for the peer's FIN; 0: the
                                   // default; -1: not at all
  std::int32_t linger = -1;        // SO_LINGER, seconds; -1: off. 0 resets at close
  std::shared_ptr<SegmentFilter> filter = nullptr;  // SO_ATTACH_FILTER; nullptr: none

  friend bool operator==(const Options&, const Options&) = default;
};

// As Linux numbers them in tcpi_ca_state.
enum class CongestionState : std::uint8_t {
  kOpen,
  kDisorder,  // something was overtaken, nothing is known to be lost
  kReduced,   // the window came down for a congestion mark (CWR)
  kRecovery,
  kLoss,  // after a timeout
};

// Why fast open did not save a client its round trip; the values of Linux's tcpi_fastopen_client_fail.
enum class FastOpenFailure : std::uint8_t { kNone, kNoCookie, kDataIgnored, kSynLost };

// A picture of one connection, for ss and TCP_INFO.
struct Info {
  FourTuple tuple;
  State state{};
  InterfaceId interface{};
  std::uint32_t receive_queue = 0;  // octets not read; for a listener: connections to accept
  std::uint32_t send_queue = 0;     // octets not acknowledged; for a listener: the backlog
  std::uint32_t send_mss = 0, receive_mss = 0;
  std::uint8_t send_scale = 0, receive_scale = 0;
  bool timestamps = false, sack = false, ecn = false;
  CongestionState congestion_state = CongestionState::kOpen;
  Duration ack_timeout{};  // how long an acknowledgment is delayed at most
  Duration rto{}, srtt{}, rttvar{}, min_rtt{}, latest_rtt{};
  std::uint64_t cwnd = 0, ssthresh = 0, in_flight = 0;  // octets
  // Of what was sent and not acknowledged: all, reported, thought lost (sent again or not), sent again.
  std::uint64_t outstanding = 0, sacked = 0, lost = 0, retransmitted_in_flight = 0;
  std::uint64_t unsent = 0;                           // octets that wait in the send buffer
  std::uint64_t send_window = 0, receive_window = 0;  // octets
  std::uint64_t pacing_rate = 0;                      // octets per second; 0: not paced
  std::uint64_t max_pacing_rate = 0;                  // the user's limit; 0: none
  std::uint64_t delivery_rate = 0;                    // octets per second, of the last round trip
  bool delivery_rate_application_limited = false;
  std::uint8_t backoff = 0, timeouts_in_row = 0, probes = 0;
  std::uint32_t path_mtu = 0;
  std::uint32_t peer_segment = 0;  // octets of the largest segment that came
  std::uint32_t send_buffer = 0, receive_buffer = 0;
  Duration receive_rtt{};                // as the receiver measures it; zero: unknown
  std::uint32_t received_per_round = 0;  // octets that the application read in a round trip, at most
  Duration since_data_sent{}, since_data_received{}, since_ack_received{};
  LimitedTotals limited{};  // indexed by Limited
  Limited limited_now = Limited::kIdle;
  std::uint64_t bytes_sent = 0, bytes_retransmitted = 0, bytes_acked = 0, bytes_received = 0;
  std::uint64_t segments_out = 0, segments_in = 0;
  std::uint64_t data_segments_out = 0, data_segments_in = 0, retransmitted_segments = 0;
  std::uint64_t delivered = 0, delivered_marked = 0;  // octets; of those, what the network marked
  std::uint32_t duplicates_reported = 0;              // D-SACKs of the peer
  std::uint32_t reorderings = 0;                      // times that something overtaken arrived after all
  std::uint32_t out_of_order_segments = 0;            // of the peer
  std::uint32_t timeouts = 0, timeout_recoveries = 0;
  Duration timeout_recovery_time{};

  bool syn_data = false;         // data in a SYN was acknowledged, by us or by the peer
  bool fast_open_child = false;  // accepted before its handshake was done
  FastOpenFailure fast_open_failure{};
  std::string_view congestion_control;
  std::array<Metric, kMaxMetrics> metrics{};  // of the congestion control
  std::uint8_t metric_count = 0;
  std::string_view timer;  // "on", "keepalive", "timewait", "persist" or empty, as ss -o says
  Duration timer_expires{};
};

}  // namespace transom::tcp
