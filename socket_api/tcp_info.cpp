#include "socket_api/tcp_info.h"

#include <linux/tcp.h>

#include <algorithm>

#include "socket_api/option_value.h"

namespace transom::sockets {

namespace {

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

std::uint32_t microseconds(Duration duration) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

}  // namespace

std::size_t write_tcp_info(const tcp::Info& info, const tcp::Options& options, std::size_t unsent,
                           MutableBytes out) {
  const std::uint64_t mss = std::max(info.send_mss, 1U);
  const auto segments = [mss](std::uint64_t octets) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((octets + mss - 1) / mss, INT32_MAX));
  };
  tcp_info result{};
  result.tcpi_state = linux_state(info.state);
  result.tcpi_backoff = info.backoff;
  if (info.timestamps) result.tcpi_options |= TCPI_OPT_TIMESTAMPS;
  if (info.sack) result.tcpi_options |= TCPI_OPT_SACK;
  if (info.send_scale != 0 || info.receive_scale != 0) result.tcpi_options |= TCPI_OPT_WSCALE;
  result.tcpi_snd_wscale = info.send_scale & 0xfU;
  result.tcpi_rcv_wscale = info.receive_scale & 0xfU;
  result.tcpi_rto = microseconds(info.rto);
  result.tcpi_snd_mss = info.send_mss;
  result.tcpi_rcv_mss = result.tcpi_advmss = info.receive_mss;
  result.tcpi_unacked = segments(info.in_flight);
  if (info.state == tcp::State::kListen) {  // as Linux: the two queues
    result.tcpi_unacked = info.receive_queue;
    result.tcpi_sacked = info.send_queue;
  }
  result.tcpi_rtt = microseconds(info.srtt);
  result.tcpi_rttvar = microseconds(info.rttvar);
  result.tcpi_min_rtt = microseconds(info.min_rtt);
  result.tcpi_snd_cwnd = segments(info.cwnd);
  result.tcpi_snd_ssthresh = segments(info.ssthresh);
  result.tcpi_rcv_ssthresh = static_cast<std::uint32_t>(info.receive_window);
  result.tcpi_rcv_space = options.receive_buffer;
  result.tcpi_bytes_acked = info.bytes_acked;
  result.tcpi_bytes_received = info.bytes_received;
  result.tcpi_bytes_sent = info.bytes_sent;
  result.tcpi_bytes_retrans = info.bytes_retransmitted;
  result.tcpi_total_retrans = segments(info.bytes_retransmitted);
  result.tcpi_segs_out = static_cast<std::uint32_t>(info.segments_out);
  result.tcpi_segs_in = static_cast<std::uint32_t>(info.segments_in);
  result.tcpi_notsent_bytes = static_cast<std::uint32_t>(unsent);
  result.tcpi_snd_wnd = static_cast<std::uint32_t>(info.send_window);
  return write_option(out, result);
}

}  // namespace transom::sockets
