#include "stack/wire/arp.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kReply = hex("0001 0800 06 04 0002 020000000001 0a090001 020000000002 0a090002");

const auto kParse = parse_front<ArpPacket>;
const auto kWrite = [](const ArpPacket& packet) { return written(packet, ArpPacket::kSize); };

TEST(ArpPacket, ParsesARealReply) {
  Octets padded = kReply;
  padded.resize(46);  // a minimum frame
  Reader reader(padded);
  const auto packet = ArpPacket::parse(reader);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->operation, ArpPacket::Operation::kReply);
  EXPECT_EQ(packet->sender_mac, *MacAddress::parse("02:00:00:00:00:01"));
  EXPECT_EQ(packet->sender_ip, IpAddress::v4(10, 9, 0, 1));
  EXPECT_EQ(packet->target_mac, *MacAddress::parse("02:00:00:00:00:02"));
  EXPECT_EQ(packet->target_ip, IpAddress::v4(10, 9, 0, 2));
  EXPECT_EQ(reader.position(), ArpPacket::kSize);
  EXPECT_EQ(kWrite(*packet), kReply);
}

TEST(ArpPacket, FailsAtEveryCut) { expect_every_cut_fails(kReply, kParse); }  // ATK-ARP-08, -09

TEST(ArpPacket, RefusesOtherHardwareProtocolsLengthsAndOperations) {  // R826-01, ATK-ARP-08, ATK-ARP-10
  for (std::size_t place = 0; place < 8; ++place) {
    for (int value = 0; value < 256; ++value) {
      Octets octets = kReply;
      octets[place] = static_cast<std::uint8_t>(value);
      const bool is_known = value == kReply[place] || (place == 7 && value == 1);
      const auto packet = kParse(octets);
      ASSERT_EQ(packet.has_value(), is_known) << "octet " << place << " is " << value;
      if (!packet) {
        EXPECT_EQ(packet.error(), ParseError::kBadValue);
      }
    }
  }
}

TEST(ArpPacket, IsStableUnderMutation) { expect_stable_under_mutation(kReply, kParse, kWrite); }

TEST(ArpPacket, WritesNothingPastTheEnd) { expect_write_respects_the_end(*kParse(kReply), ArpPacket::kSize); }

}  // namespace
}  // namespace transom::wire
