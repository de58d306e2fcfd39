// The smallest part of a capture in which the same is found.
#include "drivers/judge/shrink.h"

#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {
namespace {

TEST(Minimise, KeepsJustWhatIsNeeded) {
  std::vector<std::size_t> all(100);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const auto has = [](const std::vector<std::size_t>& part, std::size_t wanted) {
    return std::ranges::find(part, wanted) != part.end();
  };
  const auto shows = [&](const std::vector<std::size_t>& part) { return has(part, 17) && has(part, 80); };
  EXPECT_EQ(minimise(all, shows), (std::vector<std::size_t>{17, 80}));
  EXPECT_TRUE(minimise(all, [](const auto&) { return true; }).empty());
}

// A long conversation in which a reset that is not exact was accepted.
TEST(Shrink, AResetThatWasAcceptedShrinksToSixPackets) {
  std::vector<KeptPacket> packets;
  JudgeOptions options{.captured_at = {IpAddress::v4(10, 0, 0, 2)}};
  JudgeOptions recording = options;
  recording.on_segment = [&](const SegmentEvent& event) { packets.emplace_back(*event.segment->packet); };
  Talk talk(std::move(recording));
  talk.open();
  for (int i = 0; i < 40; ++i) {
    talk.first({.length = 500});
    talk.second({.length = 20});
  }
  talk.first({.flags = "R", .seq = 25000});
  for (int i = 0; i < 3; ++i) {
    talk.first({.length = 10});
    talk.second({.flags = "R"});
  }
  const auto found = std::ranges::find(talk.findings(), "rfc5961-3.2-reset-accepted",
                                       [](const Finding& finding) { return finding.rule->id; });
  ASSERT_NE(found, talk.findings().end()) << talk.text();
  const Signature wanted = Signature::of(*found);
  const auto chosen = shrink(packets, wanted, options);
  EXPECT_FALSE(chosen.empty());
  EXPECT_LE(chosen.size(), 6U);
  const std::string test = as_test_case(packets, chosen, wanted);
  EXPECT_NE(test.find("TEST(Judged, Rfc596132ResetAccepted)"), std::string::npos) << test;
}

TEST(Shrink, WhatIsNotThereCannotBeShrunk) {
  const Signature wanted{.rule = &rule::kReservedBits, .from = {}};
  EXPECT_TRUE(shrink({}, wanted, {}).empty());
}

}  // namespace
}  // namespace transom::drivers::judge::test
