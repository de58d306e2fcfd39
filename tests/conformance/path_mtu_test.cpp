// Path MTU discovery by TCP: RFC 1191 §3, §6.4; RFC 8201 §4, §5.4; RFC 5927 §7; RFC 8900 §6.1.

#include "tests/support/packets.h"
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

std::string text(std::size_t size) {
  std::string octets(size, ' ');
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<char>('a' + i % 23);
  return octets;
}

class PathMtuOfTcp : public ::testing::TestWithParam<IpFamily> {
 protected:
  PathMtuOfTcp() : peer_(world_, 4000, 80, GetParam()) {
    auto& listener = world_.listen(80, {}, 16, GetParam());
    wire::TcpOptions options;
    options.maximum_segment_size = mss();
    options.sack_permitted = true;
    connection_ = &peer_.connect_to(listener, options);
    write(world_, *connection_, text(std::size_t{4} * mss()));
    segments_ = peer_.receive_all();
  }
  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  std::uint16_t mss() const { return is_v4() ? 1460 : 1440; }
  std::size_t headers() const { return is_v4() ? 40 : 60; }

  // What a router says about the segment that begins with `sequence`.
  void receive_too_big(std::uint32_t mtu, std::uint32_t sequence) {
    const IpAddress host = peer_.remote().address;
    const IpAddress router = address(is_v4() ? "192.0.2.9" : "2001:db8::9");
    Octets tcp(20);
    wire::Writer writer(tcp);
    wire::TcpHeader header;
    header.source_port = Port{80};
    header.destination_port = Port{4000};
    header.sequence = SeqNum(sequence);
    header.write(writer);
    const Octets quoted = ip_packet(host, peer_.local().address, IpProtocol::kTcp, tcp);
    const Octets message =
        is_v4() ? icmp(router, host, 3, 4, mtu, quoted) : icmp(router, host, 2, 0, mtu, quoted);
    world_.deliver(ip_packet(router, host, is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6, message));
  }

  HostUnderTest world_;
  ScriptedPeer peer_;
  tcp::Connection* connection_ = nullptr;
  std::vector<Answer> segments_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, PathMtuOfTcp, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) {
                           return family.param == IpFamily::kIpv4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(PathMtuOfTcp, SegmentsAreNeverCutOnTheWay) {  // R1191-01, R8900-01
  ASSERT_EQ(segments_.size(), 4U);
  for (const Answer& segment : segments_) {
    EXPECT_EQ(segment.payload.size(), mss());
    EXPECT_EQ(segment.dont_fragment, is_v4());
  }
}

TEST_P(PathMtuOfTcp, WhatWasTooBigIsSentAgainAtOnceAndTheWindowStays) {  // R1191-01, R8201-04
  const auto window = connection_->info().cwnd;
  const std::uint32_t mtu = is_v4() ? 1000 : 1300;
  receive_too_big(mtu, segments_[0].sequence());
  const auto again = peer_.receive_all();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].sequence(), segments_[0].sequence());
  std::string octets;
  for (const Answer& segment : again) {
    EXPECT_LE(segment.payload.size() + headers(), mtu);
    octets += segment.payload;
  }
  EXPECT_EQ(octets,
            segments_[0].payload + segments_[1].payload + segments_[2].payload + segments_[3].payload);
  EXPECT_EQ(connection_->info().cwnd, window);
}

TEST_P(PathMtuOfTcp,
       AReportAboutWhatIsNotInFlightIsNotBelieved) {  // R5927-01, R5927-03, R8201-02, ATK-ICMP-05, -06
  peer_.send({.flags = ".", .sequence = peer_.next, .acknowledgment = segments_[1].sequence()});
  const std::uint32_t end = segments_[3].sequence() + mss();
  for (const std::uint32_t sequence :
       {segments_[0].sequence(), segments_[1].sequence() - 1, end, end + 0x80000000U})
    receive_too_big(1280, sequence);
  peer_.expect_silence();
  EXPECT_EQ(world_.counter(Counter::kTcpExtOutOfWindowIcmps), 4U);
  write(world_, *connection_, text(mss()));
  EXPECT_EQ(peer_.receive()->payload.size(), mss());
}

TEST_P(PathMtuOfTcp, NoReportMakesSegmentsTiny) {  // R1191-02, R8201-01, R8021-01, ATK-ICMP-05, -07, -08
  for (const std::uint32_t mtu : {68U, 1U, 20U, 28U}) receive_too_big(mtu, segments_[0].sequence());
  const auto again = peer_.receive_all();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].payload.size() + headers(), is_v4() ? 552U : 1280U);
  EXPECT_FALSE(again[0].dont_fragment);
}

TEST_P(PathMtuOfTcp, ALargerOneThanIsUsedChangesNothing) {  // R1191-02, R8201-01
  for (const std::uint32_t mtu : {1500U, 1501U, 9000U, 65535U}) receive_too_big(mtu, segments_[0].sequence());
  peer_.expect_silence();
}

}  // namespace
}  // namespace transom::test
