#include "stack/wire/tcp.h"
#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

std::expected<TcpOptions, ParseError> parse(Bytes octets) {
  const ExactCopy exact(octets);
  return TcpOptions::parse(exact);
}

std::expected<TcpOptions, ParseError> parse(std::string_view text) { return parse(hex(text)); }

void expect_bad(std::string_view text) {
  const auto options = parse(text);
  ASSERT_FALSE(options) << text;
  EXPECT_EQ(options.error(), ParseError::kBadOption) << text;
}

Octets write(const TcpOptions& options) { return written(options, options.size()); }

TEST(TcpOptions, AreNoneInNothing) {
  EXPECT_EQ(parse(""), TcpOptions{});
  EXPECT_EQ(TcpOptions{}.size(), 0U);
}

TEST(TcpOptions, ParseInAnyOrderAndAlignment) {  // MUST-4, MUST-64
  const auto options = parse("01 03030e 080a0102030405060708 0402 020405b4 00");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->window_scale, 14);
  EXPECT_EQ(options->timestamps, (TcpTimestamps{0x01020304, 0x05060708}));
  EXPECT_TRUE(options->sack_permitted);
  EXPECT_EQ(options->maximum_segment_size, 1460);
}

TEST(TcpOptions, StopAtEndOfList) {  // MUST-4
  EXPECT_EQ(parse("00 020405b4 ff00"), TcpOptions{});
  EXPECT_EQ(parse("020405b4 00 0200")->maximum_segment_size, 1460);
}

TEST(TcpOptions, SkipUnknownKindsByTheirLength) {  // MUST-6, ATK-TCP-85
  EXPECT_EQ(parse("c8 06 01020304 020405b4")->maximum_segment_size, 1460);
  EXPECT_EQ(parse("1e0c 00000000000000000000 fd04 aabb fe02 020405b4")->maximum_segment_size, 1460);
  EXPECT_EQ(parse("1312 00000000000000000000000000000000 020405b4")->maximum_segment_size, 1460)
      << "an MD5 signature is not asked for, and skipped (ATK-TCP-86)";
}

TEST(TcpOptions, RefuseIllegalLengths) {  // MUST-7, ATK-TCP-41, -43, -44, -47, -48, -49, -56, -59, -98
  for (const char* text : {
           "4d00",  // unknown, length 0
           "63000000",
           "6301",  // unknown, 0 and 1
           "0200",
           "0201",
           "02",
           "02ff",
           "0204",
           "020405",  // MSS: too short, cut off
           "0203 05",
           "0205 05b4 00",  // MSS: wrong for its kind
           "0302",
           "030407 00",
           "0301",  // window scale
           "0403 00",
           "0401",  // SACK permitted
           "0803 00",
           "0808 000000000000",
           "080b 000000000000000000",
           "080a 00000000000000",  // timestamps
           "05 03 00",
           "0502",
           "0509 00000000000000",
           "050b 000000000000000000",                                              // SACK: 2, 3, 9, 11
           "0521 00000000000000000000000000000000000000000000000000000000000000",  // 33
           "0522 0000000000000000",                                                // four blocks, one there
           "1303 00",
           "1310 0000000000000000000000000000",  // MD5
           "1d03 00",
           "1d02",
           "1d14 00",  // AO
           "080a0000",
           "01 01 01 02",
       }) {
    expect_bad(text);
  }
}

TEST(TcpOptions, NeverHoldMoreSackBlocksThanTheyHaveRoomFor) {  // an area longer than any header
  Octets octets(62, 1);
  octets[0] = 5;
  octets[1] = 2 + 4 * 8;
  EXPECT_EQ(parse(octets)->sacks().size(), 4U);
  octets[1] = 2 + 5 * 8;
  EXPECT_FALSE(parse(octets));
}

TEST(TcpOptions, CutAnywhereAreRefusedOrEndBetweenTwo) {
  const Octets all = hex("020405b4 0402 080a1122334400000000 01 030307 050a0000000100000002");
  for (std::size_t length = 0; length <= all.size(); ++length) {
    const bool is_between = length == 0 || length == 4 || length == 6 || length == 16 || length == 17 ||
                            length == 20 || length == 30;
    EXPECT_EQ(parse(Bytes(all).first(length)).has_value(), is_between) << length;
  }
}

