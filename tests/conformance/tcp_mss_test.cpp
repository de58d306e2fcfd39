// How large segments are: RFC 9293 §3.7.1, §3.7.5; RFC 6691; RFC 2525 §2.18.
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

std::size_t largest_of(const std::vector<Answer>& answers) {
  std::size_t largest = 0;
  for (const auto& answer : answers) largest = std::max(largest, answer.payload.size());
  return largest;
}
std::size_t largest_packet(Conversation& talk) {
  std::size_t largest = 0;
  for (auto packet = talk.world.take(); !packet.empty(); packet = talk.world.take())
    largest = std::max(largest, packet.size());
  return largest;
}

class TcpMaximumSegmentSize : public ::testing::TestWithParam<IpFamily> {
 protected:
  std::uint32_t headers() const { return GetParam() == IpFamily::kIpv4 ? 40 : 60; }
};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpMaximumSegmentSize, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(TcpMaximumSegmentSize, OfThePeerLimitsWhatIsSent) {  // MUST-14
  Conversation talk({.peer = {.maximum_segment_size = 400}, .family = GetParam()});
  talk.write(letters(5000));
  const auto sent = talk.peer.receive_all();
  EXPECT_EQ(largest_of(sent), 400U);
}

TEST_P(TcpMaximumSegmentSize, WithoutTheOptionIsThatOfEveryHost) {  // MUST-15
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = peer.accept_from_host();
  write(world, connection, letters(20000));
  EXPECT_EQ(largest_of(peer.receive_all()), GetParam() == IpFamily::kIpv4 ? 536U : 1220U);
}

TEST_P(TcpMaximumSegmentSize, IsThatOfThePathWhereThePeerTakesMore) {  // MUST-16
  Conversation talk({.peer = modern_options(9000), .family = GetParam()});
  talk.write(letters(20000));
  EXPECT_EQ(largest_of(talk.peer.receive_all()), 1500 - headers() - 12);
}

TEST_P(TcpMaximumSegmentSize, ThatIsAnnouncedCountsTheFixedHeadersOnly) {  // MUST-67, SHLD-5
  for (const std::uint32_t mtu : {1280U, 1500U, 9000U}) {
    HostUnderTest world({}, mtu);
    world.listen(80, {}, 16, GetParam());
    ScriptedPeer peer(world, 4000, 80, GetParam());
    peer.send({.flags = "S", .sequence = 1000, .options = modern_options()});
    const Answer answer = peer.expect("SA");
    EXPECT_TRUE(answer.header.options.timestamps);
    EXPECT_EQ(answer.header.options.maximum_segment_size, mtu - headers());
  }
}

TEST_P(TcpMaximumSegmentSize, LeavesRoomForTheOptionsOfEachSegment) {  // R6691-01, R2525-18, MUST-16
  for (const std::uint32_t mtu : {1280U, 1500U}) {
    Conversation talk({.peer = modern_options(9000), .mtu = mtu, .family = GetParam()});
    for (const std::uint32_t offset : {100U, 300U, 500U})
      talk.send_at(offset, "an island");  // SACK blocks are due
    talk.write(letters(20000));
    EXPECT_LE(largest_packet(talk), mtu);
  }
}

TEST_P(TcpMaximumSegmentSize, Of65535IsNoMoreThanThePathTakes) {  // R9293-14
  Conversation talk({.peer = {.maximum_segment_size = 65535}, .family = GetParam()});
  talk.write(letters(20000));
  EXPECT_EQ(largest_packet(talk), 1500U);
}

TEST_P(TcpMaximumSegmentSize, IsFilledByABulkWriteInAllButTheLastSegment) {  // SHLD-28, SHLD-27
  Conversation talk({.peer = {.maximum_segment_size = 1000}, .family = GetParam()});
  for (int i = 0; i < 95; ++i) talk.write(letters(50));
  std::vector<std::size_t> sizes;
  for (int round = 0; round < 5; ++round)
    for (const auto& answer : talk.acknowledge_all()) sizes.push_back(answer.payload.size());
  ASSERT_GE(sizes.size(), 6U);
  EXPECT_EQ(sizes[0], 50U) << "the first write finds nothing out and goes alone";
  for (std::size_t i = 1; i + 1 < sizes.size(); ++i) EXPECT_EQ(sizes[i], 1000U);
  EXPECT_EQ(sizes.back(), 700U);
}

TEST_P(TcpMaximumSegmentSize, TakesNoOfferThatIsAbsurdlySmall) {  // the floor of 216 octets of CVE-2019-11479
  for (const std::uint16_t mss : std::array<std::uint16_t, 3>{0, 1, 48}) {
    Conversation talk({.peer = {.maximum_segment_size = mss}, .family = GetParam()});
    talk.write(letters(5000));
    EXPECT_EQ(largest_of(talk.peer.receive_all()), 216U);
  }
}

TEST_P(TcpMaximumSegmentSize, TcpMaxsegLowersBothDirections) {  // MUST-14
  Conversation talk(
      {.peer = {.maximum_segment_size = 1400}, .host = {.max_segment = 500}, .family = GetParam()});
  talk.write(letters(5000));
  EXPECT_EQ(largest_of(talk.peer.receive_all()), 500U);
}

}  // namespace
}  // namespace transom::test
