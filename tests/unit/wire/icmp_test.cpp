#include "stack/wire/icmp.h"

#include "stack/wire/checksum.h"
#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

const Octets kEcho = hex("08 00 5499 1234 0005 61626364656667");    // seven octets of data, an odd number
const Octets kEchoV6 = hex("80 00 80da 1234 0005 61626364656667");  // 2001:db8::1 to 2001:db8::2
const IpAddress kSource = *IpAddress::parse("2001:db8::1");
const IpAddress kDestination = *IpAddress::parse("2001:db8::2");

const auto kParse = parse_front<IcmpHeader>;
const auto kWrite = [](const IcmpHeader& header) { return written(header, IcmpHeader::kSize); };

// The checksum of the scapy packets above, checked before they are used as expectations.
constexpr std::uint16_t checksum_in(Bytes message) {
  return static_cast<std::uint16_t>(message[2] << 8 | message[3]);
}

TEST(IcmpHeader, ParsesARealEcho) {
  Reader reader(kEcho);
  const auto header = IcmpHeader::parse(reader);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->type, static_cast<std::uint8_t>(IcmpType::kEchoRequest));
  EXPECT_EQ(header->code, 0);
  EXPECT_EQ(header->checksum, 0x5499);
  EXPECT_EQ(header->identifier(), 0x1234);
  EXPECT_EQ(header->sequence(), 5);
  EXPECT_EQ(header->rest, IcmpHeader::echo_rest(0x1234, 5));
  EXPECT_EQ(reader.position(), IcmpHeader::kSize);
  EXPECT_EQ(kWrite(*header), Octets(kEcho.begin(), kEcho.begin() + 8));
}

TEST(IcmpHeader, FailsAtEveryCut) { expect_every_cut_fails(Bytes(kEcho).first(8), kParse); }  // R792-02

TEST(IcmpHeader, IsStableUnderMutation) { expect_stable_under_mutation(kEcho, kParse, kWrite); }

TEST(IcmpHeader, WritesNothingPastTheEnd) {
  expect_write_respects_the_end(*kParse(kEcho), IcmpHeader::kSize);
}

TEST(IcmpHeader, ComputesTheChecksumOverwritingWhatWasThere) {
  for (const std::uint8_t before : Octets{0x00, 0x80, 0xff}) {
    Octets message = kEcho;
    message[2] = message[3] = before;
    write_icmp_checksum(message);
    EXPECT_EQ(message, kEcho);
  }
}

TEST(IcmpHeader, ComputesTheIcmpv6ChecksumWithThePseudoHeader) {  // R4443-07, R8200-15
  Octets message = kEchoV6;
  message[2] = message[3] = 0xff;
  write_icmpv6_checksum(message, kSource, kDestination);
  EXPECT_EQ(checksum_in(message), 0x80da);
  EXPECT_EQ(message, kEchoV6);
}

TEST(IcmpHeader, LeavesAMessageTooShortForAHeaderAlone) {
  for (std::size_t length = 0; length < IcmpHeader::kSize; ++length) {
    Octets message(length, 0xaa);
    write_icmp_checksum(message);
    write_icmpv6_checksum(message, kSource, kDestination);
    EXPECT_EQ(message, Octets(length, 0xaa));
  }
}

}  // namespace
}  // namespace transom::wire
