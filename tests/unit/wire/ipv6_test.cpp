#include "stack/wire/ipv6.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kUdp =
    hex("6b812345 000d 11 3d 20010db8000000000000000000000001 20010db8000000000000000000000002"
        "0fa0003500 0d50b868656c6c6f");
const Octets kHopByHop = hex("3a00 0502 0000 0100");  // router alert and PadN, as an MLD report carries it
const Octets kFragment = hex("11 00 05a9 deadbeef");
const Octets kRouting = hex("06 02 04 01 00000000 20010db8000000000000000000000009");

const auto kParse = parse_front<Ipv6Header>;
const auto kWrite = [](const Ipv6Header& header) { return written(header, Ipv6Header::kSize); };
// With a payload of the length that the header claims.
const auto kWritePacket = [](const Ipv6Header& header) {
  Octets octets = kWrite(header);
  octets.resize(Ipv6Header::kSize + header.payload_length);
  return octets;
};

TEST(Ipv6Header, ParsesARealPacket) {
  Reader reader(kUdp);
  const auto header = Ipv6Header::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->traffic_class, 0xb8);
  EXPECT_EQ(header->flow_label, 0x12345U);
  EXPECT_EQ(header->payload_length, 13);
  EXPECT_EQ(header->next_header, IpProtocol::kUdp);
  EXPECT_EQ(header->hop_limit, 61);
  EXPECT_EQ(header->source, *IpAddress::parse("2001:db8::1"));
  EXPECT_EQ(header->destination, *IpAddress::parse("2001:db8::2"));
  EXPECT_EQ(reader.position(), 40U);
  EXPECT_EQ(kWrite(*header), Octets(kUdp.begin(), kUdp.begin() + 40));
}

TEST(Ipv6Header, FailsAtEveryCut) { expect_every_cut_fails(kUdp, kParse); }  // R8200-01, ATK-IPV6-08

TEST(Ipv6Header, AcceptsAnEmptyPayloadWithATrailer) {  // ATK-IPV6-21: the trailer is not the packet's
  Octets octets = kUdp;
  octets[4] = octets[5] = 0;
  const auto header = kParse(octets);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->payload_length, 0);
}

TEST(Ipv6Header, ParsesAQuotationThatIsCutBehindTheHeader) {  // RFC 4443 §2.4 (c)
  const auto parse_quoted = [](Bytes octets) {
    Reader reader(octets);
    return Ipv6Header::parse_quoted(reader);
  };
  EXPECT_TRUE(parse_quoted(Bytes(kUdp).first(40)));
  expect_every_cut_fails(Bytes(kUdp).first(40), parse_quoted);
}

TEST(Ipv6Header, RefusesOtherVersions) {  // R8200-01
  for (int version = 0; version < 16; ++version) {
    Octets octets = kUdp;
    octets[0] = static_cast<std::uint8_t>(version << 4 | 0x0b);
    const auto header = kParse(octets);
    ASSERT_EQ(header.has_value(), version == 6);
    if (!header) {
      EXPECT_EQ(header.error(), ParseError::kBadVersion);
    }
  }
}

TEST(Ipv6Header, IsStableUnderMutation) { expect_stable_under_mutation(kUdp, kParse, kWritePacket); }

TEST(Ipv6Header, WritesNothingPastTheEnd) { expect_write_respects_the_end(*kParse(kUdp), Ipv6Header::kSize); }

// ---------------------------------------------------------------- extension headers

TEST(Ipv6ExtensionHeader, ParsesARealHopByHopHeader) {
  Reader reader(kHopByHop);
  const auto header = Ipv6ExtensionHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->next_header, IpProtocol::kIcmpv6);
  EXPECT_EQ(header->size, 8U);
  EXPECT_EQ(header->body.size(), 6U);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(Ipv6ExtensionHeader, FailsWhenItsLengthPassesTheEnd) {  // ATK-IPV6-07, -10, -11
  for (int length = 0; length < 256; ++length) {
    Octets octets(64, 0);
    octets[1] = static_cast<std::uint8_t>(length);
    const ExactCopy exact(octets);
    EXPECT_EQ(parse_front<Ipv6ExtensionHeader>(exact).has_value(), length < 8) << length;
  }
  expect_every_cut_fails(kHopByHop, parse_front<Ipv6ExtensionHeader>);
  expect_every_cut_fails(kRouting, parse_front<Ipv6ExtensionHeader>);
}

TEST(Ipv6RoutingHeader, ParsesTypeAndSegmentsLeft) {  // R8200-07
  const auto extension = parse_front<Ipv6ExtensionHeader>(kRouting);
  ASSERT_TRUE(extension);
  EXPECT_EQ(extension->next_header, IpProtocol::kTcp);
  const auto routing = Ipv6RoutingHeader::parse(extension->body);
  ASSERT_TRUE(routing);
  EXPECT_EQ(routing->type, 4);
  EXPECT_EQ(routing->segments_left, 1);
  expect_every_cut_fails(extension->body.first(2), Ipv6RoutingHeader::parse);
}

