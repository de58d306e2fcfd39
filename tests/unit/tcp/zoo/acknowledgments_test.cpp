// Peers that lie in their acknowledgments: what must not happen, and that the stream survives it.
#include "tests/support/peers/zoo.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Zoo, AckDivisionEarnsNoMoreThanTheOctets) {  // RFC 5681 §3.1, RFC 3465
  HostUnderTest world;
  AckDivider peer(world);
  write(world, *peer.connection, letters(60000));
  peer.watch();
  const std::uint64_t before = peer.info().cwnd;
  peer.acknowledge_in_pieces(0, 1000, 500);
  EXPECT_LE(peer.info().cwnd, before + 1000);
  peer.watch();
  EXPECT_LE(peer.highest, before + 2 * 1000U);
}

TEST(Zoo, WhatWasNeverSentCannotBeAcknowledged) {  // RFC 9293 §3.10.7.4, RFC 5961 §5
  HostUnderTest world;
  ZooPeer peer(world);
  write(world, *peer.connection, letters(3000));
  peer.watch();
  const std::uint64_t cwnd = peer.info().cwnd;
  for (std::uint32_t i = 0; i < 1000; ++i) peer.acknowledge(3001 + i * 1000);
  EXPECT_EQ(peer.info().send_queue, 3000U);
  EXPECT_EQ(peer.info().cwnd, cwnd);
  EXPECT_LE(peer.watch().size(), 10U) << "answers to what is not acceptable are rationed";
  peer.acknowledge(3000);
  EXPECT_EQ(peer.info().send_queue, 0U);
}

TEST(Zoo, OptimisticAcksDoNotOpenMoreThanTheWindow) {
  HostUnderTest world;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss}, 20000);
  std::uint32_t acknowledged = 0;
  for (int round = 0; round < 50; ++round) {
    write(world, *peer.connection, letters(60000));
    peer.watch();
    EXPECT_LE(peer.highest, acknowledged + 20000U);
    acknowledged = peer.highest;  // whether it came or not
    peer.acknowledge(acknowledged, 20000);
  }
  EXPECT_EQ(peer.info().state, tcp::State::kEstablished);
}

TEST(Zoo, LiesInSackMoveNothing) {  // RFC 2018 §5, RFC 2883, CVE-2019-11477
  HostUnderTest world;
  SackLiar peer(world);
  write(world, *peer.connection, letters(10000));
  peer.watch();
  const std::uint64_t in_flight = peer.info().in_flight;
  const std::uint64_t cwnd = peer.info().cwnd;
  for (const auto& [left, right] : {std::pair<std::int64_t, std::int64_t>{10000, 20000},  // never sent
                                    {9000, 11000},                                        // half of it
                                    {5000, 2000},                                         // inverted
                                    {3000, 3000},                                         // empty
                                    {-2000, 2000},                                        // over snd_una
                                    {-500000, 500000},
                                    {-3000, -1000}}) {  // D-SACK of what was sent once
    peer.report(0, left, right);
  }
  EXPECT_EQ(peer.info().in_flight, in_flight);
  EXPECT_LE(peer.info().cwnd, cwnd);
  for (const Answer& answer : peer.watch()) EXPECT_TRUE(answer.payload.empty()) << "nothing was lost";
  peer.acknowledge(10000);
  EXPECT_EQ(peer.info().send_queue, 0U);
}

TEST(Zoo, ManyHonestTinySackBlocksDoNotSplitTheQueue) {  // CVE-2019-11478
  HostUnderTest world;
  SackLiar peer(world);
  write(world, *peer.connection, letters(10000));
  peer.watch();
  for (std::uint32_t i = 1; i < 9999; i += 2) peer.report(0, i, i + 1);
  EXPECT_GE(peer.info().in_flight + 1000, peer.info().send_queue) << "less than one segment is no report";
  peer.acknowledge(10000);
  EXPECT_EQ(peer.info().send_queue, 0U);
}

TEST(Zoo, ARenegingPeerGetsEverythingAgain) {  // RFC 2018 §8
  HostUnderTest world;
  SackLiar peer(world);
  write(world, *peer.connection, letters(10000));
  peer.watch();
  peer.report(0, 1000, 10000);
  peer.watch();
  std::vector<bool> came(10);
  std::uint32_t acknowledged = 0;  // it has forgotten all that it reported
  for (int i = 0; i < 300 && acknowledged < 10000; ++i) {
    world.advance(milliseconds(100));
    for (const Answer& answer : peer.watch()) {
      for (std::uint32_t at = answer.sequence() - peer.first;
           at + 1000 <= answer.sequence() - peer.first + answer.payload.size(); at += 1000)
        came[at / 1000] = true;
    }
    const std::uint32_t before = acknowledged;
    while (acknowledged < 10000 && came[acknowledged / 1000]) acknowledged += 1000;
    if (acknowledged != before) peer.acknowledge(acknowledged);
  }
  EXPECT_EQ(acknowledged, 10000U) << "what was reported may be dropped only when it is acknowledged";
}

TEST(Zoo, AStormOfDuplicateAcksRetransmitsOnce) {  // RFC 5681 §3.2, RFC 6582
  HostUnderTest world;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss}, 30000);
  write(world, *peer.connection, letters(60000));
  peer.watch();
  std::size_t first_again = 0;
  for (int i = 0; i < 10000; ++i) {
    peer.acknowledge(0, 30000);
    for (const Answer& answer : peer.watch()) first_again += answer.sequence() == peer.first ? 1 : 0;
  }
  EXPECT_EQ(first_again, 1U);
  EXPECT_LE(peer.highest, 30000U);
}

// RFC 3042: two segments for two duplicates, and not two more each time a little is acknowledged.
TEST(Zoo, DuplicateAcksDoNotAddUp) {
  HostUnderTest world;
  ZooPeer peer(world);
  write(world, *peer.connection, letters(60000));
  peer.watch();
  EXPECT_EQ(peer.highest, 10000U);
  for (std::uint32_t acknowledged = 0; acknowledged <= 4000; acknowledged += 1000) {
    if (acknowledged > 0) peer.acknowledge(acknowledged);
    peer.acknowledge(acknowledged);
    peer.acknowledge(acknowledged);
    peer.watch();
    EXPECT_LE(peer.highest, peer.info().cwnd + acknowledged + 2000);
  }
}

// The echo of a first copy, in the answer to the second, says how long the timer took and not the network.
TEST(Zoo, AnOldEchoIsNoRoundTripTime) {  // RFC 6298 §3
  HostUnderTest world;
  ZooPeer peer(world, {.maximum_segment_size = ZooPeer::kMss, .timestamps = wire::TcpTimestamps{1, 0}});
  write(world, *peer.connection, letters(100));
  peer.watch();
  world.advance(milliseconds(10));
  peer.acknowledge(100);
  write(world, *peer.connection, letters(100));
  peer.watch();
  const std::uint32_t first_copy = peer.timestamp_echo;
  for (int i = 0; i < 6; ++i) {  // each answer is lost
    world.advance(seconds(2));
    peer.watch();
  }
  peer.timestamp_echo = first_copy;
  world.advance(milliseconds(10));
  peer.acknowledge(200);
  EXPECT_EQ(peer.info().send_queue, 0U);
  EXPECT_LT(peer.info().srtt, milliseconds(100));
}

}  // namespace
}  // namespace transom::test
