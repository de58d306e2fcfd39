// Frames out: headers, padding, the queue and its limit, and what is finished in software.
#include "stack/wire/tcp.h"
#include "tests/unit/link/link_fixture.h"

namespace transom::test {
namespace {

class Transmit : public LinkTest {
 protected:
  explicit Transmit(const link::Offloads& offloads = {}) : LinkTest(setup(offloads)) {
    EXPECT_TRUE(link_.set_permanent(*eth_, address("10.0.0.2"), kPeerMac));
    EXPECT_TRUE(link_.set_permanent(*eth_, address("2001:db8::2"), kPeerMac));
  }
  static Setup setup(const link::Offloads& offloads) {
    Setup setup = plain();
    setup.interface.offloads = offloads;
    setup.interface.transmit_limit = 10;
    return setup;
  }

  // A TCP segment as the TCP layer hands it down: checksum partial, payload in a slice.
  Packet tcp_packet(IpFamily family, std::size_t payload_size, std::uint16_t segment_size) {
    const bool is_v4 = family == IpFamily::kIpv4;
    const IpAddress source = address(is_v4 ? "10.0.0.1" : "2001:db8::1");
    const IpAddress destination = address(is_v4 ? "10.0.0.2" : "2001:db8::2");
    Octets headers = ip_packet(source, destination, 20 + payload_size);
    headers[is_v4 ? 9 : 6] = static_cast<std::uint8_t>(IpProtocol::kTcp);
    const std::size_t ip_size = is_v4 ? 20 : 40;
    headers.resize(ip_size);
    wire::TcpHeader tcp;
    tcp.flags = {.psh = true, .ack = true};
    const auto length = static_cast<std::uint32_t>(20 + payload_size);
    tcp.checksum = wire::pseudo_header_sum(source, destination, IpProtocol::kTcp, length).fold();
    Packet packet = pool_.copy_of(headers + written(tcp, 20));
    if (payload_size > 0) {
      Slice slice = pool_.allocate_slice(BufferSize::kSuperFrame);
      slice.append(Octets(payload_size, 0x77));
      packet.append_slice(slice);
    }
    packet.info() = {.checksum = ChecksumState::kPartial,
                     .checksum_field = wire::TcpHeader::kChecksumOffset,
                     .segment_size = segment_size};
    return packet;
  }
  void send_tcp(IpFamily family, std::size_t payload_size, std::uint16_t segment_size = 0) {
    link_.send(*eth_, tcp_packet(family, payload_size, segment_size),
               address(family == IpFamily::kIpv4 ? "10.0.0.2" : "2001:db8::2"));
  }
  static bool has_right_tcp_checksum(const Sent& frame, std::size_t tcp_size) {
    const bool is_v4 = frame.is(EtherType::kIpv4);
    const Bytes tcp = frame.payload().subspan(is_v4 ? 20 : 40, tcp_size);
    auto sum = wire::pseudo_header_sum(address(is_v4 ? "10.0.0.1" : "2001:db8::1"),
                                       address(is_v4 ? "10.0.0.2" : "2001:db8::2"), IpProtocol::kTcp,
                                       static_cast<std::uint32_t>(tcp_size));
    sum.add(tcp);
    return sum.fold() == 0xffff;
  }
};

TEST_F(Transmit, PutsTheHeaderInFront_R894_01) {
  send("10.0.0.2", 500);
  send("2001:db8::2", 500);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].octets, ethernet(kPeerMac, kOwnMac, EtherType::kIpv4,
                                       ip_packet(address("10.0.0.1"), address("10.0.0.2"), 500)));
  EXPECT_EQ(frames[1].octets, ethernet(kPeerMac, kOwnMac, EtherType::kIpv6,
                                       ip_packet(address("2001:db8::1"), address("2001:db8::2"), 500)));
  EXPECT_EQ(eth_->statistics().tx_bytes, frames[0].octets.size() + frames[1].octets.size() + 60 + 86 + 86);
  EXPECT_EQ(eth_->statistics().tx_packets, 5U);  // with the announcements of the three addresses
  EXPECT_EQ(counted(Counter::kLinkOutFrames), 2U);
}

