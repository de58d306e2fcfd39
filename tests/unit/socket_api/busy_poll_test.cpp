// How long a thread looks before it sleeps.
#include "socket_api/busy_poll.h"

#include <gtest/gtest.h>

namespace transom::sockets {
namespace {

using std::chrono::microseconds;

TEST(BusyPoll, LooksForTheWholeLimitAtFirst) {
  EXPECT_EQ(BusyPoll(microseconds(50)).budget(), microseconds(50));
}

TEST(BusyPoll, WithoutALimitNeverLooks) {
  BusyPoll poll{Duration{}};
  poll.on_wait(microseconds(1));
  EXPECT_FALSE(poll.is_enabled());
  EXPECT_EQ(poll.budget(), Duration{});
}

TEST(BusyPoll, GivesUpWhereNothingComesWithinTheLimit) {
  BusyPoll poll(microseconds(50));
  for (int i = 0; i < 10; ++i) poll.on_wait(microseconds(1000));
  EXPECT_EQ(poll.budget(), Duration{});
}

TEST(BusyPoll, LooksAgainOnceFramesComeSoonAfterItSlept) {
  BusyPoll poll(microseconds(50));
  for (int i = 0; i < 10; ++i) poll.on_wait(microseconds(1000));
  for (int i = 0; i < 10; ++i) poll.on_wait(microseconds(40));
  EXPECT_GE(poll.budget(), microseconds(40));
  EXPECT_LE(poll.budget(), microseconds(50));
}

TEST(BusyPoll, KeepsLookingWhereThatIsEnough) {
  BusyPoll poll(microseconds(50));
  for (int i = 0; i < 10; ++i) poll.on_wait(microseconds(8));
  EXPECT_EQ(poll.budget(), microseconds(50));
}

TEST(BusyPoll, OneLongPauseDoesNotEndIt) {
  BusyPoll poll(microseconds(50));
  poll.on_wait(std::chrono::seconds(1));
  EXPECT_EQ(poll.budget(), microseconds(25));
}

}  // namespace
}  // namespace transom::sockets
