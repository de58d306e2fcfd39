// The devices on an interface of the kernel: the packet ring and AF_XDP. The interface is that of a TAP
// device, whose other end plays the wire, in a network namespace of each test's own.
#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>

#include "drivers/clock.h"
#include "drivers/network_setup.h"
#include "drivers/packet_device.h"
#include "drivers/spare_buffers.h"
#include "drivers/tap_device.h"
#include "drivers/vlan_tag.h"
#include "drivers/xdp_device.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using testing::HasSubstr;

constexpr const char* kName = "transom-test1";
constexpr int kPatience = 2000;                   // milliseconds
constexpr std::uint16_t kTestEtherType = 0x88b5;  // IEEE 802 local experimental
constexpr MacAddress kOurs({2, 0, 0, 0, 0, 2});   // as in test_frames.h

enum class Kind { kPacket, kXdp };

class InterfaceDevice : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (unshare(user | CLONE_NEWNET) != 0)
      GTEST_SKIP() << "no network namespace can be made: " << std::strerror(errno);
    auto tap = open_tap({.name = kName});
    if (!tap) GTEST_SKIP() << tap.error().message;
    wire = std::move(*tap);
    ASSERT_TRUE(set_link_up(kName));
    auto opened = open(kName);
    if (!opened && GetParam() == Kind::kXdp) GTEST_SKIP() << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    device = std::move(*opened);
  }

  static std::expected<std::unique_ptr<Device>, DeviceError> open(const std::string& interface) {
    if (GetParam() == Kind::kXdp) return open_xdp({.interface = interface, .mac = kOurs});
    return open_packet_device({.interface = interface, .mac = kOurs});
  }

  std::vector<std::uint8_t> test_frame(std::size_t size, std::uint32_t mark, MacAddress to = kOurs) {
    std::vector<std::uint8_t> octets(size);
    wire::Writer writer(octets);
    writer.bytes(to.octets());
    writer.bytes(Bytes(std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 1}));
    writer.u16(kTestEtherType);
    writer.u32(mark);
    for (std::size_t i = 18; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i * 31 + mark);
    return octets;
  }

  void send(Device& from, Packet frame) {
    frames.push(std::move(frame));
    from.transmit(frames, monotonic_now());
    EXPECT_TRUE(frames.empty());
  }

  // The next frame for which `wanted` holds; the kernel's own are of no interest.
  template <typename Wanted>
  Packet receive(Device& at, Wanted wanted) {
    for (;;) {
      while (!arrived.empty()) {
        Packet frame = arrived.pop();
        if (wanted(frame)) return frame;
      }
      if (at.receive(pool, arrived, 64, monotonic_now()) > 0) continue;
      pollfd readable{.fd = at.descriptor(), .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, kPatience) <= 0) return {};
    }
  }
  static std::uint16_t type_of(const Packet& frame) {
    wire::Reader reader(frame.head());
    reader.skip(12);
    return reader.u16();
  }
  Packet receive_test_frame(Device& at) {
    return receive(at, [](const Packet& frame) { return type_of(frame) == kTestEtherType; });
  }

  BufferPool pool;
  std::unique_ptr<Device> wire;
  std::unique_ptr<Device> device;
  PacketQueue frames;
  PacketQueue arrived;
};

INSTANTIATE_TEST_SUITE_P(Both, InterfaceDevice, testing::Values(Kind::kPacket, Kind::kXdp),
                         [](const auto& kind) { return kind.param == Kind::kPacket ? "Packet" : "Xdp"; });
using PacketDeviceTest = InterfaceDevice;
INSTANTIATE_TEST_SUITE_P(Packet, PacketDeviceTest, testing::Values(Kind::kPacket));

TEST_P(InterfaceDevice, ExchangesFramesWithTheWire) {
  for (const std::size_t size : {60U, 61U, 1000U, 1514U}) {
    const auto request = test_frame(size, 1);
    send(*wire, pool.copy_of(request));
    const Packet got = receive_test_frame(*device);
    ASSERT_TRUE(got);
    EXPECT_EQ(test::octets_of(got), request);

    const auto reply = test_frame(size, 2, MacAddress({2, 0, 0, 0, 0, 1}));
    send(*device, pool.copy_of(reply));
    const Packet back = receive_test_frame(*wire);
    ASSERT_TRUE(back);
    EXPECT_EQ(test::octets_of(back), reply);
  }
  EXPECT_EQ(device->statistics().transmitted, 4U);
  EXPECT_EQ(device->statistics().transmit_drops, 0U);
  EXPECT_EQ(device->statistics().receive_drops, 0U);
}

