#include "drivers/vnet_header.h"

#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using link::LinkType;
using test::tcp_frame;
using test::TcpFrameOptions;

class VnetHeaderTest : public testing::Test {
 protected:
  BufferPool pool;
};

TEST_F(VnetHeaderTest, AsksForNothingWhenTheFrameIsComplete) {
  const Packet frame = tcp_frame(pool, {});
  VnetHeader header;
  ASSERT_TRUE(make_vnet_header(frame, LinkType::kEthernet, header));
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoNone);
}

struct Shape {
  IpFamily family;
  bool ethernet;
  bool tagged;
  std::size_t transport_offset;
};

TEST_F(VnetHeaderTest, RoundTripsEveryShapeOfSuperSegment) {
  for (const Shape& shape :
       {Shape{IpFamily::kIpv4, true, false, 34}, Shape{IpFamily::kIpv4, true, true, 38},
        Shape{IpFamily::kIpv4, false, false, 20}, Shape{IpFamily::kIpv6, true, false, 54},
        Shape{IpFamily::kIpv6, true, true, 58}, Shape{IpFamily::kIpv6, false, false, 40}}) {
    SCOPED_TRACE(shape.transport_offset);
    const LinkType type = shape.ethernet ? LinkType::kEthernet : LinkType::kPointToPoint;
    Packet frame = tcp_frame(pool, {.family = shape.family,
                                    .ethernet = shape.ethernet,
                                    .tagged = shape.tagged,
                                    .payload = 20000,
                                    .segment_size = 1448,
                                    .partial_checksum = true});
    VnetHeader header;
    ASSERT_TRUE(make_vnet_header(frame, type, header));
    EXPECT_EQ(header.flags, VnetHeader::kNeedsChecksum);
    EXPECT_EQ(header.gso_type,
              shape.family == IpFamily::kIpv4 ? VnetHeader::kGsoTcpv4 : VnetHeader::kGsoTcpv6);
    EXPECT_EQ(header.gso_size, 1448);
    EXPECT_EQ(header.checksum_start, shape.transport_offset);
    EXPECT_EQ(header.checksum_offset, 16);
    EXPECT_EQ(header.header_length, shape.transport_offset + test::kTcpHeaderSize);

    frame.info() = {};
    ASSERT_TRUE(apply_vnet_header(header, type, frame));
    EXPECT_EQ(frame.info().checksum, ChecksumState::kPartial);
    EXPECT_EQ(frame.info().checksum_field, 16);
    EXPECT_EQ(frame.info().segment_size, 1448);
  }
}

TEST_F(VnetHeaderTest, DoesNotAskToSegmentWhatIsOneSegment) {
  const Packet frame = tcp_frame(pool, {.payload = 1000, .segment_size = 1000, .partial_checksum = true});
  VnetHeader header;
  ASSERT_TRUE(make_vnet_header(frame, LinkType::kEthernet, header));
  EXPECT_EQ(header.flags, VnetHeader::kNeedsChecksum);
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoNone);
}

TEST_F(VnetHeaderTest, KeepsCwrOnTheFirstSegmentOnly) {  // RFC 3168 §6.1.2
  const Packet frame =
      tcp_frame(pool, {.payload = 5000, .segment_size = 1000, .partial_checksum = true, .flags = 0x90});
  VnetHeader header;
  ASSERT_TRUE(make_vnet_header(frame, LinkType::kEthernet, header));
  EXPECT_EQ(header.gso_type, VnetHeader::kGsoTcpv4 | VnetHeader::kGsoEcn);
}

TEST_F(VnetHeaderTest, RefusesToSendWhatTheDeviceCouldNotFinish) {
  VnetHeader header;
  Packet arp = pool.copy_of(std::vector<std::uint8_t>(60, 0));
  arp.info().checksum = ChecksumState::kPartial;
  EXPECT_FALSE(make_vnet_header(arp, LinkType::kEthernet, header)) << "partial checksum without IP";

  Packet full = tcp_frame(pool, {.payload = 5000, .segment_size = 1000});
  EXPECT_FALSE(make_vnet_header(full, LinkType::kEthernet, header)) << "segments of a complete checksum";

  Packet field = tcp_frame(pool, {.partial_checksum = true});
  field.info().checksum_field = 60000;
  EXPECT_FALSE(make_vnet_header(field, LinkType::kEthernet, header)) << "field outside of the frame";
}

