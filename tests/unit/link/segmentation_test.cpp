// Segmentation in software, held against segments that are computed here from their definition.
#include "stack/link/segmentation.h"

#include <gtest/gtest.h>

#include <vector>

#include "stack/base/random.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

namespace transom::link {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint32_t kSequence = 0xfffffff0;    // wraps within the first segment
constexpr std::uint16_t kIdentification = 0xfffe;  // wraps at the third
constexpr std::size_t kEthernet = 14;

// The checksum by RFC 1071's definition, two octets at a time.
std::uint16_t naive_sum(const Octets& octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    sum += static_cast<std::uint32_t>(octets[i] << 8);
    if (i + 1 < octets.size()) sum += octets[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t number(Bytes octets, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | octets[at + i];
  return value;
}

void put(Octets& octets, std::size_t at, std::uint16_t value) {
  octets[at] = static_cast<std::uint8_t>(value >> 8);
  octets[at + 1] = static_cast<std::uint8_t>(value);
}

struct Shape {
  bool is_v4 = true;
  std::size_t ip_options = 0;  // octets of IPv4 options, or of an IPv6 destination options header
  std::size_t tcp_options = 12;
  std::uint8_t flags = 0x10;
  std::size_t ip_offset = kEthernet;

  std::size_t ip_size() const { return (is_v4 ? 20 : 40) + ip_options; }
  std::size_t headers() const { return ip_offset + ip_size() + 20 + tcp_options; }
};

// The headers of a packet with `payload` octets behind them, whose TCP checksum field holds the
// pseudo-header's share.
Octets headers(const Shape& shape, std::size_t payload) {
  Octets octets(shape.headers());
  for (std::size_t i = 0; i < shape.ip_offset; ++i) octets[i] = static_cast<std::uint8_t>(0xe0 + i);
  const std::size_t ip = shape.ip_offset;
  const std::size_t tcp = ip + shape.ip_size();
  if (shape.is_v4) {
    octets[ip] = static_cast<std::uint8_t>(0x40 | shape.ip_size() / 4);
    put(octets, ip + 2, static_cast<std::uint16_t>(octets.size() - ip + payload));
    put(octets, ip + 4, kIdentification);
    octets[ip + 6] = 0x40;
    octets[ip + 8] = 64;
    octets[ip + 9] = 6;
    for (std::size_t i = 0; i < 8; ++i) octets[ip + 12 + i] = static_cast<std::uint8_t>(10 + 17 * i);
    for (std::size_t i = 0; i < shape.ip_options; ++i) octets[ip + 20 + i] = 1;  // no operation
  } else {
    octets[ip] = 0x60;
    put(octets, ip + 4, static_cast<std::uint16_t>(octets.size() - ip - 40 + payload));
    octets[ip + 6] = shape.ip_options != 0 ? 60 : 6;
    octets[ip + 7] = 64;
    for (std::size_t i = 0; i < 32; ++i) octets[ip + 8 + i] = static_cast<std::uint8_t>(0x20 + 13 * i);
    if (shape.ip_options != 0) {
      octets[ip + 40] = 6;
      octets[ip + 41] = static_cast<std::uint8_t>(shape.ip_options / 8 - 1);
    }
  }
  put(octets, tcp, 1234);
  put(octets, tcp + 2, 80);
  put(octets, tcp + 4, kSequence >> 16);
  put(octets, tcp + 6, kSequence & 0xffff);
  octets[tcp + 12] = static_cast<std::uint8_t>((20 + shape.tcp_options) / 4 << 4);
  octets[tcp + 13] = shape.flags;
  for (std::size_t i = 0; i < shape.tcp_options; ++i) octets[tcp + 20 + i] = 1;
  return octets;
}

// Source, destination, protocol and length, in front of the transport octets.
Octets pseudo_header(const Octets& frame, const Shape& shape) {
  const std::size_t at = shape.ip_offset + (shape.is_v4 ? 12 : 8);
  const std::size_t size = shape.is_v4 ? 8 : 32;
  Octets pseudo(frame.begin() + static_cast<std::ptrdiff_t>(at),
                frame.begin() + static_cast<std::ptrdiff_t>(at + size));
  const std::size_t length = frame.size() - shape.ip_offset - shape.ip_size();
  for (const std::size_t octet :
       {length >> 24, length >> 16 & 255, length >> 8 & 255, length & 255, 0UZ, 0UZ, 0UZ, 6UZ}) {
    pseudo.push_back(static_cast<std::uint8_t>(octet));
  }
  return pseudo;
}

Octets pattern(std::size_t size) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i * 31 + i / 253);
  return octets;
}

// What segment number `index` must be, octet for octet. `whole`: with its checksum; else with the
// pseudo-header's share.
Octets expected_segment(const Shape& shape, const Octets& payload, std::size_t segment_size,
                        std::size_t index, bool whole) {
  const std::size_t begin = index * segment_size;
  const std::size_t length = std::min(segment_size, payload.size() - begin);
  const bool is_last = begin + length == payload.size();
  Octets frame = headers(shape, length);
  frame.insert(frame.end(), payload.begin() + static_cast<std::ptrdiff_t>(begin),
               payload.begin() + static_cast<std::ptrdiff_t>(begin + length));
  const std::size_t ip = shape.ip_offset;
  const std::size_t tcp = ip + shape.ip_size();
  if (shape.is_v4) {
    put(frame, ip + 4, static_cast<std::uint16_t>(kIdentification + index));
    Octets header(frame.begin() + static_cast<std::ptrdiff_t>(ip),
                  frame.begin() + static_cast<std::ptrdiff_t>(tcp));
    put(frame, ip + 10, static_cast<std::uint16_t>(~naive_sum(header)));
  }
  const auto sequence = static_cast<std::uint32_t>(kSequence + begin);
  put(frame, tcp + 4, static_cast<std::uint16_t>(sequence >> 16));
  put(frame, tcp + 6, static_cast<std::uint16_t>(sequence));
  if (!is_last) frame[tcp + 13] &= 0xf6;
  if (index != 0) frame[tcp + 13] &= 0x7f;
  Octets summed = pseudo_header(frame, shape);
  if (!whole) {
    put(frame, tcp + 16, naive_sum(summed));
    return frame;
  }
  summed.insert(summed.end(), frame.begin() + static_cast<std::ptrdiff_t>(tcp), frame.end());
  put(frame, tcp + 16, static_cast<std::uint16_t>(~naive_sum(summed)));
  return frame;
}

class Segmentation : public ::testing::Test {
 protected:
  // The super-segment, its payload cut into the head and slices of the given sizes; the last takes the rest.
  Packet super_segment(const Shape& shape, const Octets& payload, std::size_t segment_size,
                       const std::vector<std::size_t>& pieces) {
    Octets front = headers(shape, payload.size());
    Octets whole = front;
    whole.insert(whole.end(), payload.begin(), payload.end());
    put(front, shape.ip_offset + shape.ip_size() + 16, naive_sum(pseudo_header(whole, shape)));
    Packet packet = pool_.copy_of(front);
    std::size_t at = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::size_t size =
          std::min(i + 1 == pieces.size() ? payload.size() - at : pieces[i], payload.size() - at);
      const Bytes octets = Bytes(payload).subspan(at, size);
      at += size;
      if (i == 0) {
        if (size <= packet.tail_room()) {
          std::ranges::copy(octets, packet.append(size).begin());
          continue;
        }
        Packet larger = pool_.allocate(BufferSize::kSuperFrame);
        std::ranges::copy(front, larger.append(front.size()).begin());
        std::ranges::copy(octets, larger.append(size).begin());
        packet = std::move(larger);
        continue;
      }
      Slice slice = pool_.allocate_slice(BufferSize::kSuperFrame);
      EXPECT_EQ(slice.append(octets), size);
      EXPECT_TRUE(packet.append_slice(std::move(slice)));
    }
    EXPECT_EQ(packet.size(), whole.size());
    packet.info() = {.checksum = ChecksumState::kPartial,
                     .checksum_field = wire::TcpHeader::kChecksumOffset,
                     .segment_size = static_cast<std::uint16_t>(segment_size)};
    return packet;
  }