TEST(TcpOptions, CountTheFirstOfARepeatedKind) {  // ATK-TCP-74
  std::string many = "020405b4";
  for (int i = 0; i < 9; ++i) many += "02040001";
  EXPECT_EQ(parse(many)->maximum_segment_size, 1460);
  EXPECT_EQ(parse("080a0000000100000002 080a0000000300000004")->timestamps, (TcpTimestamps{1, 2}));
  EXPECT_EQ(parse("030301 030302")->window_scale, 1);
  const auto sacks = parse("050a0000000100000002 050a0000000300000004");
  ASSERT_EQ(sacks->sacks().size(), 1U);
  EXPECT_EQ(sacks->sacks()[0], (SackBlock{SeqNum(1), SeqNum(2)}));
}

TEST(TcpOptions, TakeStrangeValuesAsTheyAre) {  // what they mean is TCP's business: ATK-TCP-40, -46, -89
  EXPECT_EQ(parse("02040000")->maximum_segment_size, 0);
  EXPECT_EQ(parse("0303ff")->window_scale, 255);
  EXPECT_EQ(parse("050a 00000002 00000001")->sacks()[0], (SackBlock{SeqNum(2), SeqNum(1)}));
}

TEST(TcpOptions, EndForEveryKindAndLength) {  // ATK-TCP-45
  for (int kind = 0; kind < 256; ++kind) {
    for (int length = 0; length <= 40; ++length) {
      for (const std::uint8_t filler : Octets{0, 1, 2, 255}) {
        for (std::size_t size = 2; size <= 40; size += 19) {  // 2, 21, 40
          Octets octets(size, filler);
          octets[0] = static_cast<std::uint8_t>(kind);
          octets[1] = static_cast<std::uint8_t>(length);
          const auto options = parse(octets);
          if (kind > 1 && (length < 2 || static_cast<std::size_t>(length) > size)) {
            ASSERT_FALSE(options) << kind << " " << length << " of " << size;
          }
          expect_stable(octets, [](Bytes bytes) { return TcpOptions::parse(bytes); }, write);
        }
      }
    }
  }
}

TEST(TcpOptions, SurviveNoise) {
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed_from_number(seed));
    Octets octets = random_octets(random, random.below(41));
    for (std::uint8_t& octet : octets) {
      if (random.chance(0.7))
        octet = static_cast<std::uint8_t>(random.below(12));  // likely kinds and lengths
    }
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_stable(octets, [](Bytes bytes) { return TcpOptions::parse(bytes); }, write);
  }
}

TEST(TcpOptions, TakeTheShortcutOfAlignedTimestampsOnlyForThose) {
  EXPECT_EQ(parse("0101080a 00000001 00000002")->timestamps, (TcpTimestamps{1, 2}));
  EXPECT_EQ(parse("0101080a 00000001 00000002 020405b4")->maximum_segment_size, 1460);
  expect_bad("0101080a 00000001 000000");
  expect_bad("0101080b 00000001 00000002");
}

// ---------------------------------------------------------------- fast open (RFC 7413 §4.1.1)

FastOpenCookie cookie(std::string_view text) { return *FastOpenCookie::of(hex(text)); }

TEST(TcpOptions, HoldAFastOpenCookieOfFourToSixteenOctets) {
  EXPECT_EQ(parse("2206 01020304")->fast_open, cookie("01020304"));
  EXPECT_EQ(parse("220a 0102030405060708")->fast_open, cookie("0102030405060708"));
  EXPECT_EQ(parse("2212 0102030405060708090a0b0c0d0e0f10")->fast_open,
            cookie("0102030405060708090a0b0c0d0e0f10"));
  const auto request = parse("2202");
  ASSERT_TRUE(request->fast_open);
  EXPECT_TRUE(request->fast_open->is_request());
}

TEST(TcpOptions, SkipAFastOpenCookieOfAnyOtherLengthAndGoOn) {
  for (std::size_t size = 0; size <= 34; ++size) {
    if (FastOpenCookie::is_legal_size(size)) continue;
    Octets octets = hex("22");
    octets.push_back(static_cast<std::uint8_t>(size + 2));
    octets.resize(octets.size() + size, 0x55);
    octets.insert(octets.end(), {2, 4, 5, 0xb4});
    const auto options = parse(octets);
    ASSERT_TRUE(options) << size;
    EXPECT_FALSE(options->fast_open) << size;
    EXPECT_EQ(options->maximum_segment_size, 1460) << size;
  }
  for (const char* cut : {"22", "2200", "2201", "2206 010203", "220a 01"}) expect_bad(cut);
}

TEST(TcpOptions, CountTheFirstFastOpenCookie) {
  EXPECT_EQ(parse("2206 01020304 2206 05060708")->fast_open, cookie("01020304"));
  EXPECT_EQ(parse("2205 010203 2206 05060708")->fast_open, cookie("05060708")) << "the first is none";
}

