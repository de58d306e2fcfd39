// Against the kernel: each test runs in a network namespace of its own.
#include "drivers/tap_device.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "drivers/clock.h"
#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "drivers/vnet_header.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kName = "transom-test0";
constexpr int kPatience = 2000;  // milliseconds

// Frames that the kernel itself puts on a new interface (router solicitations, multicast reports) are of no
// interest.
constexpr std::uint16_t kTestEtherType = 0x88b5;  // IEEE 802 local experimental

class TapDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    const int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (unshare(user | CLONE_NEWNET) != 0)
      GTEST_SKIP() << "no network namespace can be made: " << std::strerror(errno);
    auto probe = open_tap({});
    if (!probe) GTEST_SKIP() << probe.error().message;
  }

  std::unique_ptr<Device> open_up(const TapOptions& options) {
    auto opened = open_tap(options);
    EXPECT_TRUE(opened) << opened.error().message;
    if (!opened) return nullptr;
    const auto up = set_link_up(options.name);
    EXPECT_TRUE(up) << up.error().message;
    return std::move(*opened);
  }

  // A packet socket on the kernel's end.
  static FileDescriptor packet_socket(bool with_vnet_header) {
    FileDescriptor descriptor(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    const int on = 1;
    if (with_vnet_header) {
      EXPECT_EQ(setsockopt(descriptor.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on), 0)
          << std::strerror(errno);
    }
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(kName));
    EXPECT_EQ(bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{.tv_sec = kPatience / 1000, .tv_usec = 0};
    setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return descriptor;
  }

  std::vector<std::uint8_t> test_frame(std::size_t size, std::uint8_t mark) {
    std::vector<std::uint8_t> octets(size);
    wire::Writer writer(octets);
    writer.bytes(Bytes(std::array<std::uint8_t, 12>{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}));
    writer.u16(kTestEtherType);
    for (std::size_t i = 14; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i * 31 + mark);
    return octets;
  }

  // The next frame for which `wanted` holds.
  template <typename Wanted>
  Packet receive(Device& device, Wanted wanted) {
    for (;;) {
      while (!arrived.empty()) {
        Packet frame = arrived.pop();
        if (wanted(frame)) return frame;
      }
      if (device.receive(pool, arrived, 64, monotonic_now()) > 0) continue;
      pollfd readable{.fd = device.descriptor(), .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, kPatience) <= 0) return {};
    }
  }
  Packet receive_test_frame(Device& device) {
    return receive(device, [](const Packet& frame) {
      wire::Reader reader(frame.head());
      reader.skip(12);
      return reader.u16() == kTestEtherType;
    });
  }

  BufferPool pool;
  PacketQueue frames;
  PacketQueue arrived;
};

TEST_F(TapDeviceTest, ExchangesFramesWithTheKernel) {
  for (const bool offload : {true, false}) {
    const auto device = open_up({.name = kName, .offload = offload});
    ASSERT_NE(device, nullptr);
    const FileDescriptor kernel = packet_socket(false);
    const auto request = test_frame(60, 1);
    ASSERT_EQ(send(kernel.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    const Packet got = receive_test_frame(*device);
    ASSERT_TRUE(got);
    EXPECT_EQ(test::octets_of(got), request);

    const auto reply = test_frame(1514, 2);
    frames.push(pool.copy_of(reply));
    device->transmit(frames, monotonic_now());
    EXPECT_TRUE(frames.empty());
    std::vector<std::uint8_t> buffer(2048);
    for (;;) {
      const ssize_t size = recv(kernel.get(), buffer.data(), buffer.size(), 0);
      ASSERT_GT(size, 14) << "the kernel did not get the frame";
      if (buffer[12] != kTestEtherType >> 8 || buffer[13] != (kTestEtherType & 0xff) || size != 1514)
        continue;
      EXPECT_TRUE(std::equal(reply.begin(), reply.end(), buffer.begin()));
      break;
    }
    EXPECT_EQ(device->statistics().transmitted, 1U);
    EXPECT_EQ(device->statistics().transmit_drops, 0U);
  }
}

class JumboFrames : public TapDeviceTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Offload, JumboFrames, testing::Bool());

TEST_P(JumboFrames, OfManySizesAreReceivedIntact) {
  const auto device = open_up({.name = kName, .mtu = 9000, .offload = GetParam()});
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->properties().mtu, 9000U);
  const FileDescriptor kernel = packet_socket(false);
  PacketQueue kept;  // so that no buffer is used again
  std::vector<std::vector<std::uint8_t>> sent;
  for (std::size_t size = 1000; size < 9014; size += 97) {
    sent.push_back(test_frame(size, static_cast<std::uint8_t>(size)));
    ASSERT_GT(send(kernel.get(), sent.back().data(), size, 0), 0) << std::strerror(errno);
    Packet got = receive_test_frame(*device);
    ASSERT_TRUE(got);
    kept.push(std::move(got));
  }
  for (const auto& octets : sent) ASSERT_EQ(test::octets_of(kept.pop()), octets) << octets.size();
}