TEST_F(Transmit, MapsGroupsAndBroadcastToMacAddresses_R1112_01_R2464_01_R894_04) {
  const auto packet = [&](const char* to) {
    const bool is_v4 = address(to).is_v4();
    return pool_.copy_of(ip_packet(address(is_v4 ? "10.0.0.1" : "2001:db8::1"), address(to)));
  };
  link_.send_multicast(*eth_, packet("239.129.2.3"), address("239.129.2.3"));
  link_.send_multicast(*eth_, packet("ff02::1:ff00:1"), address("ff02::1:ff00:1"));
  link_.send_broadcast(*eth_, packet("255.255.255.255"));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].ethernet.destination, MacAddress({0x01, 0, 0x5e, 0x01, 0x02, 0x03}));
  EXPECT_EQ(frames[1].ethernet.destination, MacAddress({0x33, 0x33, 0xff, 0, 0, 1}));
  EXPECT_EQ(frames[2].ethernet.destination, MacAddress::broadcast());
}

TEST_F(Transmit, PadsShortFramesWithZeros_R894_02_ATK_ETHERNET_01_ATK_ETHERNET_02) {
  for (std::size_t size = 0; size < 30; ++size) {
    // A buffer that held something else before.
    Packet packet =
        pool_.copy_of(ip_packet(address("10.0.0.1"), address("10.0.0.2"), size) + Octets(200, 0xee));
    packet.trim_back(200);
    link_.send(*eth_, std::move(packet), address("10.0.0.2"));
    const Sent frame = sent_one();
    ASSERT_EQ(frame.octets.size(), std::max<std::size_t>(60, 34 + size));
    for (std::size_t i = 34 + size; i < frame.octets.size(); ++i) EXPECT_EQ(frame.octets[i], 0) << size;
  }
}

// The payload of a TCP segment lies in another buffer.
TEST_F(Transmit, PadsShortFramesInPiecesToo_ATK_ETHERNET_02) {
  send_tcp(IpFamily::kIpv4, 1);
  const Sent frame = sent_one();
  ASSERT_EQ(frame.octets.size(), 60U);
  EXPECT_EQ(frame.octets[54], 0x77);
  for (std::size_t i = 55; i < 60; ++i) EXPECT_EQ(frame.octets[i], 0);
  EXPECT_TRUE(has_right_tcp_checksum(frame, 21));
}

TEST_F(Transmit, PadsTheShortLastSegmentAndTakesNoPaddingForPayload) {
  send_tcp(IpFamily::kIpv4, 1001, 1000);
  auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].octets.size(), 60U);
  EXPECT_TRUE(has_right_tcp_checksum(frames[1], 21));
  send_tcp(IpFamily::kIpv4, 2, 1);  // short before it is cut
  frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  for (const Sent& frame : frames) EXPECT_TRUE(has_right_tcp_checksum(frame, 21));
}

TEST_F(Transmit, DropsTheNewestWhenTheQueueIsFull) {
  for (std::size_t i = 0; i < 13; ++i) send("10.0.0.2", 100 + i);
  EXPECT_EQ(dropped(DropReason::kLinkQueueFull), 3U);
  EXPECT_EQ(counted(Counter::kLinkOutQueueDrops), 3U);
  EXPECT_EQ(eth_->statistics().tx_dropped, 3U);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(frames[i].octets.size(), 34 + 100 + i);
}

TEST_F(Transmit, ASuperSegmentCountsAsOneAgainstTheLimit) {
  for (int i = 0; i < 9; ++i) send("10.0.0.2");
  send_tcp(IpFamily::kIpv4, 14600, 1460);
  EXPECT_EQ(counted(Counter::kLinkOutQueueDrops), 0U);
  send("10.0.0.2");
  EXPECT_EQ(counted(Counter::kLinkOutQueueDrops), 1U);
  EXPECT_EQ(sent().size(), 19U);
}

