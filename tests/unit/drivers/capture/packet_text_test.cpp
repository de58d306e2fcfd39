// What tests/interop/capture_test.py compares with tcpdump in thousands of lines, here in some; and what it
// cannot: that nothing a packet says breaks the printing of it.
#include "drivers/capture/text/packet_text.h"

#include <gtest/gtest.h>

#include "drivers/capture/text/hex_text.h"
#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers {
namespace {

using namespace test;

TEST(PacketText, CountsFromTheFirstNumbersOfAConnection) {
  PacketText text;
  EXPECT_EQ(text.line(tcp({.sequence = 99, .flags = "S", .mss = 1460}).captured()),
            "IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [S], seq 99, win 1000, options [mss 1460], length 0");
  EXPECT_EQ(
      text.line(tcp({.from = kServer, .to = kClient, .sequence = 499, .acknowledgment = 100, .flags = "S."})
                    .captured()),
      "IP 10.0.0.2.80 > 10.0.0.1.4000: Flags [S.], seq 499, ack 100, win 1000, length 0");
  EXPECT_EQ(
      text.line(tcp({.sequence = 100, .acknowledgment = 500, .flags = "P.", .payload = "hello"}).captured()),
      "IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [P.], seq 1:6, ack 1, win 1000, length 5");
  EXPECT_EQ(
      PacketText({.absolute_numbers = true})
          .line(tcp({.sequence = 100, .acknowledgment = 500, .flags = "P.", .payload = "hello"}).captured()),
      "IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [P.], seq 100:105, ack 500, win 1000, length 5");
}

TEST(PacketText, ShowsTheLinkHeaderAndChecksumsWhenAsked) {
  MadePacket packet = udp({.from = kClientV6, .to = kServerV6, .payload = "abc"});
  EXPECT_EQ(PacketText({.link_header = true, .verbosity = 2}).line(packet.captured()),
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv6 (0x86dd), length 65: (hlim 64, "
            "next-header UDP (17) "
            "payload length: 11) 2001:db8::1.4000 > 2001:db8::2.80: [udp sum ok] UDP, length 3");
  packet.octets.back() ^= 1;
  EXPECT_NE(PacketText({.verbosity = 2}).line(packet.captured()).find("[bad udp cksum 0x"),
            std::string::npos);
}

TEST(PacketText, NothingOfAPacketReachesTheTerminalUnprinted) {
  // A DNS name with an escape sequence.
  const std::string_view query("\0\7\1\0\0\1\0\0\0\0\0\0\4\x1b[2J\0\0\1\0\1", 22);
  const std::string line =
      PacketText().line(udp({.to = {kServer.address, Port{53}}, .payload = query}).captured());
  EXPECT_EQ(line, "IP 10.0.0.1.4000 > 10.0.0.2.53: 7+ A? ^[[2J. (22)");
}

TEST(PacketText, AGroupRecordThatPromisesMoreSourcesThanThereAreIsTheLast) {
  const std::vector<std::uint8_t> report{0x22, 0, 0, 0,   0, 0, 0, 2, 4, 0, 0xff, 0xff,
                                         224,  0, 0, 251, 1, 1, 1, 1, 2, 2, 2,    2};
  for (const int verbosity : {1, 2}) {
    const MadePacket packet = ip_around(kClient, kServer, IpProtocol::kIgmp, report, {});
    const std::string line = PacketText({.verbosity = verbosity}).line(packet.captured());
    EXPECT_NE(line.find("[gaddr 224.0.0.251 to_ex"), std::string::npos) << line;
    EXPECT_LT(line.size(), 300U) << line;
  }
}

TEST(PacketText, SurvivesEveryTruncationAndEveryFlippedBit) {
  const std::string_view answer(
      "\0\7\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 35);
  for (const MadePacket& packet :
       {tcp({.sequence = 1, .flags = "S.", .payload = "x", .mss = 1460}),
        udp({.from = {kServerV6.address, Port{53}}, .to = kClientV6, .payload = answer})}) {
    for (const bool is_cut : {true, false}) {
      for (std::size_t i = 0; i < packet.octets.size() * (is_cut ? 1 : 8); ++i) {
        MadePacket changed = packet;
        if (is_cut)
          changed.octets.resize(i);
        else
          changed.octets[i / 8] ^= static_cast<std::uint8_t>(1U << i % 8);
        changed.meta.original_length = static_cast<std::uint32_t>(packet.octets.size());
        for (const int verbosity : {0, 2}) {
          const std::string line =
              PacketText({.link_header = true, .verbosity = verbosity}).line(changed.captured());
          for (const char character : line)
            ASSERT_TRUE(character == '\n' || character == '\t' ||
                        static_cast<unsigned char>(character) >= 0x20)
                << line;
        }
      }
    }
  }
}

TEST(HexText, LooksAsThatOfTcpdump) {
  const std::string_view text = "GET / HTTP/1.1\r\n\x01";
  const Bytes octets(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  EXPECT_EQ(hex_text(octets, true),
            "\n\t0x0000:  4745 5420 2f20 4854 5450 2f31 2e31 0d0a  GET./.HTTP/1.1.."
            "\n\t0x0010:  01                                       .");
  EXPECT_EQ(character_text(octets), "\nGET / HTTP/1.1\n.");
}

}  // namespace
}  // namespace transom::drivers
