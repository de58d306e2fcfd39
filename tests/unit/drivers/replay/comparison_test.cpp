// What is the same, what may be different, and what may not.
#include "drivers/replay/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "drivers/replay/alignment.h"

namespace transom::drivers::replay {
namespace {

PacketRecord segment(std::string_view flags, std::int64_t sequence, std::uint32_t length,
                     std::int64_t acknowledgment) {
  PacketRecord record;
  record.protocol = IpProtocol::kTcp;
  record.is_ours = true;
  record.sequence = sequence;
  record.length = length;
  record.acknowledgment = acknowledgment;
  record.window = 65535;
  for (const char flag : flags) {
    if (flag == 'S') record.flags.syn = true;
    if (flag == 'F') record.flags.fin = true;
    if (flag == 'R') record.flags.rst = true;
    if (flag == 'P') record.flags.psh = true;
    if (flag == '.') record.flags.ack = true;
  }
  return record;
}

using Ids = std::vector<std::string_view>;

Ids ids(const Comparison& comparison) {
  Ids ids;
  for (const auto& [difference, count] : comparison.counts) ids.push_back(difference->id);
  std::ranges::sort(ids);
  return ids;
}

const std::vector<PacketRecord> kRecorded{segment("S.", 0, 0, 1), segment(".", 1, 0, 101),
                                          segment("P.", 1, 1000, 101), segment("F.", 1001, 0, 102)};

TEST(Comparison, EqualSequencesAreTheSame) {
  const Comparison result = compare(kRecorded, kRecorded);
  EXPECT_EQ(result.likeness(), Likeness::kSame);
  EXPECT_EQ(result.same, 4U);
}

TEST(Comparison, AnAcknowledgmentLessIsLegal) {
  auto actual = kRecorded;
  actual.erase(actual.begin() + 1);
  const Comparison result = compare(kRecorded, actual);
  EXPECT_EQ(ids(result), Ids{"acknowledgment-policy"});
  EXPECT_EQ(result.likeness(), Likeness::kLegal);
  ASSERT_EQ(result.rungs.size(), 4U);
  EXPECT_FALSE(result.rungs[1].actual);
}

TEST(Comparison, OtherCutsOfTheSameOctetsAreLegal) {
  auto actual = kRecorded;
  actual[2] = segment(".", 1, 600, 101);
  actual.insert(actual.begin() + 3, segment("P.", 601, 400, 101));
  EXPECT_EQ(ids(compare(kRecorded, actual)), Ids{"segmentation"});
}

TEST(Comparison, SendingAgainAtOtherTimesIsLegal) {
  auto actual = kRecorded;
  actual.push_back(segment("P.", 1, 1000, 101));
  EXPECT_EQ(ids(compare(kRecorded, actual)), Ids{"retransmission"});
  EXPECT_EQ(ids(compare(actual, kRecorded)), Ids{"retransmission"});
}

TEST(Comparison, IdentificationsCountOnFromWhereTheRecordedOnesBegan) {
  auto recorded = kRecorded;
  recorded[0].identification = 0;
  for (std::size_t i = 1; i < recorded.size(); ++i)
    recorded[i].identification = static_cast<std::uint32_t>(99 + i);
  const auto compared = [&](const std::vector<PacketRecord>& actual) {
    return ids(compare(recorded, actual, {.compares_identifications = true}));
  };
  EXPECT_EQ(compared(recorded), Ids{});
  auto fewer = recorded;  // the acknowledgment is not sent, so the others have its number and the next
  fewer.erase(fewer.begin() + 1);
  fewer[1].identification = 100;
  fewer[2].identification = 101;
  EXPECT_EQ(compared(fewer), Ids{"acknowledgment-policy"});
  auto other = recorded;
  other[2].identification = 7;
  EXPECT_EQ(compared(other), Ids{"identification"});
  other = recorded;
  other[0].identification = 100;  // the SYN-ACK had none
  EXPECT_EQ(compared(other), Ids{"identification"});
  EXPECT_EQ(ids(compare(recorded, other)), Ids{});
}

TEST(Comparison, OtherOctetsAtTheSamePlaceAreAViolation) {
  auto actual = kRecorded;
  actual[2].digest = 1;
  EXPECT_EQ(ids(compare(kRecorded, actual)), Ids{"other-octets"});
  EXPECT_EQ(compare(kRecorded, actual).likeness(), Likeness::kViolation);
}

TEST(Comparison, OctetsThatWereNeverSentAreAViolationOnlyWhenTheConnectionFailed) {
  auto actual = kRecorded;
  actual.resize(2);
  EXPECT_EQ(ids(compare(kRecorded, actual, {.has_failed = true})), Ids{"never-sent"});
  EXPECT_EQ(ids(compare(kRecorded, actual, {.has_failed = false})), Ids{"not-sent-yet"});
}

TEST(Comparison, AResetOfOursAloneIsAViolationAndOneOfTheirsAloneIsUnknown) {
  auto actual = kRecorded;
  actual.push_back(segment("R.", 1002, 0, 102));
  EXPECT_EQ(ids(compare(kRecorded, actual)), Ids{"reset"});
  EXPECT_EQ(ids(compare(actual, kRecorded)), Ids{"reset-missing"});
}

TEST(Comparison, OctetsThatTheApplicationDidNotWriteAreAViolation) {
  auto actual = kRecorded;
  actual.push_back(segment(".", 2000, 10, 102));
  EXPECT_EQ(ids(compare(kRecorded, actual)), Ids{"unwritten"});
}

TEST(Comparison, WindowAndPushAndAcknowledgmentOfASegmentMayDiffer) {
  auto actual = kRecorded;
  actual[2].window = 1000;
  actual[2].flags.psh = false;
  actual[2].acknowledgment = 50;
  EXPECT_EQ(ids(compare(kRecorded, actual)), (Ids{"acknowledged-later", "push", "window"}));
}

TEST(Comparison, EveryDifferenceHasANameOfItsOwnAndARuleUnlessItIsUnknown) {
  std::set<std::string_view> ids;
  for (const Difference* difference : all_differences()) {
    EXPECT_TRUE(ids.insert(difference->id).second) << difference->id;
    EXPECT_NE(difference->verdict, Likeness::kSame) << difference->id;
    EXPECT_FALSE(difference->title.empty()) << difference->id;
    EXPECT_TRUE(difference->verdict == Likeness::kUnknown || difference->section.starts_with("RFC "))
        << difference->id;
  }
}

TEST(Comparison, AnEmptySegmentWritesNoOctets) {
  auto actual = kRecorded;
  actual.push_back(segment("", 5000, 0, 0));
  EXPECT_LE(compare(kRecorded, actual).likeness(), Likeness::kLegal);
}

TEST(Alignment, FindsTheLongestCommonSubsequence) {
  const std::vector<std::uint64_t> a{1, 2, 3, 4, 5}, b{9, 2, 4, 3, 5};
  const auto pairs = align(a, b);
  ASSERT_EQ(pairs.size(), 3U);
  for (const auto& [i, j] : pairs) EXPECT_EQ(a[i], b[j]);
}

TEST(Alignment, StaysInStepOverLongSequencesWithGaps) {
  std::vector<std::uint64_t> a, b;
  std::size_t common = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    if (i % 7 != 0) a.push_back(i);
    if (i % 11 != 0) b.push_back(i);
    common += i % 7 != 0 && i % 11 != 0 ? 1 : 0;
  }
  const auto pairs = align(a, b);
  EXPECT_EQ(pairs.size(), common);
  for (const auto& [i, j] : pairs) EXPECT_EQ(a[i], b[j]);
}

}  // namespace
}  // namespace transom::drivers::replay
