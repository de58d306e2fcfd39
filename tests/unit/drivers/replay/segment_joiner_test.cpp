#include "drivers/replay/segment_joiner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "stack/ip/fragmentation.h"
#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers::replay {
namespace {

using test::MadePacket;

const std::string kText(1000, 'x');

MadePacket segment_of(bool is_v4) {
  return test::tcp({.from = is_v4 ? test::kClient : test::kClientV6,
                    .to = is_v4 ? test::kServer : test::kServerV6,
                    .sequence = 77,
                    .flags = "P.",
                    .payload = kText});
}

// As IP cuts it for an MTU of 400; numbered from 1.
std::vector<MadePacket> fragments_of(const MadePacket& whole, std::uint32_t mtu = 400) {
  BufferPool pool;
  const PacketView view = whole.view();
  const Packet transport = pool.copy_of(Bytes(whole.octets).subspan(view.transport_offset));
  PacketQueue queue;
  if (view.family == IpFamily::kIpv4) {
    wire::Ipv4Header header;
    header.identification = 9;
    header.protocol = view.protocol;
    header.source = view.source;
    header.destination = view.destination;
    EXPECT_TRUE(ip::fragment_ipv4(header, transport, mtu, queue));
  } else {
    wire::Ipv6Header header;
    header.next_header = view.protocol;
    header.source = view.source;
    header.destination = view.destination;
    EXPECT_TRUE(ip::fragment_ipv6(header, 9, transport, mtu, queue));
  }
  std::vector<MadePacket> made;
  while (!queue.empty()) {
    const Packet packet = queue.pop();
    MadePacket& fragment = made.emplace_back();
    fragment.octets.assign(whole.octets.begin(), whole.octets.begin() + 14);
    fragment.octets.resize(14 + packet.size());
    packet.copy_out(0, MutableBytes(fragment.octets).subspan(14));
    fragment.meta.number = made.size();
  }
  return made;
}

TEST(SegmentJoiner, MakesTheSegmentOfItsFragmentsInWhateverOrderTheyCome) {
  for (const bool is_v4 : {true, false}) {
    const MadePacket whole = segment_of(is_v4);
    std::vector<MadePacket> fragments = fragments_of(whole);
    ASSERT_EQ(fragments.size(), 3U);
    std::ranges::reverse(fragments);
    SegmentJoiner joiner;
    EXPECT_TRUE(SegmentJoiner::is_wanted(fragments[0].view()));
    EXPECT_FALSE(SegmentJoiner::is_wanted(whole.view()));
    EXPECT_FALSE(joiner.add(fragments[0].captured(), fragments[0].view()));
    EXPECT_FALSE(joiner.add(fragments[1].captured(), fragments[1].view()));
    const auto joined = joiner.add(fragments[2].captured(), fragments[2].view());
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->packet.number, 1U);
    EXPECT_EQ(joined->view.tcp->sequence, SeqNum(77));
    EXPECT_EQ(joined->view.payload_length, kText.size());
    EXPECT_EQ(joined->view.transport_checksum, ChecksumVerdict::kGood);
    EXPECT_NE(joined->view.network_checksum, ChecksumVerdict::kBad);
    EXPECT_FALSE(joined->view.is_fragment);
    ASSERT_EQ(joined->fragments.size(), 3U);
    EXPECT_FALSE(joined->fragments[0].has_more);
    EXPECT_EQ(joined->fragments[0].end, whole.view().transport_length);
    EXPECT_EQ(joined->fragments[2].begin, 0U);
  }
}

TEST(SegmentJoiner, WhatTheSnapLengthHasCutNeverBecomesWhole) {
  std::vector<MadePacket> fragments = fragments_of(segment_of(true));
  fragments[1].meta.original_length = static_cast<std::uint32_t>(fragments[1].octets.size());
  fragments[1].octets.resize(60);
  SegmentJoiner joiner;
  for (const MadePacket& fragment : fragments) EXPECT_FALSE(joiner.add(fragment.captured(), fragment.view()));
}

TEST(SegmentJoiner, AHeaderThatIsCutAcrossFragmentsIsNotPutTogether) {
  const std::vector<MadePacket> fragments = fragments_of(segment_of(true), 36);
  SegmentJoiner joiner;
  for (const MadePacket& fragment : fragments) EXPECT_FALSE(joiner.add(fragment.captured(), fragment.view()));
}

}  // namespace
}  // namespace transom::drivers::replay