TEST_F(VnetHeaderTest, TellsVerifiedFromUnknown) {
  Packet frame = tcp_frame(pool, {});
  ASSERT_TRUE(apply_vnet_header({.flags = VnetHeader::kDataValid}, LinkType::kEthernet, frame));
  EXPECT_EQ(frame.info().checksum, ChecksumState::kVerified);
  ASSERT_TRUE(apply_vnet_header({}, LinkType::kEthernet, frame));
  EXPECT_EQ(frame.info().checksum, ChecksumState::kUnknown);
}

// The device is not trusted: what points outside of the frame or contradicts it is dropped.
TEST_F(VnetHeaderTest, RefusesHostileHeaders) {
  struct Case {
    const char* what;
    VnetHeader header;
  };
  constexpr std::uint8_t kNeeds = VnetHeader::kNeedsChecksum;
  const std::vector<Case> cases = {
      {"start behind the frame", {.flags = kNeeds, .checksum_start = 5000, .checksum_offset = 16}},
      {"start at the very end", {.flags = kNeeds, .checksum_start = 154, .checksum_offset = 0}},
      {"field behind the frame", {.flags = kNeeds, .checksum_start = 34, .checksum_offset = 5000}},
      {"field half behind the frame", {.flags = kNeeds, .checksum_start = 34, .checksum_offset = 119}},
      {"both at their maximum", {.flags = kNeeds, .checksum_start = 65535, .checksum_offset = 65535}},
      {"segments of size 0", {.flags = kNeeds, .gso_type = 1, .checksum_start = 34, .checksum_offset = 16}},
      {"IPv6 segments of an IPv4 frame",
       {.flags = kNeeds, .gso_type = 4, .gso_size = 10, .checksum_start = 34, .checksum_offset = 16}},
      {"UDP fragmentation, not asked for",
       {.flags = kNeeds, .gso_type = 3, .gso_size = 10, .checksum_start = 34, .checksum_offset = 16}},
      {"an unknown kind of segments", {.gso_type = 99, .gso_size = 10}},
  };
  for (const Case& hostile : cases) {
    Packet frame = tcp_frame(pool, {});
    ASSERT_EQ(frame.size(), 154U);
    EXPECT_FALSE(apply_vnet_header(hostile.header, LinkType::kEthernet, frame)) << hostile.what;
  }
  Packet empty = pool.allocate();
  EXPECT_FALSE(apply_vnet_header({.flags = kNeeds}, LinkType::kEthernet, empty));
  Packet arp = pool.copy_of(std::vector<std::uint8_t>(60, 0));
  EXPECT_FALSE(apply_vnet_header({.gso_type = 1, .gso_size = 10}, LinkType::kEthernet, arp))
      << "segments of no TCP";
}

TEST_F(VnetHeaderTest, CompletesAChecksumThatIsNotTheOutermostOne) {
  // As from a tunnel that the kernel routes into the device: the inner header's checksum is the partial one.
  Packet frame = tcp_frame(pool, {.payload = 101});
  const std::vector<std::uint8_t> before = test::octets_of(frame);
  constexpr std::uint16_t kStart = 60;
  constexpr std::uint16_t kField = 10;
  ASSERT_TRUE(apply_vnet_header(
      {.flags = VnetHeader::kNeedsChecksum, .checksum_start = kStart, .checksum_offset = kField},
      LinkType::kEthernet, frame));
  EXPECT_EQ(frame.info().checksum, ChecksumState::kUnknown);
  const std::uint16_t expected = wire::checksum(Bytes(before).subspan(kStart));
  const std::vector<std::uint8_t> after = test::octets_of(frame);
  EXPECT_EQ(after[kStart + kField] << 8 | after[kStart + kField + 1], expected);
}

TEST_F(VnetHeaderTest, SurvivesEveryTruncationOfTheFrame) {
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    for (std::size_t size = 0; size < 100; ++size) {
      Packet frame = tcp_frame(pool, {.family = family, .segment_size = 10, .partial_checksum = true});
      frame.trim_back(frame.size() - size);
      VnetHeader header;
      const bool made = make_vnet_header(frame, LinkType::kEthernet, header);
      // The TCP header ends at 54 or 74: without it there is nothing to segment.
      EXPECT_EQ(made, size >= (family == IpFamily::kIpv4 ? 54U : 74U)) << size;
      apply_vnet_header(
          {.flags = 1, .gso_type = 1, .gso_size = 10, .checksum_start = 34, .checksum_offset = 16},
          LinkType::kEthernet, frame);
      if (frame.info().checksum == ChecksumState::kPartial) {
        EXPECT_LE(34U + frame.info().checksum_field + 2, std::max<std::size_t>(size, 54)) << size;
      }
    }
  }
}

}  // namespace
}  // namespace transom::drivers
