#include "stack/wire/tcp.h"

#include "stack/wire/checksum.h"
#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kSyn =
    hex("9c40 0050 fffffff0 00000000 a002 faf0 5813 0000 020405b4 0402 080a 11223344 00000000 01 030307");
const Octets kData =
    hex("9c40 0050 fffffff1 00001000 8018 01f6 c410 0000 0101 080a 11223355 55667788"
        "474554202f20485454502f312e300d0a0d0a");
const Octets kSack =
    hex("9c40 0050 00000001 00000002 f010 01f6 43e4 0000 0101 080a 00000001 00000002"
        "0101 051a 00000100 00000200 fffffff0 00000010 00000300 00000400");
const Octets kBare = hex("9c40 0050 00000001 00000002 5010 01f6 43e4 0000");

const auto kParse = parse_front<TcpHeader>;
const auto kWrite = [](const TcpHeader& header) { return written(header, header.size()); };

Octets front(Bytes octets, std::size_t size) {
  return {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(TcpHeader, ParsesARealSyn) {
  Reader reader(kSyn);
  const auto header = TcpHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->source_port, Port{40000});
  EXPECT_EQ(header->destination_port, Port{80});
  EXPECT_EQ(header->sequence, SeqNum(0xfffffff0));
  EXPECT_EQ(header->acknowledgment, SeqNum(0));
  EXPECT_EQ(header->flags, (TcpFlags{.syn = true}));
  EXPECT_EQ(header->window, 64240);
  EXPECT_EQ(header->checksum, 0x5813);
  EXPECT_EQ(header->urgent_pointer, 0);
  EXPECT_EQ(header->options.maximum_segment_size, 1460);
  EXPECT_TRUE(header->options.sack_permitted);
  EXPECT_EQ(header->options.timestamps, (TcpTimestamps{0x11223344, 0}));
  EXPECT_EQ(header->options.window_scale, 7);
  EXPECT_EQ(reader.position(), 40U);
  EXPECT_EQ(kWrite(*header), kSyn);
}

TEST(TcpHeader, ParsesARealDataSegment) {
  Reader reader(kData);
  const auto header = TcpHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->flags, (TcpFlags{.psh = true, .ack = true}));
  EXPECT_EQ(header->acknowledgment, SeqNum(0x1000));
  EXPECT_EQ(header->options.timestamps, (TcpTimestamps{0x11223355, 0x55667788}));
  EXPECT_EQ(reader.remaining(), 18U);
  EXPECT_EQ(kWrite(*header), front(kData, 32));
}

TEST(TcpHeader, ParsesARealSack) {
  const auto header = kParse(kSack);
  ASSERT_TRUE(header);
  ASSERT_EQ(header->options.sacks().size(), 3U);
  EXPECT_EQ(header->options.sacks()[1], (SackBlock{SeqNum(0xfffffff0), SeqNum(0x10)})) << "across the wrap";
  EXPECT_EQ(kWrite(*header), kSack);
}

TEST(TcpHeader, TheSamplesHaveRightChecksums) {
  const auto address = [](std::uint8_t host) { return IpAddress::v4(10, 9, 0, host); };
  for (const Octets& segment : {kSyn, kData, kSack}) {
    auto sum = pseudo_header_sum(address(1), address(2), IpProtocol::kTcp,
                                 static_cast<std::uint32_t>(segment.size()));
    sum.add(segment);
    EXPECT_EQ(sum.checksum(), 0);
  }
}

TEST(TcpHeader, KeepsEveryFlagApart) {
  for (std::uint16_t bits = 0; bits < 0x200; ++bits) {
    Octets octets = kBare;
    octets[12] = static_cast<std::uint8_t>(0x50 | bits >> 8);
    octets[13] = static_cast<std::uint8_t>(bits);
    const auto header = kParse(octets);
    ASSERT_TRUE(header);
    const TcpFlags& f = header->flags;
    const bool flags[] = {f.fin, f.syn, f.rst, f.psh, f.ack, f.urg, f.ece, f.cwr, f.ae};
    for (int i = 0; i < 9; ++i) EXPECT_EQ(flags[i], (bits >> i & 1) != 0) << bits << " flag " << i;
    EXPECT_EQ(kWrite(*header), octets);
  }
}

