// How recorded ends number their IPv4 packets, and how a stack in their place does.
#include "drivers/replay/identification_pattern.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "drivers/replay/feed_report.h"
#include "tests/unit/drivers/replay/collection.h"

namespace transom::drivers::replay {
namespace {

using Kind = IdentificationPattern::Kind;
using Numbers = std::vector<std::optional<std::uint16_t>>;

IdentificationPattern pattern_of(const std::vector<std::uint16_t>& numbers, std::uint32_t length = 0) {
  IdentificationPattern pattern;
  for (const std::uint16_t number : numbers) pattern.add(Kind::kOther, number, length);
  return pattern;
}

Numbers next_three(const IdentificationPattern& pattern, Kind kind = Kind::kOther) {
  IdentificationNumbering numbering(pattern);
  return {numbering.next(kind), numbering.next(kind), numbering.next(kind)};
}

TEST(IdentificationPattern, ACounterGoesOnFromItsFirst) {
  EXPECT_EQ(next_three(pattern_of({700, 701, 702, 703})), (Numbers{700, 701, 702}));
  EXPECT_EQ(next_three(pattern_of({65535, 0, 1})), (Numbers{65535, 0, 1}));  // round the end
  EXPECT_EQ(next_three(pattern_of({700})), (Numbers{700, 701, 702}));
}

TEST(IdentificationPattern, AZeroAndTheSameValueStay) {
  EXPECT_EQ(next_three(pattern_of({0, 0, 0})), (Numbers{0, 0, 0}));
  EXPECT_EQ(next_three(pattern_of({9, 9, 9})), (Numbers{9, 9, 9}));
}

TEST(IdentificationPattern, WhatComesByChanceIsLeftToTheStack) {
  EXPECT_EQ(next_three(pattern_of({9000, 17, 40000, 333})), (Numbers{{}, {}, {}}));
  EXPECT_EQ(next_three(pattern_of({})), (Numbers{{}, {}, {}}));
}

TEST(IdentificationPattern, DuplicatesAndForgeriesDoNotHideACounter) {
  EXPECT_EQ(next_three(pattern_of({5, 5, 6, 6, 7, 7, 8, 8})), (Numbers{5, 6, 7}));
  EXPECT_EQ(next_three(pattern_of({5, 6, 7, 31249, 8, 9, 10})), (Numbers{5, 6, 7}));
  EXPECT_EQ(next_three(pattern_of({5, 8, 11, 14}, 3 * 1448)), (Numbers{5, 6, 7}));  // super-packets
}

TEST(IdentificationPattern, SuperSegmentsMayBeNumberedAlone) {  // as we do
  const IdentificationPattern pattern = pattern_of({0, 0, 300, 301, 0, 302, 303, 0});
  IdentificationNumbering numbering(pattern);
  EXPECT_EQ(numbering.next(Kind::kOther), 0);
  EXPECT_EQ(numbering.next(Kind::kOther, 3), 300);
  EXPECT_EQ(numbering.next(Kind::kOther), 0);
  EXPECT_EQ(numbering.next(Kind::kOther, 2), 303);
  const IdentificationPattern counter = pattern_of({40, 41, 42});
  IdentificationNumbering all(counter);
  EXPECT_EQ(all.next(Kind::kOther, 3), 40);
  EXPECT_EQ(all.next(Kind::kOther), 43);
}

TEST(IdentificationPattern, SynAcksAndResetsMayHaveNone) {  // as Linux
  IdentificationPattern pattern;
  pattern.add(Kind::kSynAck, 0, 0);
  pattern.add(Kind::kOther, 40, 0);
  pattern.add(Kind::kOther, 41, 0);
  pattern.add(Kind::kLastAcknowledgment, 42, 0);
  pattern.add(Kind::kLastAcknowledgment, 0, 0);  // of TIME-WAIT
  IdentificationNumbering numbering(pattern);
  EXPECT_EQ(numbering.next(Kind::kSynAck), 0);
  EXPECT_EQ(numbering.next(Kind::kSynAck), 0);
  EXPECT_EQ(numbering.next(Kind::kOther), 40);
  EXPECT_EQ(numbering.next(Kind::kLastAcknowledgment), 41);
  EXPECT_EQ(numbering.next(Kind::kLastAcknowledgment), 0);
  EXPECT_EQ(numbering.next(Kind::kOther), 42);
}

// --- In a feed: what differs from the recording.

struct Count {
  std::size_t compared = 0, equal = 0, other = 0;  // rungs; `other`: that no packet more or less explains
};

Count count_identifications(std::string_view capture, std::string_view role) {
  const std::string path = input_of(capture);
  auto first = CaptureReader::open(path), second = CaptureReader::open(path);
  const auto scene = survey(*first);
  EXPECT_TRUE(scene);
  const Cast cast(*scene, *Role::parse(role));
  FeedRecorder recorder(cast);
  auto outcome = feed(*second, *scene, cast, {}, recorder);
  EXPECT_TRUE(outcome);
  Count count;
  for (const FlowReport& report : recorder.reports(*scene, cast, *outcome)) {
    for (const Rung& rung : report.comparison.rungs) {
      if (!rung.recorded || !rung.actual || !rung.recorded->identification) continue;
      ++count.compared;
      if (rung.recorded->identification == rung.actual->identification) ++count.equal;
      for (const Difference* difference : rung.differences)
        if (difference->id == "identification") ++count.other;
    }
  }
  return count;
}

TEST(FeedIdentification, IsThatOfTheRecordedEnd) {
  for (const char* capture : {"curl-http", "tcp-handshake-server", "tcp-fin-with-data", "tcp-close-active",
                              "udp-fragments-ipv4", "icmp-echo-ipv4", "dns"}) {
    for (const char* role : {"client", "server"}) {
      SCOPED_TRACE(fmt::format("{} as {}", capture, role));
      const Count count = count_identifications(capture, role);
      EXPECT_GT(count.compared, 0U);
      EXPECT_GT(count.equal, 0U);
      EXPECT_EQ(count.other, 0U);
    }
  }
  for (const char* capture : {"udp-fragments-ipv4", "udp-fragments-ipv6", "icmp-echo-ipv4"}) {
    const Count count = count_identifications(capture, "server");
    EXPECT_EQ(count.equal, count.compared) << capture;
  }
}

}  // namespace
}  // namespace transom::drivers::replay
