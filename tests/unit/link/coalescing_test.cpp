// Joining segments, held against segment(), which cuts them: what was cut and joined again is what it was.
#include "stack/link/coalescing.h"

#include <gtest/gtest.h>

#include <vector>

#include "stack/link/octets_in_place.h"
#include "stack/link/segmentation.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"

namespace transom::link {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kEthernet = wire::EthernetHeader::kSize;

struct Shape {
  IpFamily family = IpFamily::kIpv4;
  std::size_t ip_offset = kEthernet;
  std::size_t payload = 10 * 1000;
  std::size_t segment_size = 1000;
  bool is_pushed = false;
  std::uint8_t traffic_class = 0;
  std::uint32_t sequence = 0xfffff000;  // wraps on the way
  std::uint32_t timestamp = 7;
};

Octets octets_of(const Packet& packet) {
  Octets octets(packet.size());
  EXPECT_TRUE(packet.copy_out(0, octets));
  return octets;
}

class Coalescing : public ::testing::Test {
 protected:
  // A super-segment as a sender hands it to its device.
  Packet super_segment(const Shape& shape) {
    Packet packet = pool_.allocate(BufferSize::kSuperFrame);
    const MutableBytes payload = packet.append(shape.payload);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 31 + i / 253);
    const bool is_v4 = shape.family == IpFamily::kIpv4;
    const IpAddress from = is_v4 ? IpAddress::v4(10, 0, 0, 1) : *IpAddress::parse("fd00::1");
    const IpAddress to = is_v4 ? IpAddress::v4(10, 0, 0, 2) : *IpAddress::parse("fd00::2");
    wire::TcpHeader tcp;
    tcp.source_port = Port{1234};
    tcp.destination_port = Port{80};
    tcp.sequence = SeqNum(shape.sequence);
    tcp.acknowledgment = SeqNum(77);
    tcp.flags.ack = true;
    tcp.flags.psh = shape.is_pushed;
    tcp.window = 1000;
    tcp.options.timestamps = wire::TcpTimestamps{shape.timestamp, 9};
    const auto length = static_cast<std::uint32_t>(tcp.size() + shape.payload);
    tcp.checksum = wire::pseudo_header_sum(from, to, IpProtocol::kTcp, length).fold();
    wire::Writer tcp_writer(packet.prepend(tcp.size()));
    tcp.write(tcp_writer);
    if (is_v4) {
      wire::Ipv4Header ip;
      ip.total_length = static_cast<std::uint16_t>(20 + length);
      ip.dont_fragment = true;
      ip.traffic_class = shape.traffic_class;
      ip.protocol = IpProtocol::kTcp;
      ip.source = from;
      ip.destination = to;
      wire::Writer writer(packet.prepend(20));
      ip.write(writer);
    } else {
      wire::Ipv6Header ip;
      ip.payload_length = static_cast<std::uint16_t>(length);
      ip.traffic_class = shape.traffic_class;
      ip.next_header = IpProtocol::kTcp;
      ip.source = from;
      ip.destination = to;
      wire::Writer writer(packet.prepend(wire::Ipv6Header::kSize));
      ip.write(writer);
    }
    if (shape.ip_offset != 0) {
      wire::EthernetHeader ethernet;
      ethernet.type = is_v4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6;
      wire::Writer writer(packet.prepend(kEthernet));
      ethernet.write(writer);
    }
    packet.info() = {.checksum = ChecksumState::kPartial,
                     .checksum_field = wire::TcpHeader::kChecksumOffset,
                     .segment_size = static_cast<std::uint16_t>(shape.segment_size)};
    return packet;
  }

