// Ethernet frames in: what is for us, and what is dropped and why.
#include "stack/wire/checksum.h"
#include "stack/wire/tcp.h"
#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

class Ethernet : public LinkTest {
 protected:
  explicit Ethernet(const Setup& setup = plain()) : LinkTest(setup) {}
  Octets packet_to_us() { return ip_packet(address("10.0.0.2"), address("10.0.0.1")); }
  // The frame is dropped for this reason, counted once, and changes nothing else.
  void expect_dropped(const Octets& frame, DropReason reason) {
    const std::uint64_t before = dropped(reason);
    const std::uint64_t discards = counted(Counter::kLinkInDiscards);
    const std::uint64_t on_interface = eth_->statistics().rx_dropped;
    receive(frame);
    EXPECT_EQ(dropped(reason), before + 1) << to_string(reason);
    EXPECT_EQ(counted(Counter::kLinkInDiscards), discards + 1);
    EXPECT_EQ(eth_->statistics().rx_dropped, on_interface + 1);
    EXPECT_TRUE(network_.arrivals.empty());
    EXPECT_TRUE(sent().empty());
    EXPECT_TRUE(link_.neighbours().empty());
  }
};

TEST_F(Ethernet, GivesIpPacketsToTheNetworkLayerWithoutTheirFrame_R894_01) {
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us()));
  const Octets v6 = ip_packet(address("2001:db8::2"), address("2001:db8::1"));
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv6, v6));
  ASSERT_EQ(network_.arrivals.size(), 2U);
  EXPECT_EQ(network_.arrivals[0].octets, packet_to_us());
  EXPECT_EQ(network_.arrivals[1].octets, v6);
  EXPECT_EQ(observer_.frames_in, 2U);
  EXPECT_EQ(eth_->statistics().rx_packets, 2U);
  EXPECT_EQ(eth_->statistics().rx_bytes, 14 + 120 + 14 + 140U);
  EXPECT_EQ(counted(Counter::kLinkInFrames), 2U);
}

TEST_F(Ethernet, SaysHowAFrameWasAddressed_R1122_04) {
  const Octets packet = packet_to_us();
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet));
  receive(ethernet(MacAddress::broadcast(), kPeerMac, EtherType::kIpv4, packet));  // ATK-ETHERNET-09
  receive(ethernet(MacAddress({1, 0, 0x5e, 0, 0, 1}), kPeerMac, EtherType::kIpv4, packet));
  ASSERT_EQ(network_.arrivals.size(), 3U);
  EXPECT_FALSE(network_.arrivals[0].info.link_broadcast || network_.arrivals[0].info.link_multicast);
  EXPECT_TRUE(network_.arrivals[1].info.link_broadcast && !network_.arrivals[1].info.link_multicast);
  EXPECT_TRUE(!network_.arrivals[2].info.link_broadcast && network_.arrivals[2].info.link_multicast);
}

TEST_F(Ethernet, ForgetsHowAPacketArrivedWhenItIsUsedAgain) {
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us()), {.link_broadcast = true});
  EXPECT_FALSE(network_.arrivals.at(0).info.link_broadcast);
}

// R894-02: padding is not the link layer's to judge; the IP layer goes by its own length.
TEST_F(Ethernet, AcceptsPaddedFrames_R894_02) {
  const Octets padded = ip_packet(address("10.0.0.2"), address("10.0.0.1"), 8) + Octets(18);
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, padded));
  ASSERT_EQ(network_.arrivals.size(), 1U);
  EXPECT_EQ(network_.arrivals[0].octets, padded);
}

TEST_F(Ethernet, DropsFramesShorterThanTheirHeader_ATK_ETHERNET_03) {
  const Octets whole = ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us());
  for (std::size_t size = 0; size < 14; ++size) {
    expect_dropped(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)),
                   DropReason::kFrameTooShort);
  }
  expect_dropped(Octets(whole.begin(), whole.begin() + 14), DropReason::kIpBadVersion);  // nothing behind it
}