  void expect_right(const Shape& shape, std::size_t payload_size, std::size_t segment_size,
                    const std::vector<std::size_t>& pieces, bool checksums) {
    SCOPED_TRACE(fmt::format("{} payload {} segments of {} in {} pieces, checksums {}",
                             shape.is_v4 ? "IPv4" : "IPv6", payload_size, segment_size, pieces.size(),
                             checksums));
    const Octets payload = pattern(payload_size);
    PacketQueue out;
    ASSERT_TRUE(
        segment(pool_, super_segment(shape, payload, segment_size, pieces), shape.ip_offset, checksums, out));
    const std::size_t count = payload_size == 0 ? 1 : (payload_size + segment_size - 1) / segment_size;
    ASSERT_EQ(out.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const Packet piece = out.pop();
      Octets octets(piece.size());
      piece.copy_out(0, octets);
      ASSERT_EQ(octets, expected_segment(shape, payload, segment_size, i, checksums)) << "segment " << i;
      ASSERT_EQ(piece.info().segment_size, 0);
      ASSERT_EQ(piece.info().checksum, checksums ? ChecksumState::kUnknown : ChecksumState::kPartial);
      ASSERT_EQ(piece.info().checksum_field, 16);
    }
  }

  BufferPool pool_;
};

TEST_F(Segmentation, EqualsSegmentsMadeByDefinition) {
  for (const bool checksums : {true, false}) {
    for (const bool is_v4 : {true, false}) {
      const Shape shape{.is_v4 = is_v4, .flags = 0x99};  // CWR, ACK, PSH, FIN
      for (const std::size_t segment_size : {1UZ, 2UZ, 3UZ, 536UZ, 1447UZ, 1448UZ}) {
        for (const std::size_t payload :
             {0UZ, 1UZ, 2UZ, 3UZ, 535UZ, 536UZ, 537UZ, 1448UZ, 2896UZ, 2897UZ, 4999UZ}) {
          expect_right(shape, payload, segment_size, {0, payload}, checksums);
        }
      }
    }
  }
}