// More than there are places in any ring.
TEST_P(InterfaceDevice, KeepsTheOrderOfManyFrames) {
  constexpr std::uint32_t kCount = 10000;
  constexpr std::uint32_t kBatch = 50;
  for (std::uint32_t first = 0; first < kCount; first += kBatch) {
    for (std::uint32_t i = first; i < first + kBatch; ++i)
      frames.push(pool.copy_of(test_frame(60 + i % 1400, i)));
    wire->transmit(frames, monotonic_now());
    for (std::uint32_t i = first; i < first + kBatch; ++i) {
      const Packet got = receive_test_frame(*device);
      ASSERT_TRUE(got) << "frame " << i;
      ASSERT_EQ(test::octets_of(got), test_frame(60 + i % 1400, i)) << "frame " << i;
    }
    for (std::uint32_t i = first; i < first + kBatch; ++i)
      frames.push(pool.copy_of(test_frame(60 + i % 1400, i)));
    device->transmit(frames, monotonic_now());
    for (std::uint32_t i = first; i < first + kBatch; ++i) {
      const Packet got = receive_test_frame(*wire);
      ASSERT_TRUE(got) << "frame " << i << " back";
      ASSERT_EQ(test::octets_of(got), test_frame(60 + i % 1400, i)) << "frame " << i << " back";
    }
  }
}

TEST_P(InterfaceDevice, WaitsWithFramesUntilThereIsMemory) {
  BufferPool small({.frames = 8, .super_frames = 0});
  for (std::uint32_t i = 0; i < 20; ++i) send(*wire, pool.copy_of(test_frame(100, i)));
  std::uint32_t next = 0;
  for (int turn = 0; turn < 200 && next < 20; ++turn) {
    device->receive(small, arrived, 64, monotonic_now());
    while (!arrived.empty()) {
      const Packet frame = arrived.pop();
      if (type_of(frame) != kTestEtherType) continue;
      EXPECT_EQ(test::octets_of(frame), test_frame(100, next));
      ++next;
    }
  }
  EXPECT_EQ(next, 20U);
}

TEST_P(InterfaceDevice, SaysThatTheInterfaceIsGone) {
  wire.reset();
  for (int turn = 0; turn < 200 && device->failure() == nullptr; ++turn) {
    pollfd readable{.fd = device->descriptor(), .events = POLLIN, .revents = 0};
    poll(&readable, 1, 10);
    device->receive(pool, arrived, 64, monotonic_now());
  }
  ASSERT_NE(device->failure(), nullptr);
  EXPECT_THAT(device->failure()->message, HasSubstr("transom-test1 is gone"));
  EXPECT_EQ(device->descriptor(), -1);
  send(*device, pool.copy_of(test_frame(60, 1)));
  EXPECT_EQ(device->statistics().transmit_drops, 1U);
}

// The kernel frees the queue of an AF_XDP socket a moment after it was closed.
TEST_P(InterfaceDevice, CanBeOpenedAgainAtOnce) {
  for (int turn = 0; turn < 3; ++turn) {
    device.reset();
    auto opened = open(kName);
    ASSERT_TRUE(opened) << opened.error().message;
    device = std::move(*opened);
  }
  send(*wire, pool.copy_of(test_frame(100, 1)));
  EXPECT_EQ(test::octets_of(receive_test_frame(*device)), test_frame(100, 1));
}

TEST_P(InterfaceDevice, SaysWhatIsWrongWithAnInterface) {
  const std::vector<std::pair<std::string, std::string>> expected = {{"nowhere0", "does not exist"},
                                                                     {"lo", "lo is"},
                                                                     {"", "not the name"},
                                                                     {"a-name-of-16-chr", "not the name"}};
  for (const auto& [name, text] : expected) {
    const auto opened = open(name);
    ASSERT_FALSE(opened) << name;
    EXPECT_THAT(opened.error().message, HasSubstr(text));
    EXPECT_THAT(opened.error().message, HasSubstr("; "));
    EXPECT_EQ(opened.error().error_number, EINVAL);
  }
}