TEST_F(Ethernet, DropsFramesFromItselfOrFromAGroup_ATK_ETHERNET_07) {
  expect_dropped(ethernet(kOwnMac, kOwnMac, EtherType::kIpv4, packet_to_us()), DropReason::kFrameOwnSource);
  for (const MacAddress& source : {MacAddress::broadcast(), MacAddress({1, 0, 0x5e, 0, 0, 1})}) {
    expect_dropped(ethernet(kOwnMac, source, EtherType::kIpv4, packet_to_us()),
                   DropReason::kFrameGroupSource);
    const wire::ArpPacket request{Operation::kRequest, kPeerMac, address("10.0.0.2"), kNoMac,
                                  address("10.0.0.1")};
    expect_dropped(ethernet(MacAddress::broadcast(), source, EtherType::kArp, written(request, 28)),
                   DropReason::kFrameGroupSource);
  }
}

TEST_F(Ethernet, DropsUnicastFramesForOthers) {
  expect_dropped(ethernet(kEvilMac, kPeerMac, EtherType::kIpv4, packet_to_us()), DropReason::kFrameNotForUs);
}

TEST_F(Ethernet, AcceptsAPriorityTagAndNoOther_ATK_ETHERNET_04) {
  receive(
      ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us(), wire::VlanTag{.priority = 5, .id = 0}));
  ASSERT_EQ(network_.arrivals.size(), 1U);
  EXPECT_EQ(network_.arrivals[0].octets, packet_to_us());
  network_.arrivals.clear();
  expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us(), wire::VlanTag{.id = 1}),
                 DropReason::kFrameForeignTag);
}

TEST_F(Ethernet, DropsNestedTags_ATK_ETHERNET_06) {
  const Octets inner = Octets{0, 0, 0x08, 0} + packet_to_us();
  expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType::kVlan, inner, wire::VlanTag{}),
                 DropReason::kFrameNestedTag);
  // The outer tag, and the inner one cut short: 17 octets in all.
  Octets cut = ethernet(kOwnMac, kPeerMac, EtherType::kVlan, {}, wire::VlanTag{});
  cut.resize(17);
  expect_dropped(cut, DropReason::kFrameTooShort);
}

TEST_F(Ethernet, DropsLengthFieldFramesUnread_R1122_02_ATK_ETHERNET_05) {
  const Octets snap = Octets{0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0} + packet_to_us();
  for (const std::uint16_t length : std::vector<std::uint16_t>{0, 5, 46, 0x5dc}) {
    expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType{length}, snap), DropReason::kFrameUnknownType);
  }
  EXPECT_EQ(counted(Counter::kLinkInUnknownTypes), 4U);
}

TEST_F(Ethernet, IgnoresOtherTypes_R894_01) {
  for (const std::uint16_t type : std::vector<std::uint16_t>{0x8035, 0x88a8, 0x1000, 0x86dc, 0xffff}) {
    expect_dropped(ethernet(MacAddress::broadcast(), kPeerMac, EtherType{type}, Octets(46)),
                   DropReason::kFrameUnknownType);
  }
}

TEST_F(Ethernet, DropsReverseArpAndKeepsItsAddresses_ATK_ARP_10) {
  const auto before = eth_->addresses().size();
  Octets rarp = written(
      wire::ArpPacket{Operation::kReply, kPeerMac, address("10.0.0.2"), kOwnMac, address("10.0.0.99")}, 28);
  rarp[7] = 4;  // reverse reply
  expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType{0x8035}, rarp + Octets(18)),
                 DropReason::kFrameUnknownType);
  EXPECT_EQ(eth_->addresses().size(), before);
}

TEST_F(Ethernet, DropsAPacketWhoseVersionIsNotItsType) {
  const Octets v6 = ip_packet(address("2001:db8::2"), address("2001:db8::1"));
  expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, v6), DropReason::kIpBadVersion);
  expect_dropped(ethernet(kOwnMac, kPeerMac, EtherType::kIpv6, packet_to_us()), DropReason::kIpBadVersion);
}

