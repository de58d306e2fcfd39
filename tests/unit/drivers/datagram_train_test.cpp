// Datagrams in one frame, cut apart.
#include "drivers/datagram_train.h"

#include "stack/link/segmentation.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

constexpr auto kEthernet = link::LinkType::kEthernet;

class DatagramTrain : public testing::Test {
 protected:
  // As the kernel makes one: lengths and the pseudo-header's sum are of the whole.
  Packet train(IpFamily family, std::size_t payload, bool tagged = false,
               IpProtocol protocol = IpProtocol::kUdp) {
    const std::size_t size = 8 + payload;
    Packet packet = pool.allocate(BufferSize::kSuperFrame);
    wire::Writer udp(packet.append(size));
    udp.u16(1000);
    udp.u16(2000);
    udp.u16(static_cast<std::uint16_t>(size));
    udp.u16(wire::pseudo_header_sum(test::source_of(family), test::destination_of(family), protocol,
                                    static_cast<std::uint32_t>(size))
                .fold());
    for (std::size_t i = 0; i < payload; ++i) udp.u8(test::payload_octet(i));
    test::prepend_ip_header(packet, family, protocol, 0xffff);
    test::prepend_ethernet_header(packet, family, tagged);
    return packet;
  }

  BufferPool pool;
  PacketQueue cut;
};

TEST_F(DatagramTrain, IsCutIntoDatagramsThatAreWhole) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    for (const bool tagged : {false, true}) {
      const Packet whole = train(family, 2500, tagged);
      const std::size_t headers = whole.size() - 2500;
      const std::size_t ip_offset = tagged ? 18 : 14;
      ASSERT_TRUE(cut_datagrams(whole, kEthernet, 1000, cut));
      ASSERT_EQ(cut.size(), 3U);
      std::size_t offset = 0;
      for (std::size_t number = 0; number < 3; ++number) {
        const std::size_t payload = number < 2 ? 1000 : 500;
        Packet datagram = cut.pop();
        ASSERT_EQ(datagram.size(), headers + payload);
        EXPECT_EQ(datagram.info().checksum, ChecksumState::kPartial);
        ASSERT_TRUE(link::complete_checksum(datagram, ip_offset));
        EXPECT_TRUE(test::has_good_checksums(datagram, ip_offset)) << "datagram " << number;
        const auto octets = test::octets_of(datagram);
        for (std::size_t i = 0; i < payload; ++i)
          ASSERT_EQ(octets[headers + i], test::payload_octet(offset + i))
              << "octet " << i << " of " << number;
        if (family == IpFamily::kIpv4) {
          const auto identification =
              static_cast<std::uint16_t>(octets[ip_offset + 4] << 8 | octets[ip_offset + 5]);
          EXPECT_EQ(identification, static_cast<std::uint16_t>(0xffff + number));
        }
        offset += payload;
      }
    }
  }
}

TEST_F(DatagramTrain, MayBeOneDatagram) {
  ASSERT_TRUE(cut_datagrams(train(IpFamily::kIpv4, 700), kEthernet, 1000, cut));
  EXPECT_EQ(cut.size(), 1U);
}

TEST_F(DatagramTrain, IsRefusedWhereItCannotBeOne) {
  EXPECT_FALSE(cut_datagrams(train(IpFamily::kIpv4, 2000), kEthernet, 0, cut)) << "no size";
  EXPECT_FALSE(cut_datagrams(train(IpFamily::kIpv4, 2000), kEthernet, 15, cut)) << "more than 128";
  EXPECT_FALSE(cut_datagrams(train(IpFamily::kIpv6, 2000, false, IpProtocol::kTcp), kEthernet, 1000, cut));
  const Packet whole = train(IpFamily::kIpv6, 2000, true);
  const auto octets = test::octets_of(whole);
  for (std::size_t size = 0; size < whole.size() - 2000; ++size)
    EXPECT_FALSE(cut_datagrams(pool.copy_of(Bytes(octets).first(size)), kEthernet, 1000, cut))
        << size << " octets";
  EXPECT_TRUE(cut.empty());
}

TEST_F(DatagramTrain, IsGoneWholeWhenThereIsNoMemory) {
  BufferPool small({.frames = 2, .super_frames = 1});
  const auto octets = test::octets_of(train(IpFamily::kIpv4, 2500));
  EXPECT_FALSE(cut_datagrams(small.copy_of(octets), kEthernet, 1000, cut));
  EXPECT_TRUE(cut.empty());
  EXPECT_EQ(small.in_use(BufferSize::kFrame), 0U);
}

}  // namespace
}  // namespace transom::drivers