TEST(TcpOptions, WriteTheFastOpenCookieLastAndAligned) {  // as Linux
  EXPECT_EQ(write({.fast_open = FastOpenCookie{}}), hex("2202 0101"));
  EXPECT_EQ(write({.fast_open = cookie("01020304")}), hex("2206 01020304 0101"));
  EXPECT_EQ(write({.fast_open = cookie("010203040506")}), hex("2208 010203040506"));
  const TcpOptions full{.maximum_segment_size = 1460,
                        .window_scale = 7,
                        .sack_permitted = true,
                        .timestamps = TcpTimestamps{1, 2},
                        .fast_open = cookie("0102030405060708090a0b0c0d0e0f10")};
  EXPECT_EQ(write(full), hex("020405b4 0402 080a 00000001 00000002 01 030307"
                             "2212 0102030405060708090a0b0c0d0e0f10 0101"));
  EXPECT_EQ(full.size(), TcpOptions::kMaxSize);
}

TEST(TcpOptions, ComeBackFromTheWireWithEveryCookie) {
  for (std::size_t size = 0; size <= FastOpenCookie::kMaxSize; ++size) {
    if (!FastOpenCookie::is_legal_size(size)) continue;
    const TcpOptions options{.maximum_segment_size = 1460,
                             .window_scale = 7,
                             .sack_permitted = true,
                             .timestamps = TcpTimestamps{1, 2},
                             .fast_open = FastOpenCookie::of(Octets(size, 0xc7))};
    EXPECT_EQ(parse(write(options)), options) << size;
  }
}

TEST(TcpOptions, WithAFastOpenCookieAreStableUnderMutation) {
  const Octets octets = hex("020405b4 0402 080a 00000001 00000002 01 030307 220a 0102030405060708 0101");
  expect_stable_under_mutation(octets, [](Bytes bytes) { return TcpOptions::parse(bytes); }, write);
}

TEST(TcpOptions, LeaveNoRoomForSackBlocksBesideAllOthers) {
  TcpOptions full{.maximum_segment_size = 1460,
                  .window_scale = 7,
                  .timestamps = TcpTimestamps{1, 2},
                  .fast_open = cookie("0102030405060708090a0b0c0d0e0f10")};
  EXPECT_FALSE(full.add_sack({SeqNum(1), SeqNum(2)}));
  EXPECT_EQ(full.size(), TcpOptions::kMaxSize);
}

// ---------------------------------------------------------------- writing

TEST(TcpOptions, AreWrittenInLinuxOrder) {  // MUST-68, MUST-69
  const TcpTimestamps timestamps{1, 2};
  EXPECT_EQ(write({.maximum_segment_size = 1460,
                   .window_scale = 7,
                   .sack_permitted = true,
                   .timestamps = timestamps}),
            hex("020405b4 0402 080a 00000001 00000002 01 030307"));
  EXPECT_EQ(write({.maximum_segment_size = 1460, .window_scale = 7, .timestamps = timestamps}),
            hex("020405b4 0101 080a 00000001 00000002 01 030307"));
  EXPECT_EQ(write({.maximum_segment_size = 1460, .window_scale = 7, .sack_permitted = true}),
            hex("020405b4 0101 0402 01 030307"));
  EXPECT_EQ(write({.maximum_segment_size = 1460}), hex("020405b4"));
  EXPECT_EQ(write({.timestamps = timestamps}), hex("0101 080a 00000001 00000002"));
}

TEST(TcpOptions, HoldFourSackBlocksOrThreeWithTimestamps) {  // R2018-02
  const SackBlock block{SeqNum(1), SeqNum(2)};
  TcpOptions plain;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(plain.add_sack(block));
  EXPECT_FALSE(plain.add_sack(block));
  EXPECT_EQ(plain.size(), 36U);
  EXPECT_EQ(write(plain)[3], 34);

  TcpOptions with_timestamps{.timestamps = TcpTimestamps{}};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(with_timestamps.add_sack(block));
  EXPECT_FALSE(with_timestamps.add_sack(block));
  EXPECT_EQ(with_timestamps.size(), 40U);
}

TEST(TcpOptions, LeaveOutTheSackBlocksForWhichThereIsNoRoom) {
  // 40 octets without a NOP between them; aligned they would be 44.
  const auto packed =
      parse("020405b4 080a0000000100000002 051a 000000010000000200000003000000040000000500000006");
  ASSERT_TRUE(packed);
  ASSERT_EQ(packed->sacks().size(), 3U);
  EXPECT_EQ(packed->size(), 36U);
  const auto again = parse(write(*packed));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sacks().size(), 2U);
  EXPECT_EQ(again->maximum_segment_size, 1460);
}

}  // namespace
}  // namespace transom::wire
