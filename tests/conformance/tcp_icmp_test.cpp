// What ICMP says about a connection: RFC 9293 §3.9.2.2; RFC 5927; RFC 1122 §4.2.3.9; RFC 6633.
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "tests/conformance/conversation.h"

namespace transom::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// What an ICMP message says, by its IPv4 and its IPv6 number. ICMPv6 does not have all of them.
struct Message {
  std::string_view name;
  std::array<std::uint8_t, 2> v4;  // type and code
  std::array<std::uint8_t, 2> v6;
  std::uint32_t rest = 0;
};
constexpr Message kNetUnreachable{"NetUnreachable", {3, 0}, {1, 0}};
constexpr Message kHostUnreachable{"HostUnreachable", {3, 1}, {1, 3}};
constexpr Message kProtocolUnreachable{"ProtocolUnreachable", {3, 2}, {4, 1}, 0};
constexpr Message kPortUnreachable{"PortUnreachable", {3, 3}, {1, 4}};
constexpr Message kSourceRouteFailed{"SourceRouteFailed", {3, 5}, {1, 0}};
constexpr Message kProhibited{"Prohibited", {3, 13}, {1, 1}};
constexpr Message kTimeExceeded{"TimeExceeded", {11, 0}, {3, 0}};
constexpr Message kParameterProblem{"ParameterProblem", {12, 0}, {4, 0}};

// `message` from a router about a segment of `local` to `remote` with that sequence number.
void report(HostUnderTest& world, const Message& message, const Endpoint& local, const Endpoint& remote,
            std::uint32_t sequence) {
  const bool v4 = local.address.is_v4();
  const IpAddress router = *IpAddress::parse(v4 ? "10.0.0.254" : "fd00::fe");
  std::vector<std::uint8_t> octets((v4 ? 20 + 8 + 20 : 40 + 8 + 40) + 20);
  wire::Writer writer(octets);
  const auto write_ip = [&](const IpAddress& source, const IpAddress& destination, IpProtocol protocol,
                            std::size_t payload) {
    if (v4) {
      wire::Ipv4Header ip;
      ip.total_length = static_cast<std::uint16_t>(20 + payload);
      ip.protocol = protocol;
      ip.source = source;
      ip.destination = destination;
      ip.write(writer);
    } else {
      wire::Ipv6Header ip;
      ip.payload_length = static_cast<std::uint16_t>(payload);
      ip.next_header = protocol;
      ip.source = source;
      ip.destination = destination;
      ip.write(writer);
    }
  };
  const std::size_t length = octets.size() - (v4 ? 20 : 40);
  write_ip(router, local.address, v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6, length);
  const std::size_t start = writer.position();
  writer.u8(v4 ? message.v4[0] : message.v6[0]);
  writer.u8(v4 ? message.v4[1] : message.v6[1]);
  writer.u16(0);
  writer.u32(message.rest);
  write_ip(local.address, remote.address, IpProtocol::kTcp, 20);
  wire::TcpHeader quoted;
  quoted.source_port = local.port;
  quoted.destination_port = remote.port;
  quoted.sequence = SeqNum(sequence);
  quoted.flags.ack = true;
  quoted.write(writer);
  wire::ChecksumSum sum;
  if (!v4)
    sum = wire::pseudo_header_sum(router, local.address, IpProtocol::kIcmpv6,
                                  static_cast<std::uint32_t>(length));
  sum.add(Bytes(octets).subspan(start));
  const std::uint16_t checksum = sum.checksum();
  octets[start + 2] = static_cast<std::uint8_t>(checksum >> 8);
  octets[start + 3] = static_cast<std::uint8_t>(checksum);
  world.deliver(octets);
}

class TcpIcmpAbout : public ::testing::TestWithParam<IpFamily> {
 protected:
  void about(Conversation& talk, const Message& message, std::uint32_t sequence) {
    report(talk.world, message, talk.peer.remote(), talk.peer.local(), sequence);
  }
};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpIcmpAbout, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(TcpIcmpAbout, AnAttemptToConnectEndsItAtOnceWhereNobodyListens) {  // SHLD-26, MUST-54
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = begin_to_connect(world, peer);
  report(world, kPortUnreachable, peer.remote(), peer.local(), peer.expect("S").sequence());
  EXPECT_EQ(connection.state(), tcp::State::kClosed);
  EXPECT_EQ(connection.take_error(), Error::kConnectionRefused);
}

TEST_P(TcpIcmpAbout, AnAttemptToConnectGoesOnWhereARouterIsAtALoss) {  // MUST-56
  for (const Message& message :
       {kNetUnreachable, kHostUnreachable, kSourceRouteFailed, kTimeExceeded, kParameterProblem}) {
    HostUnderTest world;
    ScriptedPeer peer(world, 80, 5000, GetParam());
    auto& connection = begin_to_connect(world, peer);
    const std::uint32_t sequence = peer.expect("S").sequence();
    report(world, message, peer.remote(), peer.local(), sequence);
    EXPECT_EQ(connection.state(), tcp::State::kSynSent) << message.name;
    peer.send({.flags = "SA", .sequence = 1, .acknowledgment = sequence + 1});
    EXPECT_EQ(connection.state(), tcp::State::kEstablished) << message.name;
  }
}