TEST(Ipv6FragmentHeader, ParsesARealOne) {  // R8200-08
  const auto header = parse_front<Ipv6FragmentHeader>(kFragment);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->next_header, IpProtocol::kUdp);
  EXPECT_EQ(header->offset, 1448);
  EXPECT_TRUE(header->more_fragments);
  EXPECT_EQ(header->identification, 0xdeadbeefU);
}

TEST(Ipv6FragmentHeader, RoundTripsAndSurvives) {
  const auto write = [](const Ipv6FragmentHeader& header) {
    return written(header, Ipv6FragmentHeader::kSize);
  };
  EXPECT_EQ(write(*parse_front<Ipv6FragmentHeader>(kFragment)), kFragment);
  expect_every_cut_fails(kFragment, parse_front<Ipv6FragmentHeader>);
  expect_stable_under_mutation(kFragment, parse_front<Ipv6FragmentHeader>, write);
  expect_write_respects_the_end(*parse_front<Ipv6FragmentHeader>(kFragment), Ipv6FragmentHeader::kSize);
  const Ipv6FragmentHeader last{.next_header = IpProtocol::kTcp, .offset = 65528, .identification = 1};
  const auto again = parse_front<Ipv6FragmentHeader>(write(last));
  EXPECT_EQ(again->offset, 65528);
  EXPECT_FALSE(again->more_fragments);
}

// ---------------------------------------------------------------- options

struct Walked {
  std::vector<std::uint8_t> types;
  std::vector<std::size_t> offsets;
  bool ok = false;
};

Walked walk_all(Bytes options) {
  const ExactCopy exact(options);
  Ipv6OptionWalk walk(exact);
  Walked result;
  Ipv6Option option;
  while (walk.next(option)) {
    result.types.push_back(option.type);
    result.offsets.push_back(option.offset);
    EXPECT_LE(result.types.size(), options.size()) << "does not advance";
    if (result.types.size() > options.size()) break;
  }
  EXPECT_FALSE(walk.next(option)) << "the end stays the end";
  result.ok = walk.ok();
  return result;
}

TEST(Ipv6OptionWalk, GivesEveryOptionWithItsPlace) {
  const Walked walked = walk_all(hex("0502 0000 00 0100 c204 00010000 0103 000000"));
  EXPECT_TRUE(walked.ok);
  EXPECT_EQ(walked.types, hex("05 00 01 c2 01"));
  EXPECT_EQ(walked.offsets, (std::vector<std::size_t>{0, 4, 5, 7, 13}));
}

TEST(Ipv6OptionWalk, LeavesNoDataOfTheOptionBeforeInPad1) {
  const Octets octets = hex("0502 0000 00");
  Ipv6OptionWalk walk(octets);
  Ipv6Option option;
  ASSERT_TRUE(walk.next(option));
  EXPECT_EQ(option.data.size(), 2U);
  ASSERT_TRUE(walk.next(option));
  EXPECT_EQ(option.type, Ipv6Option::kPad1);
  EXPECT_TRUE(option.data.empty());
}

TEST(Ipv6OptionWalk, StopsAtTheEndOfTheHeader) {  // R8200-05, ATK-IPV6-06, -10
  for (const char* options : {"01", "0105 00000000", "63ff", "0502 00"})
    EXPECT_FALSE(walk_all(hex(options)).ok) << options;
  EXPECT_TRUE(walk_all(hex("6300 6300")).ok) << "an empty option is legal";
  EXPECT_TRUE(walk_all({}).ok);
}

TEST(Ipv6OptionWalk, EndsForEveryTypeAndLength) {
  for (int type = 0; type < 256; ++type) {
    for (int length = 0; length < 256; ++length) {
      Octets options(64, 0);
      options[0] = static_cast<std::uint8_t>(type);
      options[1] = static_cast<std::uint8_t>(length);
      const bool ok = walk_all(options).ok;
      if (type != Ipv6Option::kPad1) {
        EXPECT_EQ(ok, length <= 62) << type << " " << length;
      }
    }
  }
}

TEST(Ipv6Option, SaysWhatToDoWhenItIsUnknown) {  // R8200-04
  using IfUnknown = Ipv6Option::IfUnknown;
  EXPECT_EQ((Ipv6Option{.type = 0x3e, .data = {}}.if_unknown()), IfUnknown::kSkip);
  EXPECT_EQ((Ipv6Option{.type = 0x7e, .data = {}}.if_unknown()), IfUnknown::kDiscard);
  EXPECT_EQ((Ipv6Option{.type = 0xbe, .data = {}}.if_unknown()), IfUnknown::kDiscardAndReport);
  EXPECT_EQ((Ipv6Option{.type = 0xfe, .data = {}}.if_unknown()), IfUnknown::kDiscardAndReportUnicast);
}

}  // namespace
}  // namespace transom::wire
