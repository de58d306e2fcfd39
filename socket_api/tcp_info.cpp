#include "socket_api/tcp_info.h"

#include <linux/tcp.h>

#include <algorithm>
#include <cstddef>

#include "socket_api/option_value.h"
#include "socket_api/transom.h"

namespace transom::sockets {

namespace {

constexpr std::uint8_t kTfoChild = 128;  // TCPI_OPT_TFO_CHILD of Linux 6.10

// Linux numbers the states in its own order (include/net/tcp_states.h).
std::uint8_t linux_state(tcp::State state) {
  switch (state) {
    case tcp::State::kEstablished:
      return 1;
    case tcp::State::kSynSent:
      return 2;
    case tcp::State::kSynReceived:
      return 3;
    case tcp::State::kFinWait1:
      return 4;
    case tcp::State::kFinWait2:
      return 5;
    case tcp::State::kTimeWait:
      return 6;
    case tcp::State::kClosed:
      return 7;
    case tcp::State::kCloseWait:
      return 8;
    case tcp::State::kLastAck:
      return 9;
    case tcp::State::kListen:
      return 10;
    case tcp::State::kClosing:
      return 11;
  }
  return 7;
}

template <typename Unit>
std::uint32_t count_of(Duration duration) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(std::chrono::duration_cast<Unit>(duration).count(), 0, UINT32_MAX));
}
std::uint32_t microseconds(Duration duration) { return count_of<std::chrono::microseconds>(duration); }
std::uint32_t milliseconds(Duration duration) { return count_of<std::chrono::milliseconds>(duration); }

std::uint8_t linux_options(const tcp::Info& info) {
  unsigned options = 0;
  if (info.timestamps) options |= TCPI_OPT_TIMESTAMPS;
  if (info.sack) options |= TCPI_OPT_SACK;
  if (info.send_scale != 0 || info.receive_scale != 0) options |= TCPI_OPT_WSCALE;
  if (info.ecn) options |= TCPI_OPT_ECN;
  if (info.syn_data) options |= TCPI_OPT_SYN_DATA;
  if (info.fast_open_child) options |= kTfoChild;
  return static_cast<std::uint8_t>(options);
}

void write_limits(const tcp::Info& info, transom_tcp_info& result) {
  const auto time = [&info](tcp::Limited limited) {
    const Duration total = info.limited[static_cast<std::size_t>(limited)];
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(total).count());
  };
  result.tcpi_rwnd_limited = time(tcp::Limited::kReceiveWindow);
  result.tcpi_sndbuf_limited = time(tcp::Limited::kSendBuffer);
  result.transom_cwnd_limited = time(tcp::Limited::kCongestionWindow);
  result.transom_recovery_limited = time(tcp::Limited::kRecovery);
  result.transom_pacing_limited = time(tcp::Limited::kPacing);
  result.transom_app_limited = time(tcp::Limited::kApplication);
  result.transom_idle = time(tcp::Limited::kIdle);
  result.tcpi_busy_time = result.tcpi_rwnd_limited + result.tcpi_sndbuf_limited +
                          result.transom_cwnd_limited + result.transom_recovery_limited +
                          result.transom_pacing_limited + result.transom_app_limited;
}

}  // namespace

// Linux fills struct tcp_info; what the headers of this machine know of it lies where ours has it.
static_assert(offsetof(transom_tcp_info, tcpi_rto) == offsetof(tcp_info, tcpi_rto));
static_assert(offsetof(transom_tcp_info, tcpi_total_retrans) == offsetof(tcp_info, tcpi_total_retrans));
static_assert(offsetof(transom_tcp_info, tcpi_delivery_rate) == offsetof(tcp_info, tcpi_delivery_rate));
static_assert(offsetof(transom_tcp_info, tcpi_sndbuf_limited) == offsetof(tcp_info, tcpi_sndbuf_limited));
static_assert(offsetof(transom_tcp_info, tcpi_snd_wnd) == offsetof(tcp_info, tcpi_snd_wnd));
static_assert(offsetof(transom_tcp_info, transom_cwnd_limited) == 512);

