// The smallest capture that still shows the same.
#include "drivers/shrink/shrink.h"

#include "drivers/capture/edit/length_changes.h"
#include "drivers/judge/signature.h"
#include "drivers/shrink/minimise.h"
#include "drivers/shrink/stream_cut.h"
#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers {
namespace {

using judge::JudgeOptions;
using judge::Signature;
using judge::test::Talk;

// A Talk whose packets are kept.
struct KeptTalk {
  std::vector<KeptPacket> packets;
  Talk talk;

  explicit KeptTalk(JudgeOptions options = {}) : talk(recording(std::move(options))) {}
  Signature finding(std::string_view rule) {
    for (const judge::Finding& found : talk.findings())
      if (found.rule->id == rule) return Signature::of(found);
    ADD_FAILURE() << "no " << rule << " in\n" << talk.text();
    return {};
  }

 private:
  JudgeOptions recording(JudgeOptions options) {
    options.on_segment = [this](const judge::SegmentEvent& event) {
      packets.emplace_back(*event.segment->packet);
    };
    return options;
  }
};

std::vector<KeptPacket> shrunk(const KeptTalk& talk, const Signature& wanted,
                               const JudgeOptions& options = {}) {
  return shrink(talk.packets, {}, [&](const auto& packets) { return wanted.is_found_in(packets, options); });
}

PacketView view_of(const KeptPacket& kept) { return PacketView::parse(kept.packet()).value(); }

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
  const JudgeOptions options{.captured_at = {IpAddress::v4(10, 0, 0, 2)}};
  KeptTalk kept(options);
  Talk& talk = kept.talk;
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
  const Signature wanted = kept.finding("rfc5961-3.2-reset-accepted");
  const auto small = shrunk(kept, wanted, options);
  EXPECT_FALSE(small.empty());
  EXPECT_LE(small.size(), 6U);
  for (const KeptPacket& packet : small) EXPECT_LE(view_of(packet).payload_length, 1U);
  const std::string test = judge::as_test(wanted, small, options);
  EXPECT_NE(test.find("TEST(Shrunk, Rfc596132ResetAccepted)"), std::string::npos) << test;
}

TEST(Shrink, OptionsPayloadAndTimeGoAsWellAsPackets) {
  KeptTalk kept;
  kept.talk.open_with_timestamps();
  kept.talk.first(
      {.length = 1000, .timestamps = wire::TcpTimestamps{110, 900}, .after = std::chrono::seconds(7)});
  kept.talk.first({.length = 1000,
                   .timestamps = wire::TcpTimestamps{111, 900},
                   .reserved = 2,
                   .after = std::chrono::seconds(9)});
  const auto small = shrunk(kept, kept.finding("rfc9293-3.1-reserved-bits"));
  ASSERT_EQ(small.size(), 2U) << "a SYN, for the state, and what breaks the rule";
  for (const KeptPacket& packet : small) {
    EXPECT_EQ(view_of(packet).payload_length, 0U);
    EXPECT_TRUE(tcp_option_kinds(packet.packet()).empty());
    EXPECT_EQ(view_of(packet).transport_checksum, ChecksumVerdict::kGood);
  }
  EXPECT_EQ(small[1].packet().time, small[0].packet().time);
}

TEST(Shrink, WhatTheFindingNeedsOfOptionsPayloadAndTimeStays) {
  KeptTalk kept;
  kept.talk.open({.mss = 300, .scale = 2}, {.mss = 300, .scale = 2});
  kept.talk.wait(std::chrono::seconds(5));
  kept.talk.first({.length = 301});
  const Signature wanted = kept.finding("rfc9293-3.7.1-mss-exceeded");
  const auto small = shrunk(kept, wanted);
  ASSERT_FALSE(small.empty());
  EXPECT_EQ(view_of(small.back()).payload_length, 301U);
  for (std::size_t i = 1; i < small.size(); ++i)
    EXPECT_EQ(small[i].packet().time, small[0].packet().time) << "nothing depends on time here";
  bool has_mss = false;
  for (const KeptPacket& packet : small)
    for (const std::uint8_t kind : tcp_option_kinds(packet.packet())) {
      EXPECT_EQ(kind, 2) << "only the MSS is needed";
      has_mss = true;
    }
  EXPECT_TRUE(has_mss);
}