TEST_F(Segmentation, CutsTheLargestPacket) {
  for (const bool is_v4 : {true, false}) {
    const Shape shape{.is_v4 = is_v4, .flags = 0x18};
    expect_right(shape, 65535 - 20 - 32, 1448, {0, 30000, 10000, 1}, true);
    expect_right(shape, 65535 - 20 - 32, 65000, {0, 65000}, true);
  }
}

TEST_F(Segmentation, RepeatsOptionsAndExtensionHeaders) {
  for (const bool checksums : {true, false}) {
    expect_right({.is_v4 = true, .ip_options = 40, .tcp_options = 40}, 3001, 1000, {0, 3001}, checksums);
    expect_right({.is_v4 = false, .ip_options = 16, .tcp_options = 0}, 3001, 1000, {0, 3001}, checksums);
    expect_right({.is_v4 = true, .ip_offset = 0}, 3001, 1000, {0, 3001}, checksums);
    expect_right({.is_v4 = false, .ip_offset = 18}, 3001, 1000, {0, 3001}, checksums);
  }
}

// What a kernel hands over: a part of the payload behind the headers, the rest elsewhere.
TEST_F(Segmentation, TakesPayloadFromHeadAndSlicesWherverTheyEnd) {
  Random random(seed_from_number(5));
  for (int round = 0; round < 200; ++round) {
    const std::size_t payload = random.below(9000);
    std::vector<std::size_t> pieces;
    for (std::size_t i = 0; i <= random.below(5); ++i) pieces.push_back(random.below(i == 0 ? 1500 : 3000));
    expect_right({.is_v4 = round % 2 == 0, .flags = 0x99}, payload, 1 + random.below(1500), pieces,
                 round % 3 != 0);
  }
}

// One segment of more slices than a packet can refer to.
TEST_F(Segmentation, CopiesSlicesThatAreTooManyForOneSegment) {
  expect_right({}, 5, 1448, {1, 1, 1, 1, 1}, true);
  expect_right({.is_v4 = false}, 5, 1448, {1, 1, 1, 1, 1}, false);
  expect_right({}, 3001, 1448, {1, 3, 5, 7, 0}, true);
  expect_right({}, 20003, 20000, {1, 3, 5, 7, 0}, true);  // the copy needs a large buffer
}

TEST_F(Segmentation, FlagsOfTheEndsAreNotRepeated) {
  PacketQueue out;
  const Shape shape{.flags = 0xb9};  // CWR, URG, ACK, PSH, FIN
  ASSERT_TRUE(segment(pool_, super_segment(shape, pattern(30), 10, {0, 30}), kEthernet, true, out));
  const std::size_t at = kEthernet + 20 + 13;
  EXPECT_EQ(out.pop().head()[at], 0xb0);  // CWR on the first
  EXPECT_EQ(out.pop().head()[at], 0x30);
  EXPECT_EQ(out.pop().head()[at], 0x39);  // FIN and PSH on the last
}

TEST_F(Segmentation, ReferencesThePayload) {
  const std::size_t size = 60000;
  PacketQueue out;
  ASSERT_TRUE(segment(pool_, super_segment({}, pattern(size), 1448, {0, size}), kEthernet, true, out));
  EXPECT_EQ(pool_.in_use(BufferSize::kSuperFrame), 1U);  // the one that held it
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), out.size());
  out.clear();
  EXPECT_EQ(pool_.in_use(BufferSize::kSuperFrame), 0U);
}

TEST_F(Segmentation, APacketThatIsNoSuperSegmentPassesAsItIs) {
  for (const bool checksums : {true, false}) {
    PacketQueue out;
    const Octets payload = pattern(777);
    Packet packet = super_segment({}, payload, 0, {100, 677});
    Octets before(packet.size());
    packet.copy_out(0, before);
    ASSERT_TRUE(segment(pool_, std::move(packet), kEthernet, checksums, out));
    ASSERT_EQ(out.size(), 1U);
    Packet same = out.pop();
    Octets after(same.size());
    same.copy_out(0, after);
    if (checksums) {
      Octets expected = expected_segment({}, payload, 777, 0, true);
      put(expected, kEthernet + 10, 0);  // the IP header is not ours to finish
      EXPECT_EQ(after, expected);
      EXPECT_EQ(same.info().checksum, ChecksumState::kUnknown);
    } else {
      EXPECT_EQ(after, before);
      EXPECT_EQ(same.info().checksum, ChecksumState::kPartial);
    }
  }
}

