#include "drivers/pair_device.h"

#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{};

class PairDeviceTest : public testing::Test {
 protected:
  Packet frame(std::uint8_t mark) { return pool.copy_of(std::vector<std::uint8_t>(60, mark)); }

  BufferPool pool;
  PacketQueue to_send;
  PacketQueue arrived;
};

TEST_F(PairDeviceTest, CarriesFramesInOrderBothWays) {
  auto [left, right] = make_pair({});
  for (std::uint8_t mark = 1; mark <= 3; ++mark) to_send.push(frame(mark));
  left->transmit(to_send, kStart);
  EXPECT_TRUE(to_send.empty());
  EXPECT_EQ(left->receive(pool, arrived, 10, kStart), 0U);
  EXPECT_EQ(right->receive(pool, arrived, 2, kStart), 2U) << "the limit holds";
  EXPECT_EQ(right->receive(pool, arrived, 2, kStart), 1U);
  for (std::uint8_t mark = 1; mark <= 3; ++mark) EXPECT_EQ(arrived.pop().head()[0], mark);

  to_send.push(frame(9));
  right->transmit(to_send, kStart);
  ASSERT_EQ(left->receive(pool, arrived, 10, kStart), 1U);
  EXPECT_EQ(arrived.pop().head()[0], 9);
  EXPECT_EQ(left->statistics().transmitted, 3U);
  EXPECT_EQ(right->statistics().received, 3U);
}

TEST_F(PairDeviceTest, DeliversNoSoonerThanTheDelayAndSaysWhen) {
  auto [left, right] = make_pair({.delay = 10ms});
  EXPECT_EQ(right->next_deadline(), kNever);
  to_send.push(frame(1));
  left->transmit(to_send, kStart);
  EXPECT_EQ(right->next_deadline(), kStart + 10ms);
  EXPECT_EQ(left->next_deadline(), kNever);
  EXPECT_EQ(right->receive(pool, arrived, 10, kStart + 10ms - 1ns), 0U);
  EXPECT_EQ(right->receive(pool, arrived, 10, kStart + 10ms), 1U);
}

TEST_F(PairDeviceTest, LeavesFramesWithTheSenderWhenFull) {
  auto [left, right] = make_pair({.queue_limit = 2});
  for (std::uint8_t mark = 1; mark <= 3; ++mark) to_send.push(frame(mark));
  left->transmit(to_send, kStart);
  EXPECT_EQ(to_send.size(), 1U);
  right->receive(pool, arrived, 1, kStart);
  left->transmit(to_send, kStart);
  EXPECT_TRUE(to_send.empty());
}

TEST_F(PairDeviceTest, KeepsOffloadStateButNotTheSendersLinkMarks) {
  auto [left, right] =
      make_pair({.offloads = {.checksum = true, .segment_ipv4 = true, .segment_ipv6 = false}});
  EXPECT_TRUE(right->properties().offloads.segment_ipv4);
  Packet super = test::tcp_frame(pool, {.payload = 9000, .segment_size = 1448, .partial_checksum = true});
  super.info().link_broadcast = true;
  to_send.push(std::move(super));
  left->transmit(to_send, kStart);
  ASSERT_EQ(right->receive(pool, arrived, 1, kStart), 1U);
  const Packet got = arrived.pop();
  EXPECT_EQ(got.info().segment_size, 1448);
  EXPECT_EQ(got.info().checksum, ChecksumState::kPartial);
  EXPECT_FALSE(got.info().link_broadcast);
}

TEST_F(PairDeviceTest, OutlivesItsOtherEnd) {
  auto [left, right] = make_pair({});
  to_send.push(frame(1));
  left->transmit(to_send, kStart);
  right.reset();
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 0U) << "frames on the way are given back";
  to_send.push(frame(2));
  left->transmit(to_send, kStart);
  EXPECT_EQ(left->receive(pool, arrived, 1, kStart), 0U);
}

TEST_F(PairDeviceTest, HasTwoNamesAndTwoMacAddresses) {
  const auto [left, right] = make_pair({.mtu = 9000, .name = "wire"});
  EXPECT_EQ(left->properties().name, "wire0");
  EXPECT_EQ(right->properties().name, "wire1");
  EXPECT_NE(left->properties().mac, right->properties().mac);
  EXPECT_EQ(right->properties().mtu, 9000U);
}

TEST_F(PairDeviceTest, LoopbackReturnsWhatWasSent) {
  auto device = make_loopback({.type = link::LinkType::kPointToPoint, .delay = 1ms});
  to_send.push(frame(5));
  device->transmit(to_send, kStart);
  EXPECT_EQ(device->receive(pool, arrived, 10, kStart), 0U);
  ASSERT_EQ(device->receive(pool, arrived, 10, device->next_deadline()), 1U);
  EXPECT_EQ(arrived.pop().head()[0], 5);
}

}  // namespace
}  // namespace transom::drivers