  // Its segments, as they come from a wire: all in one piece.
  std::vector<Packet> segments_of(const Shape& shape) {
    PacketQueue queue;
    EXPECT_TRUE(segment(pool_, super_segment(shape), shape.ip_offset, true, queue));
    std::vector<Packet> segments;
    while (Packet piece = queue.pop()) {
      EXPECT_TRUE(piece.linearize());
      segments.push_back(std::move(piece));
    }
    return segments;
  }
  static std::uint8_t& ip_octet(Packet& frame, std::size_t offset) {
    return frame.head()[kEthernet + offset];
  }
  static std::uint8_t& tcp_octet(Packet& frame, std::size_t offset) { return ip_octet(frame, 20 + offset); }
  // Makes the checksums right again.
  static void mend_ip(MutableBytes ip) {
    put_u16(ip.subspan(10), 0);
    put_u16(ip.subspan(10), wire::checksum(ip.first(20)));
  }
  void mend(Packet& frame) {
    const MutableBytes ip = frame.head().subspan(kEthernet);
    mend_ip(ip);
    put_u16(ip.subspan(36),
            wire::pseudo_header_sum(IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2), IpProtocol::kTcp,
                                    static_cast<std::uint32_t>(ip.size() - 20))
                .fold());
    frame.info().checksum = ChecksumState::kPartial;
    frame.info().checksum_field = wire::TcpHeader::kChecksumOffset;
    EXPECT_TRUE(complete_checksum(frame, kEthernet));
  }
  // Whether the second of two segments is joined to the first, after `change` was done to it.
  template <typename Change>
  bool joins(Change change) {
    std::vector<Packet> segments = segments_of({});
    change(segments[1]);
    const Octets first = octets_of(segments[0]), second = octets_of(segments[1]);
    SegmentRun run(pool_, kEthernet, std::move(segments[0]));
    const bool joined = run.join(segments[1]);
    const Packet whole = std::move(run).take();
    if (!joined) {
      EXPECT_EQ(octets_of(whole), first) << "what is not joined is not touched";
      EXPECT_EQ(octets_of(segments[1]), second);
      EXPECT_EQ(whole.info().segment_size, 0);
    }
    return joined;
  }

  BufferPool pool_;
};

TEST_F(Coalescing, WhatWasCutAndIsJoinedIsWhatItWas) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    for (const std::size_t ip_offset : {0UZ, kEthernet}) {
      for (const std::size_t segment_size : {1UZ, 536UZ, 1447UZ, 1448UZ}) {
        for (const std::size_t payload :
             {2 * segment_size, 3 * segment_size - (segment_size + 1) / 2, 44 * segment_size}) {
          for (const bool is_pushed : {false, true}) {
            const Shape shape{.family = family,
                              .ip_offset = ip_offset,
                              .payload = payload,
                              .segment_size = segment_size,
                              .is_pushed = is_pushed,
                              .traffic_class = 0xb9};
            std::vector<Packet> segments = segments_of(shape);
            SegmentRun run(pool_, ip_offset, std::move(segments[0]));
            for (std::size_t i = 1; i < segments.size(); ++i) ASSERT_TRUE(run.join(segments[i])) << i;
            const Packet joined = std::move(run).take();
            const Packet original = super_segment(shape);
            ASSERT_EQ(octets_of(joined), octets_of(original)) << payload << " in " << segment_size;
            EXPECT_EQ(joined.info().segment_size, segment_size);
            EXPECT_EQ(joined.info().checksum, ChecksumState::kPartial);
            EXPECT_EQ(joined.info().checksum_field, wire::TcpHeader::kChecksumOffset);
          }
        }
      }
    }
  }
}

TEST_F(Coalescing, PayloadInSlicesIsJoined) {
  PacketQueue queue;
  ASSERT_TRUE(segment(pool_, super_segment({}), kEthernet, true, queue));
  SegmentRun run(pool_, kEthernet, queue.pop());
  while (Packet piece = queue.pop()) {
    ASSERT_FALSE(piece.tail().empty());
    ASSERT_TRUE(run.join(piece));
  }
  EXPECT_EQ(octets_of(std::move(run).take()), octets_of(super_segment({})));
}

TEST_F(Coalescing, PaddingIsLeftOut) {
  const Shape shape{.payload = 3, .segment_size = 2};
  std::vector<Packet> segments = segments_of(shape);
  std::ranges::fill(segments[1].append(6), std::uint8_t{0xaa});
  SegmentRun run(pool_, kEthernet, std::move(segments[0]));
  ASSERT_TRUE(run.join(segments[1]));
  EXPECT_EQ(octets_of(std::move(run).take()), octets_of(super_segment(shape)));
}

