#include "drivers/capture/capture_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// "flaw count first", in order.
std::vector<std::string> findings_of(const std::vector<MadePacket>& packets) {
  CaptureCheck check;
  std::uint64_t number = 0;
  for (const MadePacket& made : packets) {
    CapturedPacket packet = made.captured();
    packet.number = ++number;
    check.take(packet);
  }
  std::vector<std::string> findings;
  for (const CaptureFinding& finding : check.finish().findings) {
    EXPECT_FALSE(words_of(finding.flaw).empty());
    EXPECT_FALSE(fix_of(finding.flaw).empty());
    findings.push_back(fmt::format("{} {} {}", name_of(finding.flaw), finding.count, finding.first_packet));
  }
  return findings;
}

Segment from_server(Segment segment) {
  std::swap(segment.from, segment.to);
  return segment;
}

// A whole connection, with `payload` from the client.
std::vector<MadePacket> connection(std::string_view payload = "hello") {
  const auto sent = static_cast<std::uint32_t>(payload.size());
  return {tcp({.sequence = 99, .flags = "S", .mss = 1460, .identification = 1, .time = 1s}),
          tcp(from_server({.sequence = 499,
                           .acknowledgment = 100,
                           .flags = "S.",
                           .mss = 1460,
                           .identification = 1,
                           .time = 1s + 1ms})),
          tcp({.sequence = 100, .acknowledgment = 500, .identification = 2, .time = 1s + 2ms}),
          tcp({.sequence = 100,
               .acknowledgment = 500,
               .flags = "P.",
               .payload = payload,
               .identification = 3,
               .time = 1s + 3ms}),
          tcp(from_server(
              {.sequence = 500, .acknowledgment = 100 + sent, .identification = 2, .time = 1s + 4ms})),
          tcp({.sequence = 100 + sent,
               .acknowledgment = 500,
               .flags = "F.",
               .identification = 4,
               .time = 1s + 5ms}),
          tcp(from_server({.sequence = 500,
                           .acknowledgment = 101 + sent,
                           .flags = "F.",
                           .identification = 3,
                           .time = 1s + 6ms})),
          tcp({.sequence = 101 + sent, .acknowledgment = 501, .identification = 5, .time = 1s + 7ms})};
}

TEST(CaptureCheck, FindsNothingWrongWithAWholeConnection) {
  EXPECT_THAT(findings_of(connection()), IsEmpty());
}

TEST(CaptureCheck, MissesTheBeginningTheEndAndTheOtherSide) {
  auto packets = connection();
  packets.erase(packets.begin(), packets.begin() + 2);
  EXPECT_THAT(findings_of(packets), ElementsAre("no-handshake 1 1"));
  packets = connection();
  packets.resize(5);
  EXPECT_THAT(findings_of(packets), ElementsAre("no-end 1 1"));
  packets = {connection()[0], connection()[2], connection()[3]};
  EXPECT_THAT(findings_of(packets), ElementsAre("one-sided 1 1", "no-end 1 1"));
}

TEST(CaptureCheck, AResetIsAnEndAndASynAfterItAnotherConnection) {
  std::vector<MadePacket> packets = connection();
  packets.resize(4);
  packets.push_back(tcp({.sequence = 105, .flags = "R", .identification = 9, .time = 1s + 9ms}));
  for (const MadePacket& packet : connection()) {
    packets.push_back(packet);
    packets.back().meta.time += 10s;
  }
  EXPECT_THAT(findings_of(packets), IsEmpty());
}

TEST(CaptureCheck, FindsWhatTheCapturingMachineDid) {
  auto packets = connection(std::string(3000, 'x'));
  EXPECT_THAT(findings_of(packets), ElementsAre("super-packets 1 4"));
  packets = connection();
  packets[3].meta.original_length = 1000;
  packets[3].octets.resize(60);
  packets[3].octets[17] = 200;  // its own length
  EXPECT_THAT(findings_of(packets), testing::Contains("cut 1 4"));
  packets = connection();
  packets[3].octets.back() ^= 1;
  EXPECT_THAT(findings_of(packets), ElementsAre("bad-checksums 1 4"));
  packets = connection();
  const std::uint16_t pseudo = wire::pseudo_header_sum(kClient.address, kServer.address, IpProtocol::kTcp,
                                                       packets[3].view().transport_length)
                                   .fold();
  packets[3].octets[34 + 16] = static_cast<std::uint8_t>(pseudo >> 8);
  packets[3].octets[34 + 17] = static_cast<std::uint8_t>(pseudo);
  EXPECT_THAT(findings_of(packets), ElementsAre("unfilled-checksums 1 4"));
}

