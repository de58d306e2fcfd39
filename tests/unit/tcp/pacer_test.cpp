#include "stack/tcp/pacer.h"

#include <gtest/gtest.h>

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

TEST(Pacer, EachTransmissionTakesItsTimeAtTheRate) {
  Pacer pacer;
  Instant now(1s);
  pacer.on_sent(1000, 1'000'000, now);
  pacer.on_sent(1000, 1'000'000, now + 1ms);
  EXPECT_EQ(pacer.next(), now + 2ms);
}

TEST(Pacer, ATimerThatIsLateCostsNoRate) {
  Pacer pacer;
  const Instant start(1s);
  pacer.on_sent(1000, 1'000'000, start);
  const Instant due = pacer.next();
  pacer.on_sent(1000, 1'000'000, due + 300us);
  EXPECT_EQ(pacer.next(), due + 1ms);
}

TEST(Pacer, APauseIsNotMadeUpFor) {
  Pacer pacer;
  pacer.on_sent(1000, 1'000'000, Instant(1s));
  pacer.on_sent(1000, 1'000'000, Instant(10s));
  EXPECT_GE(pacer.next(), Instant(10s));
  pacer.on_sent(1000, 1'000'000, Instant(10s));
  EXPECT_GE(pacer.next(), Instant(10s) + 1ms);
}

TEST(Pacer, BurstsAreOfAMillisecond) {
  EXPECT_EQ(Pacer::burst(100'000, 1000), 1000U) << "below 1.2 Mbit/s one segment";
  EXPECT_EQ(Pacer::burst(1'000'000, 1000), 2000U);
  EXPECT_EQ(Pacer::burst(12'500'000, 1000), 12000U);
  EXPECT_EQ(Pacer::burst(1'250'000'000, 1000), 65000U) << "no more than a super-segment";
}

}  // namespace
}  // namespace transom::tcp