TEST_F(Ethernet, DropsFramesLongerThanTheMtu_ATK_ETHERNET_08) {
  const auto frame = [&](std::size_t payload) {
    return ethernet(kOwnMac, kPeerMac, EtherType::kIpv4,
                    ip_packet(address("10.0.0.2"), address("10.0.0.1"), payload));
  };
  for (const std::size_t size : {1519UZ, 4000UZ, 9018UZ, 65535UZ}) {
    expect_dropped(frame(size - 14 - 20), DropReason::kFrameTooLong);
  }
  receive(frame(1480));  // R894-03: 1500 octets of packet
  EXPECT_EQ(network_.arrivals.size(), 1U);
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4,
                   ip_packet(address("10.0.0.2"), address("10.0.0.1"), 1480), wire::VlanTag{}));
  EXPECT_EQ(network_.arrivals.size(), 2U);  // its tag is not part of the MTU
}

TEST_F(Ethernet, AcceptsASuperFrameFromADeviceThatMergesSegments) {
  const Octets packet = ip_packet(address("10.0.0.2"), address("10.0.0.1"), 30000);
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet), {.segment_size = 1460});
  ASSERT_EQ(network_.arrivals.size(), 1U);
  EXPECT_EQ(network_.arrivals[0].info.segment_size, 1460);
}

class Together : public Ethernet {
 protected:
  explicit Together(const Setup& setup = plain()) : Ethernet(setup) {}
  // Three segments of 100 octets, each behind the other, in one batch with a packet of another kind at the
  // end.
  void receive_batch() {
    PacketQueue frames;
    for (std::uint32_t i = 0; i < 3; ++i) {
      wire::TcpHeader tcp;
      tcp.sequence = SeqNum(1000 + 100 * i);
      tcp.flags.ack = true;
      Octets packet = ip_packet(address("10.0.0.2"), address("10.0.0.1"), 120);
      packet[6] = 0x40;  // do not fragment
      packet[9] = 6;
      wire::Writer writer(MutableBytes(packet).subspan(20));
      tcp.write(writer);
      Packet frame = pool_.copy_of(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet));
      frame.info().checksum = ChecksumState::kVerified;
      wire::Writer checksum(frame.head().subspan(14 + 10));
      checksum.u16(0);
      checksum = wire::Writer(frame.head().subspan(14 + 10));
      checksum.u16(wire::checksum(frame.head().subspan(14, 20)));
      frames.push(std::move(frame));
    }
    frames.push(pool_.copy_of(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, packet_to_us())));
    link_.receive(*eth_, frames);
  }
};

TEST_F(Together, TcpSegmentsGoUpAsOneAndEachIsCounted) {
  receive_batch();
  ASSERT_EQ(network_.arrivals.size(), 2U);
  EXPECT_EQ(network_.arrivals[0].octets.size(), 20 + 20 + 300U);
  EXPECT_EQ(network_.arrivals[0].info.segment_size, 100);
  EXPECT_EQ(network_.arrivals[1].octets, packet_to_us());
  EXPECT_EQ(observer_.frames_in, 4U);
  EXPECT_EQ(eth_->statistics().rx_packets, 4U);
}

class Apart : public Together {
 protected:
  static Setup setup() {
    Setup setup = plain();
    setup.interface.coalesce = false;
    return setup;
  }
  Apart() : Together(setup()) {}
};

TEST_F(Apart, EachSegmentGoesUpAlone) {
  receive_batch();
  EXPECT_EQ(network_.arrivals.size(), 4U);
}

class PointToPoint : public LinkTest {
 protected:
  explicit PointToPoint(link::LinkType type = link::LinkType::kPointToPoint) : LinkTest(setup(type)) {}
  static Setup setup(link::LinkType type) {
    Setup setup = plain();
    setup.interface.type = type;
    setup.interface.mac = MacAddress();
    setup.with_addresses = false;
    return setup;
  }
};

TEST_F(PointToPoint, CarriesBarePacketsBothWays) {
  add("10.0.0.1/24");
  EXPECT_EQ(state_of("10.0.0.1"), link::AddressState::kPreferred);  // nothing to detect, nothing to announce
  EXPECT_TRUE(eth_->transmit_queue().empty());
  const Octets packet = ip_packet(address("10.0.0.2"), address("10.0.0.1"), 4);
  receive(packet);
  ASSERT_EQ(network_.arrivals.size(), 1U);
  EXPECT_EQ(network_.arrivals[0].octets, packet);

  send("10.0.0.2", 4);
  link_.send_multicast(*eth_, pool_.copy_of(packet), address("224.0.0.251"));
  link_.send_broadcast(*eth_, pool_.copy_of(packet));
  EXPECT_EQ(octets_of(eth_->transmit_queue().pop()), ip_packet(address("10.0.0.1"), address("10.0.0.2"), 4));
  EXPECT_EQ(octets_of(eth_->transmit_queue().pop()), packet);
  EXPECT_EQ(octets_of(eth_->transmit_queue().pop()), packet);
  EXPECT_TRUE(link_.neighbours().empty());
}