TEST_F(TapDeviceTest, ReceivesJumboFramesAfterTheFirstWhereTheMtuGrew) {
  const auto device = open_up({.name = kName, .mtu = 1500, .offload = false});
  ASSERT_NE(device, nullptr);
  ASSERT_TRUE(set_link_mtu(kName, 9000));
  const FileDescriptor kernel = packet_socket(false);
  const auto octets = test_frame(9014, 1);
  for (int i = 0; i < 2; ++i) ASSERT_GT(send(kernel.get(), octets.data(), octets.size(), 0), 0);
  EXPECT_EQ(test::octets_of(receive_test_frame(*device)), octets);
  EXPECT_EQ(device->statistics().receive_drops, 1U);
}

TEST_F(TapDeviceTest, KeepsOneSpareBufferForManySuperFrames) {
  const auto device = open_up({.name = kName, .mtu = 9000});
  ASSERT_NE(device, nullptr);
  const FileDescriptor kernel = packet_socket(false);
  const auto octets = test_frame(9014, 1);
  PacketQueue kept;
  for (int i = 0; i < 16; ++i) {
    ASSERT_GT(send(kernel.get(), octets.data(), octets.size(), 0), 0);
    kept.push(receive_test_frame(*device));
  }
  // 16 tails of some 7 KiB are less than two buffers of 64 KiB; two more are spare.
  EXPECT_LE(pool.in_use(BufferSize::kSuperFrame), 4U);
}

TEST_F(TapDeviceTest, CountsFramesForWhichThereIsNoBuffer) {  // ATK-ETHERNET-08
  BufferPool small({.frames = 256, .super_frames = 0});
  const auto device = open_up({.name = kName, .mtu = 9000});
  ASSERT_NE(device, nullptr);
  const FileDescriptor kernel = packet_socket(false);
  const auto giant = test_frame(9014, 1);
  const auto normal = test_frame(1514, 2);
  ASSERT_GT(send(kernel.get(), giant.data(), giant.size(), 0), 0);
  ASSERT_GT(send(kernel.get(), normal.data(), normal.size(), 0), 0);
  device->receive(small, arrived, 64, monotonic_now());
  EXPECT_EQ(device->statistics().receive_drops, 1U);
  const Packet got = receive_test_frame(*device);
  ASSERT_TRUE(got);
  EXPECT_EQ(test::octets_of(got), normal) << "the one behind it is not harmed";
  arrived.clear();
}

TEST_F(TapDeviceTest, TakesSuperFramesBothWaysWithOffload) {
  const auto device = open_up({.name = kName});
  ASSERT_NE(device, nullptr);
  ASSERT_TRUE(device->properties().offloads.segment_ipv4);
  ASSERT_TRUE(device->properties().offloads.segment_ipv6);
  const FileDescriptor kernel = packet_socket(true);
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    const Packet super = test::tcp_frame(
        pool, {.family = family, .payload = 60000, .segment_size = 1400, .partial_checksum = true});
    const auto octets = test::octets_of(super);
    frames.push(super.clone());
    device->transmit(frames, monotonic_now());
    EXPECT_EQ(device->statistics().transmit_drops, 0U);
    std::vector<std::uint8_t> buffer(70000);
    ssize_t size = 0;
    do {
      size = recv(kernel.get(), buffer.data(), buffer.size(), 0);
      ASSERT_GT(size, 0) << "the kernel did not get the super-frame";
    } while (static_cast<std::size_t>(size) != sizeof(VnetHeader) + octets.size());
    EXPECT_TRUE(std::equal(octets.begin(), octets.end(), buffer.begin() + sizeof(VnetHeader)));

    VnetHeader header;
    ASSERT_TRUE(make_vnet_header(super, link::LinkType::kEthernet, header));
    std::vector<std::uint8_t> message(sizeof header);
    std::memcpy(message.data(), &header, sizeof header);
    message.insert(message.end(), octets.begin(), octets.end());
    ASSERT_EQ(send(kernel.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()))
        << std::strerror(errno);
    const Packet got = receive(*device, [&](const Packet& frame) { return frame.size() == octets.size(); });
    ASSERT_TRUE(got) << "no super-frame from the kernel";
    EXPECT_EQ(got.info().segment_size, 1400);
    EXPECT_EQ(got.info().checksum, ChecksumState::kPartial);
    EXPECT_EQ(test::octets_of(got), octets);
  }
}

