#include "stack/wire/membership.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

using namespace std::chrono_literals;

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

auto parse_query(IpFamily family) {
  return [family](Bytes octets) { return MembershipQuery::parse(family, octets); };
}
auto parse_report(IpFamily family) {
  return [family](Bytes octets) { return MembershipReport::parse(family, octets); };
}
const auto kWrite = [](const auto& message) { return written(message, message.size()); };

// From a capture of a Linux bridge that asks about a group and two sources.
const Octets kQueryV4 = hex("11 8f 00 00 ef 01 02 03 0a 7d 00 02 c6 33 64 01 c6 33 64 02");
const Octets kReportV4 =
    hex("22 00 00 00 00 00 00 02"
        "04 00 00 00 ef 01 02 03"
        "05 01 00 01 ef 01 02 04 c6 33 64 01 de ad be ef");

TEST(MembershipQueryTest, ReadsAllFields) {
  const auto query = MembershipQuery::parse(IpFamily::kIpv4, kQueryV4);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, MembershipVersion::kV3);
  EXPECT_EQ(query->max_response, 24800ms);  // 0x8f: (15 | 16) << 3 tenths of a second
  EXPECT_EQ(query->group, address("239.1.2.3"));
  EXPECT_TRUE(query->suppress);
  EXPECT_EQ(query->robustness, 2);
  EXPECT_EQ(query->interval, 125s);
  EXPECT_EQ(query->sources, (std::vector{address("198.51.100.1"), address("198.51.100.2")}));
}

TEST(MembershipQueryTest, TellsTheVersionByTheLength) {
  const Octets v1 = hex("11 00 00 00 00 00 00 00");
  const Octets v2 = hex("11 64 00 00 00 00 00 00");
  const Octets mld1 = hex("82 00 00 00 27 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv4, v1)->version, MembershipVersion::kV1);
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv4, v1)->max_response, 10s);
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv4, v2)->version, MembershipVersion::kV2);
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv4, v2)->max_response, 10s);
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv6, mld1)->version, MembershipVersion::kV2);
  EXPECT_EQ(MembershipQuery::parse(IpFamily::kIpv6, mld1)->max_response, 10s);
}

TEST(MembershipQueryTest, RefusesImpossibleLengthsAndAddresses) {
  for (std::size_t size = 0; size < kQueryV4.size(); ++size) {
    if (size == 8) continue;  // a query of version 2
    const ExactCopy cut(Bytes(kQueryV4).first(size));
    EXPECT_FALSE(MembershipQuery::parse(IpFamily::kIpv4, cut)) << size;
  }
  Octets unicast = kQueryV4;
  unicast[4] = 10;
  EXPECT_FALSE(MembershipQuery::parse(IpFamily::kIpv4, unicast));
  Octets mapped = hex("82 00 00 00 27 10 00 00 00 00 00 00 00 00 00 00 00 00 ff ff 00 00 00 00");
  EXPECT_FALSE(MembershipQuery::parse(IpFamily::kIpv6, mapped));
}

TEST(MembershipQueryTest, IsWrittenAsItWasRead) {
  EXPECT_EQ(kWrite(*MembershipQuery::parse(IpFamily::kIpv4, kQueryV4)), kQueryV4);
  expect_stable_under_mutation(kQueryV4, parse_query(IpFamily::kIpv4), kWrite);
  MembershipQuery query;
  query.group = address("ff15::1");
  query.max_response = 60s;
  query.sources = {address("2001:db8::1")};
  const Octets v6 = kWrite(query);
  EXPECT_EQ(v6.size(), 44U);
  expect_stable_under_mutation(v6, parse_query(IpFamily::kIpv6), kWrite);
  expect_write_respects_the_end(query, query.size());
}

TEST(MembershipReportTest, ReadsRecordsAndSkipsAuxiliaryData) {
  const auto report = MembershipReport::parse(IpFamily::kIpv4, kReportV4);
  ASSERT_TRUE(report);
  using Type = MembershipRecord::Type;
  const std::vector<MembershipRecord> expected{
      {Type::kToExclude, address("239.1.2.3"), {}},
      {Type::kAllow, address("239.1.2.4"), {address("198.51.100.1")}}};
  EXPECT_EQ(report->records, expected);
  for (std::size_t size = 0; size < kReportV4.size(); ++size) {
    const ExactCopy cut(Bytes(kReportV4).first(size));
    EXPECT_FALSE(MembershipReport::parse(IpFamily::kIpv4, cut)) << size;
  }
  expect_stable_under_mutation(kReportV4, parse_report(IpFamily::kIpv4), kWrite);
  expect_write_respects_the_end(*report, report->size());
}

TEST(OldMembershipMessageTest, ReadsAndWritesEachKind) {
  for (const Octets& octets :
       {hex("12 00 00 00 ef 01 02 03"), hex("16 00 00 00 ef 01 02 03"), hex("17 00 00 00 ef 01 02 03")}) {
    const auto message = OldMembershipMessage::parse(IpFamily::kIpv4, octets);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->group, address("239.1.2.3"));
    EXPECT_EQ(kWrite(*message), octets);
    expect_every_cut_fails(octets,
                           [](Bytes cut) { return OldMembershipMessage::parse(IpFamily::kIpv4, cut); });
  }
  const Octets done = hex("84 00 00 00 00 00 00 00 ff 15 00 00 00 00 00 00 00 00 00 00 00 00 00 01");
  const auto message = OldMembershipMessage::parse(IpFamily::kIpv6, done);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, OldMembershipMessage::Kind::kLeave);
  EXPECT_EQ(kWrite(*message), done);
}

TEST(TimeCode, IsANumberOrAMantissaAndAnExponent) {
  EXPECT_EQ(decode_time_code8(127), 127U);
  EXPECT_EQ(decode_time_code8(128), 128U);
  EXPECT_EQ(decode_time_code8(255), 31744U);
  EXPECT_EQ(decode_time_code16(32767), 32767U);
  EXPECT_EQ(decode_time_code16(32768), 32768U);
  EXPECT_EQ(decode_time_code16(65535), 8387584U);
  for (unsigned code = 0; code <= 255; ++code)
    EXPECT_EQ(encode_time_code8(decode_time_code8(static_cast<std::uint8_t>(code))), code);
  for (unsigned code = 0; code <= 65535; ++code)
    ASSERT_EQ(encode_time_code16(decode_time_code16(static_cast<std::uint16_t>(code))), code);
  EXPECT_EQ(decode_time_code8(encode_time_code8(1000)), 992U);  // the largest that is not above
  EXPECT_EQ(encode_time_code8(UINT32_MAX), 255);
}

}  // namespace
}  // namespace transom::wire