TEST(Shrink, TheTimeBetweenPacketsStaysWhereItMatters) {
  KeptTalk kept;
  kept.talk.open();
  kept.talk.first({.length = 100, .after = std::chrono::seconds(3)});
  for (int i = 0; i < 6; ++i)
    kept.talk.first({.seq = 1, .length = 100, .after = std::chrono::milliseconds(900)});
  const Signature wanted = kept.finding("rfc6298-5.5-no-back-off");
  const auto small = shrunk(kept, wanted);
  ASSERT_GE(small.size(), 2U);
  EXPECT_TRUE(wanted.is_found_in(small, {}));
  EXPECT_GT(small.back().packet().time, small.front().packet().time);
}

TEST(Shrink, WhatIsNotThereCannotBeShrunk) {
  const Signature wanted{.rule = &judge::rule::kReservedBits, .from = {}};
  EXPECT_TRUE(shrink({}, {}, [&](const auto& packets) { return wanted.is_found_in(packets, {}); }).empty());
}

TEST(Shrink, AsksNoMoreOftenThanItMay) {
  KeptTalk kept;
  kept.talk.open();
  for (int i = 0; i < 100; ++i) kept.talk.first({.length = 10});
  std::size_t asked = 0;
  const auto small = shrink(kept.packets, {.tries = 7}, [&](const auto& packets) {
    ++asked;
    return packets.size() == kept.packets.size();
  });
  EXPECT_EQ(asked, 7U);
}

TEST(StreamCut, LaterNumbersOfTheStreamAreAsMuchLower) {
  KeptTalk kept;
  Talk& talk = kept.talk;
  talk.open_with_sack();
  talk.first({.length = 100});                // 1:101
  talk.first({.flags = "FA", .length = 50});  // 101:151
  talk.second({.ack = 1, .length = 5, .sack = {{101, 151}}});
  talk.second({.ack = 152});
  const auto cut = cut_stream(kept.packets, 3, 40);
  ASSERT_EQ(cut.size(), kept.packets.size());
  EXPECT_EQ(view_of(cut[3]).payload_length, 40U);
  EXPECT_EQ(view_of(cut[4]).tcp->sequence, view_of(kept.packets[4]).tcp->sequence - 60U);
  EXPECT_EQ(view_of(cut[5]).tcp->sequence, view_of(kept.packets[5]).tcp->sequence);
  EXPECT_EQ(view_of(cut[5]).tcp->acknowledgment, view_of(kept.packets[5]).tcp->acknowledgment);
  EXPECT_EQ(view_of(cut[5]).tcp->options.sacks()[0].left, view_of(cut[4]).tcp->sequence);
  EXPECT_EQ(view_of(cut[6]).tcp->acknowledgment, view_of(kept.packets[6]).tcp->acknowledgment - 60U);
  for (const KeptPacket& packet : cut) EXPECT_EQ(view_of(packet).transport_checksum, ChecksumVerdict::kGood);
  EXPECT_TRUE(judge::judge_all(cut, {}).empty());
  EXPECT_TRUE(cut_stream(kept.packets, 3, 100).empty()) << "it is no longer than that";
}

TEST(TcpOptions, OneKindGoesAndTheOthersStay) {
  KeptTalk kept;
  kept.talk.open_with_timestamps();
  OwnedPacket syn = OwnedPacket::copy_of(kept.packets[0].packet());
  const auto before = tcp_option_kinds(syn.packet);
  drop_tcp_options(syn, 8);
  const auto after = tcp_option_kinds(syn.packet);
  EXPECT_EQ(after.size() + 1, before.size());
  const auto view = PacketView::parse(syn.packet);
  ASSERT_TRUE(view && view->tcp);
  EXPECT_FALSE(view->tcp->options.timestamps);
  EXPECT_EQ(view->tcp->options.maximum_segment_size, Talk::kMss);
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
  EXPECT_EQ(view->network_checksum, ChecksumVerdict::kGood);
}

}  // namespace
}  // namespace transom::drivers
