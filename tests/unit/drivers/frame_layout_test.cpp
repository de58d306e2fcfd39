#include "drivers/frame_layout.h"

#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using link::LinkType;

// An IPv6 packet without link header: the fixed header, then `rest`.
std::vector<std::uint8_t> ipv6_packet(IpProtocol next, std::vector<std::uint8_t> rest) {
  std::vector<std::uint8_t> octets(wire::Ipv6Header::kSize);
  wire::Ipv6Header header;
  header.next_header = next;
  header.payload_length = static_cast<std::uint16_t>(rest.size());
  header.source = test::kSourceV6;
  header.destination = test::kDestinationV6;
  wire::Writer writer(octets);
  header.write(writer);
  octets.insert(octets.end(), rest.begin(), rest.end());
  return octets;
}

TEST(FrameLayout, FindsTheTransportHeaderBehindIpv6ExtensionHeaders) {
  std::vector<std::uint8_t> rest(8 + 16 + 8, 0);
  rest[0] = 60;  // hop-by-hop, 8 octets, then destination options
  rest[8] = 43;  // destination options of 16 octets, then routing
  rest[9] = 1;
  rest[24] = 6;  // routing, 8 octets, then TCP
  const auto layout = layout_of(ipv6_packet(IpProtocol::kHopByHop, rest), LinkType::kPointToPoint);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->transport_offset, 40U + 32U);
  EXPECT_EQ(layout->protocol, IpProtocol::kTcp);
  EXPECT_FALSE(layout->is_fragment);
}

TEST(FrameLayout, TellsFragments) {
  const auto v6 =
      layout_of(ipv6_packet(IpProtocol::kFragment, {6, 0, 0, 0, 0, 0, 0, 1}), LinkType::kPointToPoint);
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->is_fragment);
  EXPECT_EQ(v6->protocol, IpProtocol::kTcp);

  BufferPool pool;
  for (const auto& [flags, is_fragment] :
       {std::pair{0x40, false}, std::pair{0x20, true}, std::pair{0x01, true}}) {
    Packet packet = test::tcp_frame(pool, {.ethernet = false});
    packet.head()[6] = static_cast<std::uint8_t>(flags);  // don't fragment; more fragments; an offset
    const auto v4 = layout_of(packet.head(), LinkType::kPointToPoint);
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->is_fragment, is_fragment) << flags;
  }
}

TEST(FrameLayout, SkipsIpv4Options) {
  BufferPool pool;
  Packet packet = test::tcp_frame(pool, {.ethernet = false});
  packet.head()[0] = 0x47;  // header of 28 octets
  const auto layout = layout_of(packet.head(), LinkType::kPointToPoint);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->transport_offset, 28U);
}

TEST(FrameLayout, RefusesHeadersThatAreNotWhole) {
  BufferPool pool;
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const Packet frame = test::tcp_frame(pool, {.family = family, .tagged = true});
    const std::size_t headers = 18 + (family == IpFamily::kIpv4 ? 20 : 40);
    for (std::size_t size = 0; size <= headers; ++size) {
      EXPECT_EQ(layout_of(frame.head().first(size), LinkType::kEthernet).has_value(), size == headers)
          << size;
    }
  }
  EXPECT_FALSE(
      layout_of(ipv6_packet(IpProtocol::kHopByHop, {6, 255, 0, 0, 0, 0, 0, 0}), LinkType::kPointToPoint))
      << "an extension header that is longer than the packet";
  EXPECT_FALSE(layout_of(std::vector<std::uint8_t>(40, 0x43), LinkType::kPointToPoint))
      << "IPv4 header of 12 octets";
  EXPECT_FALSE(layout_of(std::vector<std::uint8_t>(40, 0x50), LinkType::kPointToPoint))
      << "no such IP version";
}

TEST(FrameLayout, FindsNoIpInOtherFrames) {
  std::vector<std::uint8_t> arp(60, 0);
  arp[12] = 0x08;
  arp[13] = 0x06;
  EXPECT_FALSE(ip_offset_of(arp, LinkType::kEthernet));
  EXPECT_FALSE(ip_offset_of({}, LinkType::kPointToPoint));
}

}  // namespace
}  // namespace transom::drivers