TEST_F(Coalescing, ASingleFrameGoesUpAsItCame) {
  std::vector<Packet> segments = segments_of({});
  const Octets before = octets_of(segments[0]);
  const std::size_t buffers = pool_.in_use(BufferSize::kSuperFrame);
  const Packet frame = std::move(SegmentRun(pool_, kEthernet, std::move(segments[0]))).take();
  EXPECT_EQ(octets_of(frame), before);
  EXPECT_EQ(frame.info().segment_size, 0);
  EXPECT_EQ(frame.info().checksum, ChecksumState::kUnknown);
  EXPECT_EQ(pool_.in_use(BufferSize::kSuperFrame), buffers);
}

TEST_F(Coalescing, TheNextSegmentIsJoined) {
  EXPECT_TRUE(joins([](Packet&) {}));
}

TEST_F(Coalescing, IdentificationsMayDiffer) {  // RFC 6864 §4.1: with DF they mean nothing
  EXPECT_TRUE(joins([this](Packet& frame) { ip_octet(frame, 4) ^= 0xff, mend(frame); }));
}

TEST_F(Coalescing, ASegmentBehindAGapIsNotJoined) {
  EXPECT_FALSE(joins([this](Packet& frame) { tcp_octet(frame, 7) ^= 1, mend(frame); }));
}

TEST_F(Coalescing, WhatDiffersInTheHeadersIsNotJoined) {
  const std::vector<std::pair<const char*, std::size_t>> ip_fields = {
      {"traffic class", 1}, {"TTL", 8}, {"source", 15}, {"destination", 19}};
  for (const auto& [what, offset] : ip_fields) {
    EXPECT_FALSE(joins([&, at = offset](Packet& frame) { ip_octet(frame, at) ^= 1, mend(frame); })) << what;
  }
  const std::vector<std::pair<const char*, std::size_t>> tcp_fields = {
      {"source port", 1}, {"destination port", 3}, {"acknowledgment", 11}, {"window", 15}, {"timestamp", 27}};
  for (const auto& [what, offset] : tcp_fields) {
    EXPECT_FALSE(joins([&, at = offset](Packet& frame) { tcp_octet(frame, at) ^= 1, mend(frame); })) << what;
  }
  EXPECT_FALSE(joins([](Packet& frame) { frame.head()[0] ^= 2; })) << "Ethernet destination";
  EXPECT_FALSE(joins([](Packet& frame) { frame.head()[12] ^= 2; })) << "EtherType";
}

TEST_F(Coalescing, NoBitOfTheHeadersIsOverlooked) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const bool is_v4 = family == IpFamily::kIpv4;
    const std::size_t tcp = kEthernet + (is_v4 ? wire::Ipv4Header::kMinSize : wire::Ipv6Header::kSize);
    const std::size_t size = tcp + wire::TcpHeader::kMinSize + 12;  // with timestamps
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      const std::size_t at = bit / 8;
      const std::size_t length = kEthernet + (is_v4 ? 2 : 4);
      if (at == length || at == length + 1) continue;  // a shorter segment is one, too
      std::vector<Packet> segments = segments_of({.family = family});
      Packet& second = segments[1];
      second.head()[at] ^= static_cast<std::uint8_t>(1U << bit % 8);
      second.info().checksum = ChecksumState::kVerified;
      const MutableBytes ip = second.head().subspan(kEthernet);
      if (is_v4 && at != kEthernet + 10 && at != kEthernet + 11) mend_ip(ip);
      const bool is_identification = is_v4 && (at == kEthernet + 4 || at == kEthernet + 5);
      const bool is_push = at == tcp + 13 && bit % 8 == 3;
      const bool is_tcp_checksum = at == tcp + 16 || at == tcp + 17;  // the device vouches for it
      SegmentRun run(pool_, kEthernet, std::move(segments[0]));
      EXPECT_EQ(run.join(second), is_identification || is_push || is_tcp_checksum)
          << "octet " << at << ", bit " << bit % 8;
    }
  }
}

TEST_F(Coalescing, FlagsOtherThanAckAndPushAreNotJoined) {
  for (const unsigned flag : {0x01U, 0x02U, 0x04U, 0x20U, 0x40U, 0x80U}) {
    EXPECT_FALSE(joins([&](Packet& frame) {
      tcp_octet(frame, 13) ^= static_cast<std::uint8_t>(flag), mend(frame);
    })) << flag;
  }
  EXPECT_FALSE(joins([this](Packet& frame) { tcp_octet(frame, 13) ^= 0x10, mend(frame); })) << "no ACK";
}

