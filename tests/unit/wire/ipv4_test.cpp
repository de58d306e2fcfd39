#include "stack/wire/ipv4.h"

#include "stack/wire/checksum.h"
#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kUdp = hex("45b90021123440003f1114cb0a0900010a090002 0fa00035000d981868656c6c6f");
const Octets kRouterAlert = hex("46000018000700004002d1c40a0900010a090002 94040000");
const Octets kFragment = hex("4500001c000720b9401145fd0a0900010a090002 7878787878787878");

const auto kParse = parse_front<Ipv4Header>;
const auto kWrite = [](const Ipv4Header& header) { return written(header, header.size()); };
// With a payload of the length that the header claims.
const auto kWritePacket = [](const Ipv4Header& header) {
  Octets octets = kWrite(header);
  octets.resize(header.size() + header.payload_size());
  return octets;
};

Octets front(Bytes octets, std::size_t size) {
  return {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(Ipv4Header, ParsesARealDatagram) {
  Octets padded = kUdp;
  padded.resize(46);  // a minimum frame; what is behind total_length is not the datagram's (R791-03)
  Reader reader(padded);
  const auto header = Ipv4Header::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->traffic_class, 0xb9);
  EXPECT_EQ(header->total_length, 33);
  EXPECT_EQ(header->payload_size(), 13U);
  EXPECT_EQ(header->identification, 0x1234);
  EXPECT_TRUE(header->dont_fragment);
  EXPECT_FALSE(header->is_fragment());
  EXPECT_EQ(header->ttl, 63);
  EXPECT_EQ(header->protocol, IpProtocol::kUdp);
  EXPECT_EQ(header->checksum, 0x14cb);
  EXPECT_EQ(header->source, IpAddress::v4(10, 9, 0, 1));
  EXPECT_EQ(header->destination, IpAddress::v4(10, 9, 0, 2));
  EXPECT_TRUE(header->options.empty());
  EXPECT_EQ(reader.position(), 20U);
  EXPECT_EQ(kWrite(*header), front(kUdp, 20));
}

TEST(Ipv4Header, ParsesAFragment) {  // R791-05
  const auto header = kParse(kFragment);
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->more_fragments);
  EXPECT_EQ(header->fragment_offset, 1480);
  EXPECT_TRUE(header->is_fragment());
  EXPECT_EQ(kWrite(*header), front(kFragment, 20));
}

TEST(Ipv4Header, ParsesOptions) {
  Reader reader(kRouterAlert);
  const auto header = Ipv4Header::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->size(), 24U);
  EXPECT_EQ(header->payload_size(), 0U);
  EXPECT_EQ(reader.position(), 24U);
  Ipv4OptionWalk walk(header->options);
  Ipv4Option option;
  ASSERT_TRUE(walk.next(option));
  EXPECT_EQ(option.type, Ipv4Option::kRouterAlert);
  EXPECT_EQ(option.data.size(), 2U);
  EXPECT_FALSE(walk.next(option));
  EXPECT_TRUE(walk.ok());
  EXPECT_EQ(kWrite(*header), kRouterAlert);
}

TEST(Ipv4Header, PadsOptionsWithZeros) {
  for (std::size_t length = 0; length <= 40; ++length) {
    const Octets options(length, Ipv4Option::kNoOperation);
    Ipv4Header header;
    header.options = options;
    header.total_length = static_cast<std::uint16_t>(header.size());
    const Octets octets = kWrite(header);
    EXPECT_EQ(octets.size() % 4, 0U);
    EXPECT_EQ(octets[0], 0x40 | octets.size() / 4);
    for (std::size_t i = 20 + length; i < octets.size(); ++i) EXPECT_EQ(octets[i], 0);
    EXPECT_TRUE(Ipv4Header::has_valid_checksum(octets));
    EXPECT_TRUE(kParse(octets));
  }
}

TEST(Ipv4Header, FailsAtEveryCut) {  // R791-02, ATK-IPV4-30, -31
  expect_every_cut_fails(kUdp, kParse);
  expect_every_cut_fails(kRouterAlert, kParse);
}

TEST(Ipv4Header, ParsesAQuotationThatIsCutBehindTheHeader) {  // RFC 792: header and eight octets
  const auto parse_quoted = [](Bytes octets) {
    Reader reader(octets);
    return Ipv4Header::parse_quoted(reader);
  };
  EXPECT_TRUE(parse_quoted(Bytes(kUdp).first(28)));
  EXPECT_EQ(parse_quoted(Bytes(kUdp).first(20))->payload_size(), 13U) << "as the original was";
  expect_every_cut_fails(Bytes(kUdp).first(20), parse_quoted);
  expect_every_cut_fails(kRouterAlert, parse_quoted);
  expect_stable_under_mutation(kRouterAlert, parse_quoted, kWrite);
}