TEST_F(TapDeviceTest, TunCarriesBarePacketsAndPartialChecksums) {
  for (const bool offload : {true, false}) {
    const auto device = open_up({.name = kName, .tun = true, .offload = offload});
    ASSERT_NE(device, nullptr);
    EXPECT_EQ(device->properties().type, link::LinkType::kPointToPoint);
    ASSERT_TRUE(add_link_address(kName, *IpPrefix::parse("10.9.0.1/24")));

    const FileDescriptor udp(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(7);
    peer.sin_addr.s_addr = htonl(IpAddress::v4(10, 9, 0, 2).v4_value());
    ASSERT_EQ(sendto(udp.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 5)
        << std::strerror(errno);
    const Packet got = receive(
        *device, [](const Packet& packet) { return packet.head()[0] >> 4 == 4 && packet.head()[9] == 17; });
    ASSERT_TRUE(got);
    EXPECT_EQ(got.size(), 20U + 8U + 5U);
    if (offload) {
      EXPECT_EQ(got.info().checksum, ChecksumState::kPartial);
      EXPECT_EQ(got.info().checksum_field, 6);
    } else {
      EXPECT_NE(got.info().checksum, ChecksumState::kPartial);
      EXPECT_TRUE(test::has_good_checksums(got, 0));
    }
  }
}

TEST_F(TapDeviceTest, SaysThatADeviceIsInUse) {
  const auto device = open_up({.name = kName});
  const auto second = open_tap({.name = kName});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().error_number, EBUSY);
  EXPECT_EQ(second.error().message, "transom-test0 is in use by another process; choose another --tap name");
}

TEST_F(TapDeviceTest, SaysThatANameIsOfAnotherKindOrTooLong) {
  const auto loopback = open_tap({.name = "lo"});
  ASSERT_FALSE(loopback);
  EXPECT_THAT(loopback.error().message, AllOf(HasSubstr("lo as a tap"), HasSubstr("another kind")));
  const auto longer = open_tap({.name = "a-name-of-16-chr"});
  ASSERT_FALSE(longer);
  EXPECT_THAT(longer.error().message, HasSubstr("at most 15"));
}

TEST_F(TapDeviceTest, DropsWhatADownInterfaceRefuses) {
  auto opened = open_tap({.name = kName});
  ASSERT_TRUE(opened);
  frames.push(pool.copy_of(test_frame(60, 1)));
  (*opened)->transmit(frames, monotonic_now());
  EXPECT_TRUE(frames.empty());
  EXPECT_EQ((*opened)->statistics().transmit_drops, 1U);
  EXPECT_EQ((*opened)->failure(), nullptr);
}

TEST_F(TapDeviceTest, ReportsThatItsInterfaceWasDeleted) {
  const auto device = open_up({.name = kName});
  ASSERT_NE(device, nullptr);
  if (std::system("ip link del transom-test0") != 0) GTEST_SKIP() << "no `ip` to delete the interface with";
  device->receive(pool, frames, 10, monotonic_now());
  ASSERT_NE(device->failure(), nullptr);
  EXPECT_THAT(device->failure()->message, HasSubstr(kName));
  EXPECT_EQ(device->descriptor(), -1) << "nothing to poll any more";
  frames.clear();
  frames.push(pool.copy_of(test_frame(60, 1)));
  device->transmit(frames, monotonic_now());
  EXPECT_TRUE(frames.empty());
}

TEST_F(TapDeviceTest, TellsTheMtuThatTheUserHasSet) {
  const auto device = open_up({.name = kName});
  ASSERT_NE(device, nullptr);
  ASSERT_TRUE(set_link_mtu(kName, 1300));
  EXPECT_EQ(device->properties().mtu, 1300U);
  const auto mac = link_mac(kName);
  ASSERT_TRUE(mac);
  EXPECT_NE(device->properties().mac, *mac);
  EXPECT_FALSE(device->properties().mac.is_group());
}

TEST_F(TapDeviceTest, NetworkSetupWorksAndExplainsItself) {
  const auto device = open_up({.name = kName});
  ASSERT_NE(device, nullptr);
  const MacAddress mac({2, 0, 0, 0, 0, 0x99});
  ASSERT_TRUE(set_link_mac(kName, mac));
  EXPECT_EQ(*link_mac(kName), mac);
  for (const char* address : {"10.9.0.1/24", "10.9.0.1/24", "2001:db8::1/64"}) {
    const auto added = add_link_address(kName, *IpPrefix::parse(address));
    EXPECT_TRUE(added) << added.error().message;
  }
  // Both are usable at once, so that a socket can be bound to them.
  const FileDescriptor v6(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 local{};
  local.sin6_family = AF_INET6;
  ASSERT_EQ(inet_pton(AF_INET6, "2001:db8::1", &local.sin6_addr), 1);
  EXPECT_EQ(bind(v6.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local), 0)
      << std::strerror(errno);

  const auto missing = add_link_address("nothing0", *IpPrefix::parse("10.9.0.1/24"));
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message,
              AllOf(HasSubstr("nothing0"), HasSubstr("10.9.0.1/24"), HasSubstr("ip link")));
  EXPECT_FALSE(set_link_up("nothing0"));
  EXPECT_FALSE(set_link_mtu(kName, 10));
  EXPECT_FALSE(link_mtu("a-name-that-is-far-too-long"));
}

}  // namespace
}  // namespace transom::drivers