TEST(CaptureCheck, FindsDuplicatesOfMirrorsButNoRetransmissions) {
  auto packets = connection();
  packets.insert(packets.begin() + 4, packets[3]);
  packets[4].meta.time += 100us;
  packets[4].octets[0] ^= 4;       // another MAC
  packets[4].octets[14 + 8] = 63;  // a router further
  packets[4].octets[14 + 10] += 1;
  EXPECT_THAT(findings_of(packets), testing::Contains("duplicates 1 5"));
  packets = connection();
  packets.insert(packets.begin() + 4, tcp({.sequence = 100,
                                           .acknowledgment = 500,
                                           .flags = "P.",
                                           .payload = "hello",
                                           .identification = 77,
                                           .time = 1s + 3ms}));
  EXPECT_THAT(findings_of(packets), IsEmpty()) << "another identification: the sender sent it again";
  packets = connection();
  packets.insert(packets.begin() + 4, packets[3]);
  packets[4].meta.time += 500ms;
  packets.resize(5);
  EXPECT_THAT(findings_of(packets), ElementsAre("no-end 1 1")) << "half a second later it is no mirror";
}

TEST(CaptureCheck, DuplicateAcksOfIpv6AreNoDuplicates) {
  std::vector<MadePacket> packets;
  for (int i = 0; i < 4; ++i)
    packets.push_back(
        tcp({.from = kClientV6, .to = kServerV6, .sequence = 1, .acknowledgment = 1, .time = 1s}));
  for (const std::string& finding : findings_of(packets))
    EXPECT_THAT(finding, testing::Not(HasSubstr("duplicates")));
}

TEST(CaptureCheck, FindsClockStepsLinkTypesAndNat) {
  auto packets = connection();
  packets[5].meta.time = 900ms;
  EXPECT_THAT(findings_of(packets), ElementsAre("clock-steps 1 6"));

  packets = connection();
  MadePacket raw = udp({.payload = "x", .time = 2s});
  raw.octets.erase(raw.octets.begin(), raw.octets.begin() + 14);
  raw.meta.link_type = LinkType::kRaw;
  packets.push_back(raw);
  raw.meta.link_type = LinkType{147};
  packets.push_back(raw);
  EXPECT_THAT(findings_of(packets), ElementsAre("link-types 3 9", "unknown-link-type 1 10"));

  packets = connection();
  packets.insert(packets.begin() + 4, tcp({.from = {IpAddress::v4(192, 0, 2, 1), Port{7777}},
                                           .sequence = 100,
                                           .acknowledgment = 500,
                                           .flags = "P.",
                                           .payload = "hello",
                                           .identification = 3,
                                           .time = 1s + 3ms}));
  EXPECT_THAT(findings_of(packets), testing::Contains("nat 1 5"));
}

TEST(ConnectionList, ForgetsWhatHasEndedFirst) {
  std::uint64_t told = 0;
  ConnectionList list([&](const SeenConnection&) { ++told; });
  for (std::uint32_t i = 0; i < 250'000; ++i) {
    const MadePacket syn =
        tcp({.from = {IpAddress::v4(0x0a000000 + i / 60000), static_cast<Port>(1 + i % 60000)},
             .flags = i % 2 == 0 ? "S" : "R"});
    list.take(syn.captured(), syn.view());
  }
  EXPECT_EQ(list.count(), 250'000U);
  EXPECT_GT(told, 100'000U);
  list.finish();
  EXPECT_EQ(told, 250'000U);
}

TEST(CaptureCheck, TellsWhatWhoeverCapturedSaysItHasMissed) {
  CaptureCheck check;
  const CaptureReport report = check.finish(3);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].flaw, CaptureFlaw::kDropped);
  EXPECT_EQ(report.findings[0].count, 3U);
  EXPECT_EQ(name_of(CaptureFlaw::kDropped), "dropped");
  EXPECT_TRUE(CaptureCheck().finish(0).findings.empty());
}

}  // namespace
}  // namespace transom::drivers
