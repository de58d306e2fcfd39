#include "drivers/replay/icmp_errors.h"

#include <gtest/gtest.h>

#include "drivers/replay/ip_octets.h"
#include "stack/wire/icmp.h"
#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers::replay {
namespace {

using test::kClient;
using test::kServer;

constexpr std::size_t kIpHeader = 20;

// Fragmentation needed, about a segment from the client, of which so many octets behind the IP header are
// quoted.
std::vector<std::uint8_t> error(std::size_t quoted) {
  std::vector<std::uint8_t> message{3, 4, 0, 0, 0, 0, 0x02, 0xbc};
  const auto segment = test::tcp({.sequence = 1000, .acknowledgment = 2000, .payload = "abcd"});
  const auto begin = segment.octets.begin() + 14;
  message.insert(message.end(), begin, begin + static_cast<std::ptrdiff_t>(kIpHeader + quoted));
  return message;
}

TEST(IcmpErrors, TheQuotedSegmentIsFoundByTheEightOctetsThatMustBeThere) {
  const auto short_one = quoted_segment(IpProtocol::kIcmp, error(8));
  ASSERT_TRUE(short_one);
  EXPECT_EQ(short_one->from, kClient);
  EXPECT_EQ(short_one->to, kServer);
  EXPECT_EQ(short_one->sequence, SeqNum(1000));
  EXPECT_FALSE(short_one->acknowledgment);
  EXPECT_EQ(quoted_segment(IpProtocol::kIcmp, error(20))->acknowledgment, SeqNum(2000));
  EXPECT_FALSE(quoted_segment(IpProtocol::kIcmp, error(7)));
  auto echo = error(20);
  echo[0] = 8;
  EXPECT_FALSE(quoted_segment(IpProtocol::kIcmp, echo));
}

TEST(IcmpErrors, AnErrorIsMadeAnewAboutALiveSegmentWhoseChecksumStaysRight) {
  const Endpoint ours{IpAddress::v4(10, 9, 0, 2), Port{8080}}, theirs{IpAddress::v4(10, 9, 0, 1), Port{5555}};
  const QuotedSegment now{
      .from = theirs, .to = ours, .sequence = SeqNum(0xfffffff0), .acknowledgment = SeqNum(5)};
  for (const std::size_t quoted : {8U, 20U, 24U}) {
    const auto recorded = error(quoted);
    const auto made = error_about(now, {kServer, kClient}, {ours, theirs}, recorded);
    ASSERT_EQ(made.size(), recorded.size());
    EXPECT_TRUE(std::equal(made.begin(), made.begin() + 8, recorded.begin()));
    const auto segment = quoted_segment(IpProtocol::kIcmp, made);
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->from, theirs);
    EXPECT_EQ(segment->to, ours);
    EXPECT_EQ(segment->sequence, now.sequence);
    if (quoted < 24) continue;
    EXPECT_EQ(segment->acknowledgment, now.acknowledgment);
    const auto view = PacketView::parse(captured(Bytes(made).subspan(8)));
    EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
    EXPECT_EQ(view->network_checksum, ChecksumVerdict::kGood);
  }
}

TEST(IcmpErrors, ThereIsNoneBetweenEndsOfAnotherFamily) {
  const QuotedSegment now{
      .from = test::kClientV6, .to = test::kServerV6, .sequence = SeqNum(1), .acknowledgment = std::nullopt};
  EXPECT_TRUE(error_about(now, {kServer, kClient}, {test::kServerV6, test::kClientV6}, error(20)).empty());
}

}  // namespace
}  // namespace transom::drivers::replay
