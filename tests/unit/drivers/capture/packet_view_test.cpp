#include "drivers/capture/packet_view.h"

#include <gtest/gtest.h>

#include "stack/wire/checksum.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets octets_of(const test::TcpFrameOptions& options) {
  BufferPool pool;
  const Packet packet = test::tcp_frame(pool, options);
  Octets octets(packet.size());
  packet.copy_out(0, octets);
  return octets;
}

CapturedPacket captured(const Octets& octets, LinkType type = LinkType::kEthernet,
                        std::uint32_t original_length = 0) {
  CapturedPacket packet;
  packet.link_type = type;
  packet.octets = octets;
  packet.original_length = std::max(original_length, static_cast<std::uint32_t>(octets.size()));
  return packet;
}

// An IP packet around a transport header and payload.
Octets ip_packet(IpFamily family, IpProtocol protocol, Octets transport, bool fill_checksum,
                 std::size_t checksum_at) {
  const bool is_v4 = family == IpFamily::kIpv4;
  const IpAddress source = is_v4 ? test::kSourceV4 : test::kSourceV6;
  const IpAddress destination = is_v4 ? test::kDestinationV4 : test::kDestinationV6;
  if (fill_checksum) {
    wire::ChecksumSum sum;
    if (protocol != IpProtocol::kIcmp)
      sum = wire::pseudo_header_sum(source, destination, protocol,
                                    static_cast<std::uint32_t>(transport.size()));
    sum.add(transport);
    transport[checksum_at] = static_cast<std::uint8_t>(sum.checksum() >> 8);
    transport[checksum_at + 1] = static_cast<std::uint8_t>(sum.checksum());
  }
  Octets packet(is_v4 ? 20 : 40);
  wire::Writer writer(packet);
  if (is_v4) {
    wire::Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(20 + transport.size());
    header.protocol = protocol;
    header.source = source;
    header.destination = destination;
    header.write(writer);
  } else {
    wire::Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(transport.size());
    header.next_header = protocol;
    header.source = source;
    header.destination = destination;
    header.write(writer);
  }
  packet.insert(packet.end(), transport.begin(), transport.end());
  return packet;
}

TEST(PacketView, FindsTcpInBothFamiliesWithAndWithoutTag) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    for (const bool tagged : {false, true}) {
      const Octets octets = octets_of({.family = family, .tagged = tagged, .payload = 100});
      const auto view = PacketView::parse(captured(octets));
      ASSERT_TRUE(view);
      EXPECT_EQ(view->family, family);
      EXPECT_EQ(view->network_offset, tagged ? 18 : 14);
      EXPECT_EQ(view->transport_offset, view->network_offset + (family == IpFamily::kIpv4 ? 20 : 40));
      ASSERT_TRUE(view->tcp);
      EXPECT_EQ(view->tcp->sequence, SeqNum(1000));
      EXPECT_EQ(view->transport_length, 120);
      EXPECT_EQ(view->payload_length, 100);
      EXPECT_EQ(view->payload.size(), 100);
      EXPECT_EQ(view->payload[1], test::payload_octet(1));
      EXPECT_EQ(view->sequence_length(), 100);
      EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
      EXPECT_EQ(view->network_checksum,
                family == IpFamily::kIpv4 ? ChecksumVerdict::kGood : ChecksumVerdict::kAbsent);
    }
  }
}

TEST(PacketView, ThePaddingOfEthernetIsNoPayload) {
  Octets octets = octets_of({.payload = 2});
  octets.resize(60);
  const auto view = PacketView::parse(captured(octets));
  EXPECT_EQ(view->payload_length, 2);
  EXPECT_EQ(view->payload.size(), 2);
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
}

TEST(PacketView, ACutPacketKeepsItsLengthsAndLosesItsVerdict) {
  const Octets whole = octets_of({.payload = 100});
  const Octets cut(whole.begin(), whole.begin() + 64);
  const auto view =
      PacketView::parse(captured(cut, LinkType::kEthernet, static_cast<std::uint32_t>(whole.size())));
  ASSERT_TRUE(view && view->tcp);
  EXPECT_EQ(view->payload_length, 100);
  EXPECT_EQ(view->payload.size(), 10);
  EXPECT_FALSE(view->has_whole_payload());
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kUnknown);
}

TEST(PacketView, TellsUnfilledChecksumsFromBadOnes) {
  Octets octets = octets_of({.payload = 100, .partial_checksum = true});
  EXPECT_EQ(PacketView::parse(captured(octets))->transport_checksum, ChecksumVerdict::kUnfilled);
  octets.back() ^= 1;
  EXPECT_EQ(PacketView::parse(captured(octets))->transport_checksum, ChecksumVerdict::kUnfilled);
  octets = octets_of({.payload = 100});
  octets.back() ^= 1;
  EXPECT_EQ(PacketView::parse(captured(octets))->transport_checksum, ChecksumVerdict::kBad);
  octets[14 + 8] ^= 1;  // TTL
  EXPECT_EQ(PacketView::parse(captured(octets))->network_checksum, ChecksumVerdict::kBad);
  octets[14 + 10] = octets[14 + 11] = 0;
  EXPECT_EQ(PacketView::parse(captured(octets))->network_checksum, ChecksumVerdict::kUnfilled);
}