std::size_t write_tcp_info(const tcp::Info& info, MutableBytes out) {
  const std::uint64_t mss = std::max(info.send_mss, 1U);
  const auto segments = [mss](std::uint64_t octets) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((octets + mss - 1) / mss, INT32_MAX));
  };
  constexpr std::uint32_t kDuplicateThreshold = 3;  // RFC 5681 §3.2; RACK goes by time instead
  transom_tcp_info result{};
  result.tcpi_state = linux_state(info.state);
  result.tcpi_ca_state = static_cast<std::uint8_t>(info.congestion_state);
  result.tcpi_retransmits = info.timeouts_in_row;
  result.tcpi_probes = info.probes;
  result.tcpi_backoff = info.backoff;
  result.tcpi_options = linux_options(info);
  result.tcpi_wscale =
      static_cast<std::uint8_t>((info.send_scale & 0xfU) | (static_cast<unsigned>(info.receive_scale) << 4U));
  result.tcpi_flags = static_cast<std::uint8_t>((info.delivery_rate_application_limited ? 1U : 0U) |
                                                (static_cast<unsigned>(info.fast_open_failure) & 3U) << 1U);
  result.tcpi_rto = microseconds(info.rto);
  result.tcpi_ato = microseconds(info.ack_timeout);
  result.tcpi_snd_mss = info.send_mss;
  result.tcpi_rcv_mss = info.peer_segment;
  result.tcpi_unacked = segments(info.outstanding);
  result.tcpi_sacked = segments(info.sacked);
  if (info.state == tcp::State::kListen) {  // as Linux: the two queues
    result.tcpi_unacked = info.receive_queue;
    result.tcpi_sacked = info.send_queue;
  }
  result.tcpi_lost = segments(info.lost);
  result.tcpi_retrans = segments(info.retransmitted_in_flight);
  result.tcpi_last_data_sent = milliseconds(info.since_data_sent);
  result.tcpi_last_data_recv = milliseconds(info.since_data_received);
  result.tcpi_last_ack_recv = milliseconds(info.since_ack_received);
  result.tcpi_pmtu = info.path_mtu;
  result.tcpi_rcv_ssthresh = info.receive_buffer;
  result.tcpi_rtt = microseconds(info.srtt);
  result.tcpi_rttvar = microseconds(info.rttvar);
  result.tcpi_snd_ssthresh = segments(info.ssthresh);
  result.tcpi_snd_cwnd = segments(info.cwnd);
  result.tcpi_advmss = info.receive_mss;
  result.tcpi_reordering = kDuplicateThreshold;
  result.tcpi_rcv_rtt = microseconds(info.receive_rtt);
  result.tcpi_rcv_space = info.received_per_round;
  result.tcpi_total_retrans = static_cast<std::uint32_t>(info.retransmitted_segments);
  result.tcpi_pacing_rate = info.pacing_rate == 0 ? UINT64_MAX : info.pacing_rate;
  result.tcpi_max_pacing_rate = info.max_pacing_rate == 0 ? UINT64_MAX : info.max_pacing_rate;
  result.tcpi_bytes_acked = info.bytes_acked;
  result.tcpi_bytes_received = info.bytes_received;
  result.tcpi_segs_out = static_cast<std::uint32_t>(info.segments_out);
  result.tcpi_segs_in = static_cast<std::uint32_t>(info.segments_in);
  result.tcpi_notsent_bytes = static_cast<std::uint32_t>(info.unsent);
  result.tcpi_min_rtt = microseconds(info.min_rtt);
  result.tcpi_data_segs_in = static_cast<std::uint32_t>(info.data_segments_in);
  result.tcpi_data_segs_out = static_cast<std::uint32_t>(info.data_segments_out);
  result.tcpi_delivery_rate = info.delivery_rate;
  write_limits(info, result);
  result.tcpi_delivered = segments(info.delivered);
  result.tcpi_delivered_ce = segments(info.delivered_marked);
  result.tcpi_bytes_sent = info.bytes_sent;
  result.tcpi_bytes_retrans = info.bytes_retransmitted;
  result.tcpi_dsack_dups = info.duplicates_reported;
  result.tcpi_reord_seen = info.reorderings;
  result.tcpi_rcv_ooopack = info.out_of_order_segments;
  result.tcpi_snd_wnd = static_cast<std::uint32_t>(info.send_window);
  result.tcpi_rcv_wnd = static_cast<std::uint32_t>(info.receive_window);
  result.tcpi_total_rto = static_cast<std::uint16_t>(std::min(info.timeouts, 0xffffU));
  result.tcpi_total_rto_recoveries = static_cast<std::uint16_t>(std::min(info.timeout_recoveries, 0xffffU));
  result.tcpi_total_rto_time = milliseconds(info.timeout_recovery_time);
  result.transom_cwnd = info.cwnd;
  result.transom_ssthresh = info.ssthresh;
  result.transom_in_flight = info.in_flight;
  result.transom_sndbuf = info.send_buffer;
  result.transom_rcvbuf = info.receive_buffer;
  return write_option(out, result);
}

}  // namespace transom::sockets
