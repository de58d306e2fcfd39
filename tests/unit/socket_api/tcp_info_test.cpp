// What TCP_INFO says of a connection, against the layout and the words of Linux.
#include "socket_api/tcp_info.h"

#include <gtest/gtest.h>

#include "socket_api/transom.h"

namespace transom::sockets {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

transom_tcp_info written(const tcp::Info& info) {
  transom_tcp_info result;
  std::memset(&result, 0xff, sizeof result);
  EXPECT_EQ(write_tcp_info(info, {reinterpret_cast<std::uint8_t*>(&result), sizeof result}), sizeof result);
  return result;
}

TEST(TcpInfo, CountsSegmentsWhereLinuxDoes) {
  tcp::Info info;
  info.send_mss = 1000;
  info.cwnd = 10'500;
  info.outstanding = 4001;
  info.sacked = 2000;
  info.lost = 1000;
  info.retransmitted_in_flight = 500;
  const auto result = written(info);
  EXPECT_EQ(result.tcpi_snd_cwnd, 11U);
  EXPECT_EQ(result.tcpi_unacked, 5U);
  EXPECT_EQ(result.tcpi_sacked, 2U);
  EXPECT_EQ(result.tcpi_lost, 1U);
  EXPECT_EQ(result.tcpi_retrans, 1U);
  EXPECT_EQ(result.transom_cwnd, 10'500U);
}

TEST(TcpInfo, TimesLimitedAddUpToTheBusyTime) {
  tcp::Info info;
  for (std::size_t i = 0; i < info.limited.size(); ++i) info.limited[i] = milliseconds(1 << i);
  const auto result = written(info);
  EXPECT_EQ(result.transom_idle, 1000U);
  EXPECT_EQ(result.transom_app_limited, 2000U);
  EXPECT_EQ(result.tcpi_sndbuf_limited, 4000U);
  EXPECT_EQ(result.tcpi_rwnd_limited, 8000U);
  EXPECT_EQ(result.transom_cwnd_limited, 16000U);
  EXPECT_EQ(result.transom_recovery_limited, 32000U);
  EXPECT_EQ(result.transom_pacing_limited, 64000U);
  EXPECT_EQ(result.tcpi_busy_time, 126000U);
}

TEST(TcpInfo, TimesAreMicrosecondsAndAgesMilliseconds) {
  tcp::Info info;
  info.rto = milliseconds(204);
  info.min_rtt = microseconds(95);
  info.since_data_sent = milliseconds(1500);
  const auto result = written(info);
  EXPECT_EQ(result.tcpi_rto, 204000U);
  EXPECT_EQ(result.tcpi_min_rtt, 95U);
  EXPECT_EQ(result.tcpi_last_data_sent, 1500U);
  EXPECT_EQ(result.tcpi_max_pacing_rate, UINT64_MAX) << "no limit";
}

TEST(TcpInfo, ScalesAndFlagsLieWhereLinuxHasItsBitFields) {
  tcp::Info info;
  info.send_scale = 7;
  info.receive_scale = 9;
  info.delivery_rate_application_limited = true;
  const auto result = written(info);
  EXPECT_EQ(result.tcpi_wscale, 0x97);
  EXPECT_EQ(result.tcpi_flags, 1);
}

TEST(TcpInfo, GivesAsMuchAsThereIsRoomFor) {
  std::array<std::uint8_t, 104> room{};  // of Linux 2.6
  EXPECT_EQ(write_tcp_info({}, room), room.size());
}

}  // namespace
}  // namespace transom::sockets