TEST_F(Segmentation, RunningOutOfBuffersAppendsNothing) {
  BufferPool small({.frames = 5, .super_frames = 2});
  const Packet original = super_segment({}, pattern(10000), 1000, {0, 10000});
  Octets octets(original.size());
  original.copy_out(0, octets);
  Packet packet = small.copy_of(octets);
  packet.info() = original.info();
  PacketQueue out;
  EXPECT_FALSE(segment(small, std::move(packet), kEthernet, true, out));
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(small.in_use(BufferSize::kFrame), 0U);
  EXPECT_EQ(small.in_use(BufferSize::kSuperFrame), 0U);
}

TEST_F(Segmentation, RefusesHeadersThatAreNotThere) {
  const Shape shape{};
  const Octets whole = headers(shape, 2000);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Packet packet = pool_.copy_of(Bytes(whole).first(size));
    packet.info() = {.checksum = ChecksumState::kPartial, .checksum_field = 16, .segment_size = 100};
    PacketQueue out;
    EXPECT_FALSE(segment(pool_, std::move(packet), kEthernet, true, out)) << size;
    EXPECT_TRUE(out.empty());
  }
  const auto refuses = [&](std::size_t at, std::uint8_t value) {
    Octets bad = whole;
    bad[at] = value;
    Packet packet = pool_.copy_of(bad);
    packet.info() = {.checksum = ChecksumState::kPartial, .checksum_field = 16, .segment_size = 100};
    PacketQueue out;
    return !segment(pool_, std::move(packet), kEthernet, true, out);
  };
  EXPECT_TRUE(refuses(kEthernet, 0x54));       // version
  EXPECT_TRUE(refuses(kEthernet, 0x44));       // header length
  EXPECT_TRUE(refuses(kEthernet + 9, 17));     // UDP
  EXPECT_TRUE(refuses(kEthernet + 32, 0x40));  // data offset below the least
  EXPECT_TRUE(refuses(kEthernet + 32, 0xf0));  // and beyond the octets
}

// ---------------------------------------------------------------- complete_checksum

TEST_F(Segmentation, CompletesAUdpChecksumAndNeverLeavesItZero) {
  const IpAddress source = IpAddress::v4(10, 0, 0, 1);
  const IpAddress destination = IpAddress::v4(10, 0, 0, 2);
  for (std::uint32_t value = 0; value < 0x10000; value += 1) {
    wire::Ipv4Header ip;
    ip.total_length = 30;
    ip.protocol = IpProtocol::kUdp;
    ip.source = source;
    ip.destination = destination;
    wire::UdpHeader udp{Port{53}, Port{53}, 10,
                        wire::pseudo_header_sum(source, destination, IpProtocol::kUdp, 10).fold()};
    Octets octets(30);
    wire::Writer writer(octets);
    ip.write(writer);
    udp.write(writer);
    writer.u16(static_cast<std::uint16_t>(value));
    Packet packet = pool_.copy_of(octets);
    packet.info() = {.checksum = ChecksumState::kPartial, .checksum_field = 6};
    ASSERT_TRUE(complete_checksum(packet, 0));
    ASSERT_NE(number(packet.head(), 26, 2), 0U);
    auto sum = wire::pseudo_header_sum(source, destination, IpProtocol::kUdp, 10);
    sum.add(packet.head().subspan(20));
    ASSERT_EQ(sum.fold(), 0xffff);
  }
}

TEST_F(Segmentation, LeavesACompleteChecksumAlone) {
  Packet packet = super_segment({}, pattern(10), 0, {10});
  packet.info().checksum = ChecksumState::kVerified;
  Octets before(packet.size());
  packet.copy_out(0, before);
  EXPECT_TRUE(complete_checksum(packet, kEthernet));
  Octets after(packet.size());
  packet.copy_out(0, after);
  EXPECT_EQ(after, before);
}

TEST_F(Segmentation, RefusesAChecksumFieldOutsideThePacket) {
  Packet packet = super_segment({}, pattern(10), 0, {10});
  for (const std::uint16_t field : std::vector<std::uint16_t>{41, 42, 1000, 65535}) {
    packet.info().checksum_field = field;
    EXPECT_FALSE(complete_checksum(packet, kEthernet)) << field;
    EXPECT_EQ(packet.info().checksum, ChecksumState::kPartial);
  }
  EXPECT_FALSE(complete_checksum(packet, 10000));
}

}  // namespace
}  // namespace transom::link