TEST_P(PacketDeviceTest, TakesSuperFramesAndPartialChecksumsBothWays) {
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    for (const std::size_t payload : {100U, 60000U}) {
      const Packet sent = test::tcp_frame(
          pool, {.family = family, .payload = payload, .segment_size = 1400, .partial_checksum = true});
      for (auto [from, to] : {std::pair{wire.get(), device.get()}, std::pair{device.get(), wire.get()}}) {
        send(*from, sent.clone());
        const Packet got = receive(*to, [&](const Packet& frame) { return frame.size() == sent.size(); });
        ASSERT_TRUE(got);
        EXPECT_EQ(got.info().segment_size, payload > 1400 ? 1400 : 0);
        EXPECT_EQ(got.info().checksum, ChecksumState::kPartial);
        EXPECT_EQ(got.info().checksum_field, 16);
        EXPECT_EQ(test::octets_of(got), test::octets_of(sent));
      }
    }
  }
}

// Of the TAP device, too, which plays the wire here.
TEST_P(PacketDeviceTest, HandsOverNoMoreAtOnceThanTheCacheHolds) {
  constexpr std::size_t kSize = 1500;
  constexpr std::uint32_t kCount = 2 * kBatchOctets / kSize - 100;
  static_assert(kCount < 1000, "as many wait in the kernel's queue of a TAP device");
  for (auto [from, to, address] : {std::tuple{wire.get(), device.get(), kOurs},
                                   std::tuple{device.get(), wire.get(), MacAddress({2, 0, 0, 0, 0, 1})}}) {
    for (std::uint32_t i = 0; i < kCount; ++i) frames.push(pool.copy_of(test_frame(kSize, i, address)));
    from->transmit(frames, monotonic_now());
    ASSERT_TRUE(frames.empty());
    std::size_t octets = 0;
    std::size_t longest = 0;
    std::uint32_t next = 0;
    EXPECT_GT(to->receive(pool, arrived, 4 * kCount, monotonic_now()), 0U);
    while (!arrived.empty()) {
      const Packet frame = arrived.pop();
      octets += frame.size();
      longest = std::max(longest, frame.size());
      if (type_of(frame) == kTestEtherType) ++next;
    }
    EXPECT_GE(octets, kBatchOctets) << "although more is there";
    EXPECT_LT(octets, kBatchOctets + longest);
    for (; next < kCount; ++next)
      ASSERT_EQ(test::octets_of(receive_test_frame(*to)), test_frame(kSize, next, address))
          << "frame " << next;
  }
}

TEST_P(PacketDeviceTest, PutsBackATagThatTheKernelHasTakenOut) {
  for (const std::size_t payload : {100U, 60000U}) {
    const Packet sent = test::tcp_frame(
        pool, {.tagged = true, .payload = payload, .segment_size = 1400, .partial_checksum = true});
    send(*wire, sent.clone());
    const Packet got = receive(*device, [&](const Packet& frame) { return frame.size() == sent.size(); });
    ASSERT_TRUE(got) << "without its tag, or not at all";
    EXPECT_EQ(test::octets_of(got), test::octets_of(sent));
    EXPECT_EQ(got.info().checksum, ChecksumState::kPartial);
  }
}

TEST_P(PacketDeviceTest, LeavesToTheKernelWhatIsForTheKernel) {
  send(*wire, pool.copy_of(test_frame(100, 1, *link_mac(kName))));
  send(*wire, pool.copy_of(test_frame(100, 2, MacAddress({2, 0, 0, 0, 9, 9}))));
  send(*wire, pool.copy_of(test_frame(100, 3, MacAddress::broadcast())));
  send(*wire, pool.copy_of(test_frame(100, 4)));
  EXPECT_EQ(test::octets_of(receive_test_frame(*device)), test_frame(100, 3, MacAddress::broadcast()));
  EXPECT_EQ(test::octets_of(receive_test_frame(*device)), test_frame(100, 4));
}

TEST_P(PacketDeviceTest, HasAnAddressOfItsOwnUnlessItIsGivenOne) {
  const auto other = open_packet_device({.interface = kName});
  ASSERT_TRUE(other);
  EXPECT_EQ((*other)->properties().mac, derived_mac(*link_mac(kName)));
  EXPECT_NE((*other)->properties().mac, *link_mac(kName));
  EXPECT_EQ(device->properties().mac, kOurs);
}

TEST(VlanTag, IsNotPutIntoWhatHasNoAddresses) {
  BufferPool pool;
  Packet runt = pool.copy_of(Bytes(std::array<std::uint8_t, 11>{}));
  EXPECT_FALSE(insert_tag(runt, {.control = 5}));
  EXPECT_EQ(runt.size(), 11U);
}

}  // namespace
}  // namespace transom::drivers
