#include "stack/wire/udp.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kDatagram = hex("0fa0 0035 000d 9818 68656c6c6f");

const auto kParse = parse_front<UdpHeader>;
const auto kWrite = [](const UdpHeader& header) { return written(header, UdpHeader::kSize); };

TEST(UdpHeader, ParsesARealDatagram) {
  Reader reader(kDatagram);
  const auto header = UdpHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->source_port, Port{4000});
  EXPECT_EQ(header->destination_port, Port{53});
  EXPECT_EQ(header->length, 13);
  EXPECT_EQ(header->checksum, 0x9818);
  EXPECT_EQ(reader.remaining(), 5U);
  EXPECT_EQ(kWrite(*header), Octets(kDatagram.begin(), kDatagram.begin() + 8));
}

TEST(UdpHeader, FailsAtEveryCut) { expect_every_cut_fails(Bytes(kDatagram).first(8), kParse); }

TEST(UdpHeader, RefusesALengthBelowItsOwn) {  // R768-01, ATK-UDP-01
  for (std::uint8_t length = 0; length < 10; ++length) {
    Octets octets = kDatagram;
    octets[5] = length;
    const auto header = kParse(octets);
    ASSERT_EQ(header.has_value(), length >= 8) << int{length};
    if (!header) {
      EXPECT_EQ(header.error(), ParseError::kBadLength);
    }
  }
}

TEST(UdpHeader,
     LeavesALengthBeyondTheOctetsToTheCaller) {  // ATK-UDP-02: it is compared with the IP payload there
  const auto header = kParse(hex("0fa0 0035 ffff 9818"));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->length, 0xffff);
}

TEST(UdpHeader, IsStableUnderMutation) { expect_stable_under_mutation(kDatagram, kParse, kWrite); }

TEST(UdpHeader, WritesNothingPastTheEnd) {
  expect_write_respects_the_end(*kParse(kDatagram), UdpHeader::kSize);
}

}  // namespace
}  // namespace transom::wire
