#include "stack/wire/ethernet.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kUntagged = hex("020000000002 020000000001 0800");
const Octets kTagged =
    hex("020000000002 020000000001 8100 b064 0800");  // priority 5, drop eligible, VLAN 100

const auto kParse = parse_front<EthernetHeader>;
const auto kWrite = [](const EthernetHeader& header) { return written(header, header.size()); };

TEST(EthernetHeader, ParsesARealFrame) {
  Reader reader(kUntagged);
  const auto header = EthernetHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->destination, *MacAddress::parse("02:00:00:00:00:02"));
  EXPECT_EQ(header->source, *MacAddress::parse("02:00:00:00:00:01"));
  EXPECT_EQ(header->type, EtherType::kIpv4);
  EXPECT_FALSE(header->tag);
  EXPECT_EQ(reader.position(), 14U);
  EXPECT_EQ(kWrite(*header), kUntagged);
}

TEST(EthernetHeader, ParsesAVlanTag) {
  Reader reader(kTagged);
  const auto header = EthernetHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->tag, (VlanTag{.priority = 5, .drop_eligible = true, .id = 100}));
  EXPECT_EQ(header->type, EtherType::kIpv4);
  EXPECT_EQ(header->size(), 18U);
  EXPECT_EQ(reader.position(), 18U);
  EXPECT_EQ(kWrite(*header), kTagged);
}

TEST(EthernetHeader, LeavesASecondTagInPlace) {  // ATK-ETHERNET-04, -06
  const Octets octets = hex("020000000002 020000000001 8100 0001 8100 0002 0800");
  Reader reader(octets);
  const auto header = EthernetHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->type, EtherType::kVlan);
  EXPECT_EQ(header->tag->id, 1);
  EXPECT_EQ(reader.remaining(), 4U);
  EXPECT_EQ(kWrite(*header), Octets(octets.begin(), octets.begin() + 18));
}

TEST(EthernetHeader,
     KeepsALengthFieldAsItIs) {  // ATK-ETHERNET-05: what to do with it is the link layer's choice
  const auto header = kParse(hex("020000000002 020000000001 05dc"));
  ASSERT_TRUE(header);
  EXPECT_EQ(static_cast<std::uint16_t>(header->type), 0x05dc);
}

TEST(EthernetHeader, FailsAtEveryCut) {  // ATK-ETHERNET-03
  expect_every_cut_fails(kUntagged, kParse);
  expect_every_cut_fails(kTagged, kParse);
}

TEST(EthernetHeader, IsStableUnderMutation) {
  expect_stable_under_mutation(kUntagged, kParse, kWrite);
  expect_stable_under_mutation(kTagged, kParse, kWrite);
}

TEST(EthernetHeader, WritesNothingPastTheEnd) {
  expect_write_respects_the_end(*kParse(kTagged), kTagged.size());
}

TEST(EthernetHeader, RoundTripsEveryTag) {
  for (std::uint32_t control = 0; control < 0x10000; control += 7) {
    EthernetHeader header = *kParse(kUntagged);
    header.tag = VlanTag{.priority = static_cast<std::uint8_t>(control >> 13),
                         .drop_eligible = (control & 0x1000) != 0,
                         .id = static_cast<std::uint16_t>(control & 0xfff)};
    ASSERT_EQ(kParse(kWrite(header)), header) << control;
  }
}

TEST(EthernetHeader, MapsIpv4GroupsToTheirLow23Bits) {  // R1112-01
  EXPECT_EQ(multicast_mac(IpAddress::v4(239, 129, 2, 3)), *MacAddress::parse("01:00:5e:01:02:03"));
  EXPECT_EQ(multicast_mac(IpAddress::v4(224, 0, 0, 1)), *MacAddress::parse("01:00:5e:00:00:01"));
}

TEST(EthernetHeader, MapsIpv6GroupsToTheirLow32Bits) {  // R2464-01
  EXPECT_EQ(multicast_mac(*IpAddress::parse("ff02::1:ff00:1")), *MacAddress::parse("33:33:ff:00:00:01"));
}

}  // namespace
}  // namespace transom::wire
