// Which thread should drive.
#include "socket_api/succession.h"

#include <gtest/gtest.h>

namespace transom::sockets {
namespace {

using std::chrono::microseconds;

constexpr Instant kStart{std::chrono::seconds(1)};

// Begins and ends `times` times, and is away for so long each time.
Instant drive(Succession& succession, int times, Duration away, Instant now = kStart) {
  for (int i = 0; i < times; ++i) {
    succession.on_begin(now);
    succession.on_end(now);
    now += away;
  }
  return now;
}

TEST(Succession, WhoComesBackAtOnceAgainAndAgainNeedNotBeReplaced) {
  Succession succession;
  drive(succession, 20, microseconds(10));
  EXPECT_TRUE(succession.comes_back());
}

TEST(Succession, WhoStaysAwayIsReplaced) {
  Succession succession;
  const Instant now = drive(succession, 20, microseconds(10));
  drive(succession, 1, Duration{}, now + microseconds(500));
  EXPECT_FALSE(succession.comes_back());
}

TEST(Succession, WhoComesInPlaceOfAnotherIsReplaced) {
  Succession succession;
  const Instant now = drive(succession, 20, microseconds(10));
  std::thread([&] { drive(succession, 1, Duration{}, now); }).join();
  EXPECT_FALSE(succession.comes_back());
}

TEST(Succession, WhoWorksForOthersAloneIsIdle) {
  Succession succession;
  succession.on_begin(kStart);
  EXPECT_FALSE(succession.is_idle());
  for (int i = 0; i < 100; ++i) succession.on_turn();
  EXPECT_TRUE(succession.is_idle());
  succession.on_end(kStart);
  succession.on_begin(kStart);
  EXPECT_FALSE(succession.is_idle());
}

}  // namespace
}  // namespace transom::sockets