TEST(PacketView, ReadsUdpAndIcmp) {
  const Octets udp{0, 53, 16, 0, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};
  auto octets = ip_packet(IpFamily::kIpv4, IpProtocol::kUdp, udp, true, 6);
  auto view = PacketView::parse(captured(octets, LinkType::kRaw));
  ASSERT_TRUE(view && view->udp);
  EXPECT_EQ(view->payload_length, 4);
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
  octets = ip_packet(IpFamily::kIpv4, IpProtocol::kUdp, udp, false, 6);
  view = PacketView::parse(captured(octets, LinkType::kIpv4));
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kAbsent);
  octets = ip_packet(IpFamily::kIpv6, IpProtocol::kUdp, udp, false, 6);
  view = PacketView::parse(captured(octets, LinkType::kIpv6));
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kBad) << "RFC 8200 §8.1: it must have one";
  for (const auto& [family, protocol] :
       {std::pair{IpFamily::kIpv4, IpProtocol::kIcmp}, {IpFamily::kIpv6, IpProtocol::kIcmpv6}}) {
    octets = ip_packet(family, protocol, {8, 0, 0, 0, 0, 1, 0, 2}, true, 2);
    view = PacketView::parse(captured(octets, LinkType::kRaw));
    EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
    EXPECT_EQ(view->payload_length, 8);
  }
}

TEST(PacketView, PassesOverExtensionHeadersAndLooksIntoFirstFragmentsOnly) {
  const Octets udp{0, 53, 16, 0, 0, 12, 0, 0, 'a', 'b', 'c', 'd'};
  Octets octets = ip_packet(IpFamily::kIpv6, IpProtocol::kHopByHop, {44, 0, 5, 2, 0, 0, 1, 0}, false, 0);
  const Octets fragment{17, 0, 0, 1, 0, 0, 0, 9};  // offset 0, more to come
  octets.insert(octets.end(), fragment.begin(), fragment.end());
  octets.insert(octets.end(), udp.begin(), udp.end());
  octets[5] = static_cast<std::uint8_t>(octets.size() - 40);
  auto view = PacketView::parse(captured(octets, LinkType::kRaw));
  ASSERT_TRUE(view && view->udp);
  EXPECT_TRUE(view->is_fragment && view->more_fragments);
  EXPECT_EQ(view->identification, 9);
  EXPECT_EQ(view->transport_offset, 56);
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kUnknown);
  octets[40 + 8 + 3] = 16;  // at octet 16, the last
  view = PacketView::parse(captured(octets, LinkType::kRaw));
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->udp);
  EXPECT_EQ(view->fragment_offset, 16);
  EXPECT_EQ(view->protocol, IpProtocol::kUdp);
  EXPECT_EQ(view->payload_length, 12);
}

TEST(PacketView, KnowsEveryLinkType) {
  const Octets ip = octets_of({.ethernet = false});
  const auto behind = [&](Octets header) {
    header.insert(header.end(), ip.begin(), ip.end());
    return header;
  };
  Octets sll(16), sll2(20);
  sll[14] = 8;
  sll2[0] = 8;
  for (const auto& [type, octets] :
       std::vector<std::pair<LinkType, Octets>>{{LinkType::kNull, behind({2, 0, 0, 0})},
                                                {LinkType::kNull, behind({0, 0, 0, 2})},
                                                {LinkType::kLoop, behind({0, 0, 0, 2})},
                                                {LinkType::kLinuxSll, behind(sll)},
                                                {LinkType::kLinuxSll2, behind(sll2)},
                                                {LinkType::kRaw, ip},
                                                {LinkType::kIpv4, ip}}) {
    const auto view = PacketView::parse(captured(octets, type));
    ASSERT_TRUE(view && view->tcp) << static_cast<int>(type);
    EXPECT_EQ(view->network_offset, octets.size() - ip.size());
  }
  EXPECT_FALSE(PacketView::parse(captured(ip, LinkType::kIpv6)));
  EXPECT_FALSE(parse_link(captured(ip, LinkType{127})));
}

TEST(PacketView, ASuperPacketWithoutLengthIsAsLongAsTheLinkSays) {
  Octets octets = octets_of({.payload = 3000});
  octets[16] = octets[17] = 0;
  const auto view = PacketView::parse(captured(octets));
  ASSERT_TRUE(view && view->tcp);
  EXPECT_EQ(view->payload_length, 3000);
}

TEST(PacketView, SurvivesEveryTruncationAndEveryFlippedBit) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const Octets whole = octets_of({.family = family, .tagged = true, .payload = 8});
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      (void)PacketView::parse(captured(cut, LinkType::kEthernet, static_cast<std::uint32_t>(whole.size())));
    }
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Octets changed = whole;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      const auto view = PacketView::parse(captured(changed));
      EXPECT_TRUE(!view || view->payload.size() <= view->payload_length) << bit;
    }
  }
}

}  // namespace
}  // namespace transom::drivers