TEST_F(PointToPoint, DropsWhatIsNoIpPacket) {
  receive({});
  receive({0x10, 0, 0, 0});
  receive(ethernet(kOwnMac, kPeerMac, EtherType::kIpv4, ip_packet(address("10.0.0.2"), address("10.0.0.1"))));
  EXPECT_EQ(dropped(DropReason::kIpBadVersion), 3U);
  EXPECT_TRUE(network_.arrivals.empty());
}

TEST_F(PointToPoint, DoesNotAnswerNeighbourDiscovery) {
  add("2001:db8::1/64");
  solicit("2001:db8::2", "2001:db8::1", kPeerMac);
  EXPECT_TRUE(eth_->transmit_queue().empty());
  EXPECT_TRUE(link_.neighbours().empty());
}

class Loopback : public PointToPoint {
 protected:
  Loopback() : PointToPoint(link::LinkType::kLoopback) {}
};

TEST_F(Loopback, LeavesWhatItCarriesAsItIs) {
  add("127.0.0.1/8");
  Packet packet = pool_.copy_of(ip_packet(address("127.0.0.1"), address("127.0.0.1"), 9000));
  packet.info() = {.checksum = ChecksumState::kPartial, .checksum_field = 16, .segment_size = 1000};
  link_.send(*eth_, std::move(packet), address("127.0.0.1"));
  ASSERT_EQ(eth_->transmit_queue().size(), 1U);
  link_.receive(*eth_, eth_->transmit_queue().pop());
  ASSERT_EQ(network_.arrivals.size(), 1U);
  EXPECT_EQ(network_.arrivals[0].info.checksum, ChecksumState::kPartial);
  EXPECT_EQ(network_.arrivals[0].info.segment_size, 1000);
}

TEST(Interfaces, AreNumberedFromOne) {
  BufferPool pool;
  Context context(pool, seed_from_number(1), Instant(0s));
  link::LinkLayer link(context, {});
  RecordingNetwork network;
  link.set_network(network);
  link::InterfaceConfig config;
  config.type = link::LinkType::kPointToPoint;
  EXPECT_EQ(link.add_interface(config).id(), InterfaceId{1});
  EXPECT_EQ(link.add_interface(config).id(), InterfaceId{2});
  EXPECT_EQ(link.interface(InterfaceId{2}), link.interfaces()[1].get());
  EXPECT_EQ(link.interface(InterfaceId{0}), nullptr);
  EXPECT_EQ(link.interface(InterfaceId{3}), nullptr);
}

// R1112-02: the IP layer asks the interface which groups are received.
TEST_F(Ethernet, KnowsTheGroupsItIsIn_R1112_02) {
  EXPECT_TRUE(eth_->is_member(address("224.0.0.1")));
  EXPECT_TRUE(eth_->is_member(kAllNodes));
  EXPECT_TRUE(eth_->is_member(solicited_node_multicast(address("2001:db8::1"))));
  EXPECT_FALSE(eth_->is_member(solicited_node_multicast(address("2001:db8::2"))));
  eth_->join(address("224.1.1.1"));
  eth_->join(address("224.1.1.1"));
  EXPECT_TRUE(eth_->is_member(address("224.1.1.1")));
  EXPECT_FALSE(eth_->is_member(address("225.1.1.1")));  // the same MAC address
  eth_->leave(address("224.1.1.1"));
  EXPECT_TRUE(eth_->is_member(address("224.1.1.1")));  // joins count
  eth_->leave(address("224.1.1.1"));
  EXPECT_FALSE(eth_->is_member(address("224.1.1.1")));
  eth_->leave(address("224.9.9.9"));  // never joined
}

}  // namespace
}  // namespace transom::test