TEST(Ipv4Header, RefusesOtherVersions) {
  for (int version = 0; version < 16; ++version) {
    Octets octets = kUdp;
    octets[0] = static_cast<std::uint8_t>(version << 4 | 5);
    const auto header = kParse(octets);
    ASSERT_EQ(header.has_value(), version == 4);
    if (!header) {
      EXPECT_EQ(header.error(), ParseError::kBadVersion);
    }
  }
}

TEST(Ipv4Header, ChecksHeaderLengthAgainstTotalLengthAndOctets) {  // R791-02, ATK-IPV4-30
  for (std::uint8_t words = 0; words < 16; ++words) {
    Octets octets = kUdp;
    octets[0] = static_cast<std::uint8_t>(0x40 | words);
    const auto header = kParse(octets);
    ASSERT_EQ(header.has_value(), words >= 5 && words * 4 <= 33) << int{words};
    if (!header) {
      EXPECT_EQ(header.error(), ParseError::kBadLength);
    }
  }
  for (std::uint16_t total = 0; total < 60; ++total) {
    Octets octets = kUdp;
    octets[3] = static_cast<std::uint8_t>(total);
    const auto header = kParse(octets);
    ASSERT_EQ(header.has_value(), total >= 20 && total <= 33) << total;
    if (!header) {
      EXPECT_EQ(header.error(), total < 20 ? ParseError::kBadLength : ParseError::kTruncated);
    }
  }
}

TEST(Ipv4Header, SeesEveryFlippedBitInTheChecksum) {  // R1122-10, ATK-IPV4-47
  EXPECT_TRUE(Ipv4Header::has_valid_checksum(Bytes(kUdp).first(20)));
  for (std::size_t bit = 0; bit < 160; ++bit) {
    Octets header = front(kUdp, 20);
    header[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(Ipv4Header::has_valid_checksum(header)) << "bit " << bit;
  }
}

TEST(Ipv4Header, IsStableUnderMutation) {
  for (const Octets& octets : {kUdp, kRouterAlert, kFragment})
    expect_stable_under_mutation(octets, kParse, kWritePacket);
}

TEST(Ipv4Header, WritesNothingPastTheEnd) { expect_write_respects_the_end(*kParse(kRouterAlert), 24); }

// ---------------------------------------------------------------- options

struct Walked {
  std::vector<std::uint8_t> types;
  bool ok = false;
};

Walked walk_all(Bytes options) {
  const ExactCopy exact(options);
  Ipv4OptionWalk walk(exact);
  Walked result;
  Ipv4Option option;
  while (walk.next(option)) {
    result.types.push_back(option.type);
    EXPECT_LE(result.types.size(), options.size()) << "does not advance";
    if (result.types.size() > options.size()) break;
  }
  EXPECT_FALSE(walk.next(option)) << "the end stays the end";
  result.ok = walk.ok();
  return result;
}

TEST(Ipv4OptionWalk, SkipsNoOperationsAndStopsAtTheEnd) {  // R791-04
  const Walked walked = walk_all(hex("01 01 07 03 04 01 99 04 aabb 00 83 03 04"));
  EXPECT_TRUE(walked.ok);
  EXPECT_EQ(walked.types, hex("07 99"))
      << "unknown ones are passed on (R1122-17), what is behind the end is not";
}

TEST(Ipv4OptionWalk, StopsAtIllegalLengths) {  // R791-04, ATK-IPV4-26, -28, -52
  for (const char* options : {"83000000", "83010000", "07280000", "0705000000000000ff03", "44", "01010144"}) {
    const Walked walked = walk_all(hex(options));
    EXPECT_EQ(walked.ok, std::string_view(options) == "0705000000000000ff03") << options;
  }
  EXPECT_TRUE(walk_all(hex("8602")).ok) << "an option without data is legal";
}

TEST(Ipv4OptionWalk, EndsForEveryTypeAndLength) {
  for (int type = 0; type < 256; ++type) {
    for (int length = 0; length <= 41; ++length) {
      Octets options(40, Ipv4Option::kNoOperation);
      options[0] = static_cast<std::uint8_t>(type);
      options[1] = static_cast<std::uint8_t>(length);
      const bool has_length = type > Ipv4Option::kNoOperation;
      const bool next_is_option =
          type == Ipv4Option::kNoOperation && length > 1;  // then `length` is a type, and 1 its length
      const bool is_legal = has_length ? length >= 2 && length <= 40 : !next_is_option;
      EXPECT_EQ(walk_all(options).ok, is_legal) << type << " " << length;
    }
  }
}

}  // namespace
}  // namespace transom::wire