TEST(TcpHeader, IgnoresAndClearsTheReservedBits) {  // RFC 9293 §3.1: sent as zero, ignored when received
  Octets octets = kBare;
  octets[12] |= 0x0e;
  const auto header = kParse(octets);
  ASSERT_TRUE(header);
  EXPECT_EQ(kWrite(*header), kBare);
}

TEST(TcpHeader, FailsAtEveryCut) {  // ATK-TCP-47
  expect_every_cut_fails(kBare, kParse);
  expect_every_cut_fails(Bytes(kSyn).first(20), kParse);
  for (std::size_t length = 20; length < 40; ++length) {
    const ExactCopy cut(Bytes(kSyn).first(length));
    const auto header = kParse(cut);
    ASSERT_FALSE(header) << length;
    EXPECT_EQ(header.error(), ParseError::kBadLength);
  }
}

TEST(TcpHeader, ChecksTheDataOffset) {  // ATK-IPV4-21, ATK-TCP-47
  for (std::uint8_t words = 0; words < 16; ++words) {
    Octets octets = kBare;
    octets.resize(48, 1);  // room for seven words of NOPs
    octets[12] = static_cast<std::uint8_t>(words << 4);
    Reader reader(octets);
    const auto header = TcpHeader::parse(reader);
    ASSERT_EQ(header.has_value(), words >= 5 && words <= 12) << int{words};
    if (header) {
      EXPECT_EQ(reader.position(), words * 4U);
    } else {
      EXPECT_EQ(header.error(), ParseError::kBadLength);
    }
  }
}

TEST(TcpHeader,
     ReadsNoOptionBeyondTheDataOffset) {  // ATK-IPV4-21: kind 5 length 18 in one word, with data behind it
  Octets octets = kBare;
  octets[12] = 0x60;
  const Octets option = hex("05120000 0000000000000000000000000000");
  octets.insert(octets.end(), option.begin(), option.end());
  const auto header = kParse(octets);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error(), ParseError::kBadOption);
}

TEST(TcpHeader, IsStableUnderMutation) {
  for (const Octets& octets : {kSyn, kData, kSack, kBare})
    expect_stable_under_mutation(octets, kParse, kWrite);
}

TEST(TcpHeader, WritesNothingPastTheEnd) {
  for (const Octets& octets : {kSyn, kSack, kBare}) {
    const auto header = kParse(octets);
    expect_write_respects_the_end(*header, header->size());
  }
}

TEST(TcpHeader, RoundTripsRandomHeaders) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    TcpHeader header;
    header.source_port = static_cast<Port>(random.next());
    header.sequence = SeqNum(static_cast<std::uint32_t>(random.next()));
    header.window = static_cast<std::uint16_t>(random.next());
    header.urgent_pointer = static_cast<std::uint16_t>(random.next());
    header.flags = {.syn = random.chance(0.5), .ack = random.chance(0.5), .ae = random.chance(0.5)};
    TcpOptions& options = header.options;
    if (random.chance(0.5)) options.maximum_segment_size = static_cast<std::uint16_t>(random.next());
    if (random.chance(0.5)) options.window_scale = static_cast<std::uint8_t>(random.next());
    options.sack_permitted = random.chance(0.5);
    if (random.chance(0.5)) options.timestamps = {static_cast<std::uint32_t>(random.next()), 7};
    for (std::uint64_t blocks = random.below(6); blocks > 0; --blocks) {
      const SackBlock block{SeqNum(static_cast<std::uint32_t>(random.next())),
                            SeqNum(static_cast<std::uint32_t>(blocks))};
      const std::size_t before = options.size();
      const bool added = options.add_sack(block);
      EXPECT_EQ(options.size() > before, added);
    }
    ASSERT_LE(options.size(), TcpOptions::kMaxSize);
    ASSERT_EQ(options.size() % 4, 0U);
    EXPECT_EQ(kParse(kWrite(header)), header);
  }
}

}  // namespace
}  // namespace transom::wire