TEST_F(Transmit, FinishesEverythingInSoftwareForAPlainDevice) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    send_tcp(family, 500);
    EXPECT_TRUE(has_right_tcp_checksum(sent_one(), 520));
    send_tcp(family, 2500, 1000);
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_TRUE(has_right_tcp_checksum(frames[0], 1020));
    EXPECT_TRUE(has_right_tcp_checksum(frames[1], 1020));
    EXPECT_TRUE(has_right_tcp_checksum(frames[2], 520));
  }
}

TEST_F(Transmit, AnUnparsablePartialPacketIsDropped) {
  Packet packet = tcp_packet(IpFamily::kIpv4, 10, 0);
  packet.head()[0] = 0x4f;  // sixty octets of header, it says
  link_.send(*eth_, std::move(packet), address("10.0.0.2"));
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(eth_->statistics().tx_dropped, 1U);
}

TEST_F(Transmit, APacketWithoutRoomForTheHeaderIsDropped) {
  link_.send(*eth_, pool_.copy_of(ip_packet(address("10.0.0.1"), address("10.0.0.2")), 13),
             address("10.0.0.2"));
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(dropped(DropReason::kNoBuffers), 1U);
}

class ChecksumOffload : public Transmit {
 protected:
  ChecksumOffload() : Transmit({.checksum = true}) {}
};

TEST_F(ChecksumOffload, LeavesChecksumsButCutsSegments) {
  send_tcp(IpFamily::kIpv6, 2000, 1000);
  ASSERT_EQ(eth_->transmit_queue().size(), 2U);
  observer_.out.clear();
  while (Packet frame = eth_->transmit_queue().pop()) {
    EXPECT_EQ(frame.info().checksum, ChecksumState::kPartial);
    EXPECT_EQ(frame.info().checksum_field, 16);
    EXPECT_EQ(frame.info().segment_size, 0);
    const auto sum =
        wire::pseudo_header_sum(address("2001:db8::1"), address("2001:db8::2"), IpProtocol::kTcp, 1020)
            .fold();
    const Octets octets = octets_of(frame);
    EXPECT_EQ(octets[54 + 16] << 8 | octets[54 + 17], sum);
  }
}

class SegmentOffloadV4 : public Transmit {
 protected:
  SegmentOffloadV4() : Transmit({.checksum = true, .segment_ipv4 = true}) {}
};

TEST_F(SegmentOffloadV4, LeavesSuperSegmentsOfItsFamilyWhole) {
  send_tcp(IpFamily::kIpv4, 50000, 1460);
  Packet frame = eth_->transmit_queue().pop();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame.size(), 14 + 40 + 50000U);
  EXPECT_EQ(frame.info().segment_size, 1460);
  EXPECT_EQ(frame.info().checksum, ChecksumState::kPartial);
  observer_.out.clear();
  send_tcp(IpFamily::kIpv6, 5000, 1000);
  EXPECT_EQ(sent().size(), 5U);
}

TEST_F(Transmit, CountsASuperSegmentThatFindsNoBuffers) {
  BufferPool small({.frames = 6, .super_frames = 4});
  Context context(small, seed_from_number(1), Instant(0s));
  link::LinkLayer link(context, {});
  RecordingNetwork network;
  link.set_network(network);
  link::Interface& interface = link.add_interface(setup({}).interface);
  ASSERT_TRUE(link.set_permanent(interface, address("10.0.0.2"), kPeerMac));
  Packet original = tcp_packet(IpFamily::kIpv4, 14600, 1460);
  Packet packet = small.copy_of(octets_of(original));
  packet.info() = original.info();
  link.send(interface, std::move(packet), address("10.0.0.2"));
  EXPECT_TRUE(interface.transmit_queue().empty());
  EXPECT_EQ(interface.statistics().tx_dropped, 1U);
  EXPECT_EQ(small.in_use(BufferSize::kFrame), 0U);
  EXPECT_EQ(small.in_use(BufferSize::kSuperFrame), 0U);
}

}  // namespace
}  // namespace transom::test