TEST_P(TcpIcmpAbout, AConnectionNeverEndsIt) {  // MUST-56, SHLD-26 (RFC 5927 §5.2)
  for (const Message& message : {kNetUnreachable, kHostUnreachable, kProtocolUnreachable, kPortUnreachable,
                                 kSourceRouteFailed, kProhibited, kTimeExceeded, kParameterProblem}) {
    Conversation talk({.family = GetParam()});
    talk.write("in flight");
    about(talk, message, talk.peer.expected);
    EXPECT_EQ(talk.connection.state(), tcp::State::kEstablished) << message.name;
    talk.acknowledge_all();
    talk.peer.send_next("PA", "alive");
    EXPECT_EQ(talk.read(), "alive") << message.name;
  }
}

TEST_P(TcpIcmpAbout, AConnectionThatThenTimesOutTellsTheUserWhy) {  // MUST-47, SHLD-25
  for (const Message& message : {kNetUnreachable, kHostUnreachable}) {
    Conversation talk({.family = GetParam()});
    talk.write("in flight");
    about(talk, message, talk.peer.expected);
    EXPECT_FALSE(talk.connection.readiness().error) << "SHLD-20: nobody is disturbed before";
    talk.world.advance(hours(1));
    EXPECT_EQ(talk.connection.state(), tcp::State::kClosed);
    EXPECT_EQ(talk.connection.take_error(),
              message.name == kNetUnreachable.name ? Error::kNetworkUnreachable : Error::kHostUnreachable);
  }
}

TEST_P(TcpIcmpAbout, AnAttemptToConnectThatThenTimesOutTellsTheUserWhy) {  // MUST-47, SHLD-25
  HostUnderTest world;
  ScriptedPeer peer(world, 80, 5000, GetParam());
  auto& connection = begin_to_connect(world, peer);
  report(world, kHostUnreachable, peer.remote(), peer.local(), peer.expect("S").sequence());
  world.advance(minutes(10));
  EXPECT_EQ(connection.take_error(), Error::kHostUnreachable);
}

TEST_P(TcpIcmpAbout, AConnectionThatRecoversIsForgotten) {  // MUST-47
  Conversation talk({.family = GetParam()});
  talk.write("in flight");
  about(talk, kHostUnreachable, talk.peer.expected);
  talk.acknowledge_all();
  talk.write("again in flight");
  talk.world.advance(hours(1));
  EXPECT_EQ(talk.connection.take_error(), Error::kTimedOut) << "that was another time";
}

TEST_P(TcpIcmpAbout, AnotherConnectionOrNothingInFlightIsDropped) {  // MUST-54, RFC 5927 §4.1
  Conversation talk({.family = GetParam()});
  ScriptedPeer other_peer(talk.world, 4001, 80, GetParam());
  auto& other = other_peer.connect_to(talk.listener);
  talk.write("in flight");
  write(talk.world, other, "in flight");
  const auto too_big = Message{"TooBig", {3, 4}, {2, 0}, GetParam() == IpFamily::kIpv4 ? 1000U : 1280U};
  for (const std::uint32_t sequence :
       {talk.peer.expected - 1, talk.peer.expected + 9, talk.peer.expected + 0x40000000U})
    about(talk, too_big, sequence);
  report(talk.world, too_big, {talk.peer.remote().address, Port{81}}, talk.peer.local(), talk.peer.expected);
  report(talk.world, too_big, talk.peer.remote(), {talk.peer.local().address, Port{9}}, talk.peer.expected);
  EXPECT_EQ(talk.world.drops(DropReason::kIcmpQuoteUnmatched), 5U);
  EXPECT_EQ(talk.world.counter(Counter::kTcpExtOutOfWindowIcmps), 3U);
  EXPECT_EQ(talk.connection.info().send_mss, 1000U);
  EXPECT_EQ(other.state(), tcp::State::kEstablished);
}

TEST_P(TcpIcmpAbout,
       TooBigAPacketLowersTheSizeAndSendsItAgainWithoutACongestionSignal) {  // MUST-54; RFC 1191
                                                                             // §6.5, RFC 8201 §4
  const std::uint32_t mtu = GetParam() == IpFamily::kIpv4 ? 1000 : 1280;
  const std::uint32_t headers = GetParam() == IpFamily::kIpv4 ? 40 : 60;
  Conversation talk({.peer = {.maximum_segment_size = 1400}, .family = GetParam()});
  talk.write(letters(5600));
  const auto sent = talk.peer.receive_all();
  ASSERT_EQ(sent.size(), 4U);
  const auto cwnd = talk.connection.info().cwnd;
  about(talk, {"TooBig", {3, 4}, {2, 0}, mtu}, sent[0].sequence());
  const auto again = talk.peer.receive_all();
  ASSERT_GE(again.size(), 4U);
  for (const auto& answer : again) EXPECT_LE(answer.payload.size(), mtu - headers);
  EXPECT_EQ(payload_of(again), letters(5600)) << "R2525-04: the same octets in other segments";
  EXPECT_EQ(talk.connection.info().cwnd, cwnd);
}

TEST(TcpSourceQuench, IsDiscarded) {  // MUST-55
  Conversation talk;
  talk.write(letters(20000));
  talk.peer.receive_all();
  const auto before = talk.connection.info();
  report(talk.world, {"SourceQuench", {4, 0}, {4, 0}}, talk.peer.remote(), talk.peer.local(),
         talk.peer.expected);
  const auto after = talk.connection.info();
  EXPECT_EQ(after.cwnd, before.cwnd);
  EXPECT_EQ(after.ssthresh, before.ssthresh);
  EXPECT_EQ(after.send_mss, before.send_mss);
  EXPECT_TRUE(talk.world.take().empty());
}

}  // namespace
}  // namespace transom::test
