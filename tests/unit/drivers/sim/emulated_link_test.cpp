// A link between two devices, here in memory and in virtual time.
#include "drivers/sim/emulated_link.h"

#include <gtest/gtest.h>

#include "drivers/pair_device.h"

namespace transom::drivers::sim {
namespace {

using namespace std::chrono_literals;

//   left ═══ ends[0] ── link ── ends[1] ═══ right
class EmulatedLinkTest : public testing::Test {
 protected:
  void make(ChannelOptions forth, ChannelOptions back = {}) {
    auto [left, first] = make_pair({.name = "l"});
    auto [second, right] = make_pair({.name = "r"});
    left_ = std::move(left);
    right_ = std::move(right);
    auto made = EmulatedLink::make({std::move(first), std::move(second)},
                                   {.forth = std::move(forth), .back = std::move(back)});
    ASSERT_TRUE(made) << made.error();
    link_ = std::move(*made);
  }
  void send(Device& from, std::size_t octets, Instant now) {
    PacketQueue frames;
    frames.push(pool_.copy_of(std::vector<std::uint8_t>(octets, 0x5a)));
    from.transmit(frames, now);
  }
  std::size_t arrived(Device& at, Instant now) {
    PacketQueue frames;
    return at.receive(pool_, frames, 1000, now);
  }

  BufferPool pool_;
  std::unique_ptr<Device> left_, right_;
  std::unique_ptr<EmulatedLink> link_;
};

TEST_F(EmulatedLinkTest, DelaysWhatCrossesEitherWayByItsOwnDelay) {
  make({.delay = 20ms}, {.delay = 5ms});
  const Instant start{1s};
  send(*left_, 100, start);
  send(*right_, 100, start);
  link_->serve(start);
  EXPECT_EQ(link_->next_deadline(), start + 5ms);
  link_->serve(start + 5ms);
  EXPECT_EQ(arrived(*left_, start + 5ms), 1U);
  EXPECT_EQ(arrived(*right_, start + 5ms), 0U);
  EXPECT_EQ(link_->next_deadline(), start + 20ms);
  link_->serve(start + 20ms);
  EXPECT_EQ(arrived(*right_, start + 20ms), 1U);
  EXPECT_EQ(link_->next_deadline(), kNever);
}

TEST_F(EmulatedLinkTest, KeepsItsRateWhenItIsServedLate) {  // 1000 octets take 1 ms
  make({.rate = 8'000'000});
  const Instant start{1s};
  for (int i = 0; i < 10; ++i) send(*left_, 1000, start);
  link_->serve(start);
  // Not called at 1, 2, 3, ... ms: that many have crossed meanwhile all the same.
  link_->serve(start + 4500us);
  EXPECT_EQ(arrived(*right_, start + 4500us), 4U);
  EXPECT_EQ(link_->next_deadline(), start + 5ms);
}

TEST_F(EmulatedLinkTest, GivesWhatComesLateNoTimeFromBeforeItCame) {
  make({.rate = 8'000'000});
  const Instant start{1s};
  send(*left_, 1000, start);
  link_->serve(start);
  send(*left_, 1000, start + 5ms);  // the transmitter has been free since 1 ms
  link_->serve(start + 5ms);
  EXPECT_EQ(link_->next_deadline(), start + 6ms);
}

TEST_F(EmulatedLinkTest, DropsWhatItsQueueHasNoRoomFor) {
  make({.rate = 8'000'000, .queue = "pfifo limit 3"});
  for (int i = 0; i < 10; ++i) send(*left_, 1000, Instant{1s});
  link_->serve(Instant{1s});
  EXPECT_EQ(link_->forth().queue().statistics().dropped_full, 6U);  // one is being sent, three wait
}

TEST_F(EmulatedLinkTest, RefusesEndsOfDifferentTypes) {
  auto [left, first] = make_pair({});
  auto [second, right] = make_pair({.type = link::LinkType::kPointToPoint});
  const auto made = EmulatedLink::make({std::move(first), std::move(second)}, {});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find("of one type"), std::string::npos);
}

}  // namespace
}  // namespace transom::drivers::sim