TEST_F(Coalescing, FragmentsAndIpOptionsAreNotJoined) {
  EXPECT_FALSE(joins([this](Packet& frame) { ip_octet(frame, 6) = 0x60, mend(frame); })) << "more fragments";
  EXPECT_FALSE(joins([this](Packet& frame) { ip_octet(frame, 7) = 0x01, mend(frame); })) << "an offset";
  EXPECT_FALSE(joins([](Packet& frame) { ip_octet(frame, 0) = 0x46; })) << "options";
}

TEST_F(Coalescing, ADamagedSegmentIsNotJoined) {
  EXPECT_FALSE(joins([](Packet& frame) { tcp_octet(frame, 500) ^= 1; })) << "text";
  EXPECT_FALSE(joins([](Packet& frame) { tcp_octet(frame, 17) ^= 1; })) << "TCP checksum";
  EXPECT_FALSE(joins([](Packet& frame) { ip_octet(frame, 11) ^= 1; })) << "IP checksum";
}

TEST_F(Coalescing, NothingIsJoinedToADamagedSegment) {
  std::vector<Packet> segments = segments_of({});
  tcp_octet(segments[0], 500) ^= 1;
  const Octets before = octets_of(segments[0]);
  SegmentRun run(pool_, kEthernet, std::move(segments[0]));
  EXPECT_FALSE(run.join(segments[1]));
  EXPECT_EQ(octets_of(std::move(run).take()), before);
}

TEST_F(Coalescing, WhatTheDeviceVouchesForIsNotSummed) {
  EXPECT_TRUE(joins([](Packet& frame) {
    tcp_octet(frame, 17) ^= 1;
    frame.info().checksum = ChecksumState::kVerified;
  }));
}

TEST_F(Coalescing, NothingFollowsAPushOrAShortSegment) {
  std::vector<Packet> pushed = segments_of({});
  tcp_octet(pushed[1], 13) |= 0x08;
  mend(pushed[1]);
  SegmentRun run(pool_, kEthernet, std::move(pushed[0]));
  EXPECT_TRUE(run.join(pushed[1]));
  EXPECT_FALSE(run.join(pushed[2]));
  EXPECT_NE(octets_of(std::move(run).take())[kEthernet + 33] & 0x08, 0);

  std::vector<Packet> segments = segments_of({.payload = 1500});
  std::vector<Packet> rest = segments_of({.payload = 1500, .sequence = 0xfffff000 + 1500});
  SegmentRun short_run(pool_, kEthernet, std::move(segments[0]));
  EXPECT_TRUE(short_run.join(segments[1]));
  EXPECT_FALSE(short_run.join(rest[0]));
}

TEST_F(Coalescing, ALongerSegmentIsNotJoined) {
  std::vector<Packet> segments = segments_of({.payload = 1500});
  std::vector<Packet> longer =
      segments_of({.payload = 3000, .segment_size = 1400, .sequence = 0xfffff000 + 1000});
  SegmentRun run(pool_, kEthernet, std::move(segments[0]));
  EXPECT_FALSE(run.join(longer[0]));
}

TEST_F(Coalescing, ARunEndsAtTheLargestPacket) {
  const Shape shape{.payload = 64 * 1000};
  std::vector<Packet> segments = segments_of(shape);
  std::vector<Packet> more = segments_of({.payload = 64 * 1000, .sequence = shape.sequence + 64 * 1000});
  SegmentRun run(pool_, kEthernet, std::move(segments[0]));
  for (std::size_t i = 1; i < segments.size(); ++i) ASSERT_TRUE(run.join(segments[i]));
  EXPECT_TRUE(run.join(more[0]));
  EXPECT_FALSE(run.join(more[1]));
  EXPECT_EQ(std::move(run).take().size(), kEthernet + 52 + 65000);
}

TEST_F(Coalescing, WithoutALargeBufferNothingIsJoined) {
  std::vector<Packet> segments = segments_of({});
  BufferPool small({.frames = 8, .super_frames = 0});
  SegmentRun run(small, kEthernet, std::move(segments[0]));
  EXPECT_FALSE(run.join(segments[1]));
}

}  // namespace
}  // namespace transom::link
