#include "stack/base/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stack/base/random.h"

namespace transom {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant at(Duration since_start) { return Instant(since_start); }

// A timer that notes its name when it fires, and then does what it is told.
struct Alarm {
  Alarm(std::string its_name, std::vector<std::string>& its_log) : name(std::move(its_name)), log(its_log) {}
  void fire() {
    log.push_back(name);
    if (then) then();
  }
  std::string name;
  std::vector<std::string>& log;
  std::function<void()> then;
  Timer timer{call_member<&Alarm::fire>, this};
};

class TimerWheelTest : public ::testing::Test {
 protected:
  TimerWheel wheel{at(Duration(0))};
  std::vector<std::string> log;
  Alarm a{"a", log}, b{"b", log}, c{"c", log};

  using Log = std::vector<std::string>;
};

TEST_F(TimerWheelTest, FiresAtTheDeadlineAndNotBefore) {
  a.timer.start(wheel, at(seconds(5)));
  EXPECT_TRUE(a.timer.is_running());
  EXPECT_EQ(a.timer.deadline(), at(seconds(5)));
  EXPECT_EQ(wheel.size(), 1U);
  wheel.advance(at(seconds(5) - Duration(1)));
  EXPECT_TRUE(log.empty());
  wheel.advance(at(seconds(5)));
  EXPECT_EQ(log, Log{"a"});
  EXPECT_FALSE(a.timer.is_running());
  EXPECT_EQ(a.timer.deadline(), kNever);
  EXPECT_EQ(wheel.size(), 0U);
  wheel.advance(at(seconds(50)));
  EXPECT_EQ(log, Log{"a"}) << "once";
}

TEST_F(TimerWheelTest, FiresInOrderOfTheDeadlines) {
  c.timer.start(wheel, at(hours(3)));
  a.timer.start(wheel, at(Duration(1)));
  b.timer.start(wheel, at(milliseconds(2)));
  wheel.advance(at(hours(4)));
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST_F(TimerWheelTest, OrdersDeadlinesWithinOneTick) {  // of 1024 ns
  c.timer.start(wheel, at(Duration(1003)));
  a.timer.start(wheel, at(Duration(1001)));
  b.timer.start(wheel, at(Duration(1002)));
  wheel.advance(at(Duration(1002)));
  EXPECT_EQ(log, (Log{"a", "b"}));
  EXPECT_EQ(wheel.next_deadline(), at(Duration(1003)));
  wheel.advance(at(Duration(1003)));
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST_F(TimerWheelTest, FiresEqualDeadlinesInTheOrderOfTheirStart) {
  b.timer.start(wheel, at(seconds(1)));
  a.timer.start(wheel, at(seconds(1)));
  wheel.advance(at(milliseconds(999)));  // b and a have come down by now, c starts at the bottom
  c.timer.start(wheel, at(seconds(1)));
  b.timer.start(wheel, at(seconds(1)));  // restarted: now behind the others
  wheel.advance(at(seconds(1)));
  EXPECT_EQ(log, (Log{"a", "c", "b"}));
}

TEST_F(TimerWheelTest, MovesTheDeadlineOnRestart) {
  a.timer.start(wheel, at(seconds(1)));
  a.timer.start(wheel, at(seconds(3)));
  b.timer.start(wheel, at(seconds(5)));
  b.timer.start(wheel, at(seconds(2)));
  EXPECT_EQ(wheel.size(), 2U);
  wheel.advance(at(seconds(4)));
  EXPECT_EQ(log, (Log{"b", "a"}));
}

TEST_F(TimerWheelTest, DoesNotFireWhatWasCancelled) {
  a.timer.start(wheel, at(seconds(1)));
  a.timer.cancel();
  a.timer.cancel();
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(wheel.next_deadline(), kNever);
  wheel.advance(at(seconds(2)));
  EXPECT_TRUE(log.empty());
}

TEST_F(TimerWheelTest, CancelsFromACallback) {
  a.then = [this] { b.timer.cancel(), c.timer.cancel(); };
  a.timer.start(wheel, at(seconds(1)));
  b.timer.start(wheel, at(seconds(1)));  // due in the same instant
  c.timer.start(wheel, at(seconds(2)));
  wheel.advance(at(seconds(3)));
  EXPECT_EQ(log, Log{"a"});
  EXPECT_EQ(wheel.size(), 0U);
}

TEST_F(TimerWheelTest, RestartsFromItsOwnCallback) {
  int left = 3;
  Instant next = at(seconds(1));
  a.then = [&] {
    EXPECT_FALSE(a.timer.is_running());
    next += seconds(1);
    if (--left > 0) a.timer.start(wheel, next);
  };
  a.timer.start(wheel, next);
  wheel.advance(at(seconds(2)));
  EXPECT_EQ(log, (Log{"a", "a"})) << "the second, too, was due by then";
  wheel.advance(at(seconds(10)));
  EXPECT_EQ(log, (Log{"a", "a", "a"}));
}

TEST_F(TimerWheelTest, RestartsAnotherThatIsDueFromACallback) {
  a.then = [this] { b.timer.start(wheel, at(seconds(5))); };
  a.timer.start(wheel, at(seconds(1)));
  b.timer.start(wheel, at(seconds(1)));
  wheel.advance(at(seconds(1)));
  EXPECT_EQ(log, Log{"a"});
  EXPECT_EQ(b.timer.deadline(), at(seconds(5)));
  wheel.advance(at(seconds(5)));
  EXPECT_EQ(log, (Log{"a", "b"}));
}

TEST_F(TimerWheelTest, LetsACallbackDestroyItsOwnTimer) {
  auto owned = std::make_unique<Alarm>("owned", log);
  owned->then = [&owned] { owned.reset(); };
  owned->timer.start(wheel, at(seconds(1)));
  b.timer.start(wheel, at(seconds(1)));
  wheel.advance(at(seconds(1)));
  EXPECT_EQ(log, (Log{"owned", "b"}));
}

TEST_F(TimerWheelTest, CancelsWhatIsDestroyed) {
  {
    Alarm gone{"gone", log};
    gone.timer.start(wheel, at(seconds(1)));
  }
  EXPECT_EQ(wheel.size(), 0U);
  wheel.advance(at(seconds(2)));
  EXPECT_TRUE(log.empty());
}

TEST_F(TimerWheelTest, MayDieBeforeItsTimers) {
  {
    TimerWheel brief(at(Duration(0)));
    a.timer.start(brief, at(seconds(1)));
    b.timer.start(brief, at(hours(1)));
  }
  EXPECT_FALSE(a.timer.is_running());
  b.timer.cancel();
  a.timer.start(wheel, at(seconds(1)));
  wheel.advance(at(seconds(1)));
  EXPECT_EQ(log, Log{"a"});
}

TEST_F(TimerWheelTest, FiresAPassedDeadlineAtTheNextAdvance) {
  wheel.advance(at(seconds(10)));
  a.timer.start(wheel, at(seconds(3)));
  EXPECT_LE(wheel.next_deadline(), at(seconds(10)));
  wheel.advance(at(seconds(10)));
  EXPECT_EQ(log, Log{"a"});
}

TEST_F(TimerWheelTest, IgnoresATimeThatGoesBack) {
  wheel.advance(at(seconds(10)));
  a.timer.start(wheel, at(seconds(11)));
  wheel.advance(at(seconds(1)));
  EXPECT_TRUE(log.empty());
  wheel.advance(at(seconds(11)));
  EXPECT_EQ(log, Log{"a"});
}

TEST_F(TimerWheelTest, ReachesDeadlinesFarAway) {
  a.timer.start(wheel, at(hours(24 * 365 * 100)));
  b.timer.start(wheel, kNever);
  wheel.advance(at(hours(24 * 365 * 100) - Duration(1)));
  EXPECT_TRUE(log.empty());
  wheel.advance(at(hours(24 * 365 * 100)));
  EXPECT_EQ(log, Log{"a"});
  EXPECT_TRUE(b.timer.is_running());
}

TEST_F(TimerWheelTest, MayStartAtAnyInstant) {
  for (const Instant start : {Instant::min(), at(-seconds(5)), at(hours(24 * 365 * 50))}) {
    TimerWheel other(start);
    log.clear();
    a.timer.start(other, start + seconds(1));
    b.timer.start(other, kNever);
    EXPECT_LE(other.next_deadline(), start + seconds(1));
    other.advance(start + seconds(1));
    EXPECT_EQ(log, Log{"a"});
    EXPECT_GT(other.next_deadline(), start + seconds(1));
    b.timer.cancel();
  }
}

TEST_F(TimerWheelTest, LeadsToADeadlineInAFewSteps) {
  // Whoever sleeps until next_deadline() and advances must arrive, after at most one step per level.
  for (const Duration distance : {Duration(1), Duration(70000), Duration(milliseconds(40)),
                                  Duration(seconds(100)), Duration(hours(999))}) {
    TimerWheel other(at(Duration(12345)));
    log.clear();
    a.timer.start(other, at(Duration(12345) + distance));
    int steps = 0;
    while (log.empty() && ++steps < 20) other.advance(other.next_deadline());
    EXPECT_EQ(log, Log{"a"});
    EXPECT_LE(steps, 9) << distance.count();
  }
}

// Against a model that is plain to see: a multimap by deadline, in which equal keys keep the order of
// insertion.
TEST(TimerWheel, DoesWhatAMultimapDoes) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    Instant now = at(Duration(static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(50)))));
    TimerWheel wheel(now);
    std::vector<std::string> fired;
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 0; i < 40; ++i) alarms.push_back(std::make_unique<Alarm>(std::to_string(i), fired));
    std::multimap<Instant, Alarm*> model;
    const auto forget = [&model](const Alarm& alarm) {
      std::erase_if(model, [&alarm](const auto& entry) { return entry.second == &alarm; });
    };

    for (int step = 0; step < 500; ++step) {
      // Distances of every magnitude, now and then rounded so that deadlines coincide.
      const auto distance = [&random] {
        auto ns = static_cast<std::int64_t>(random.below(std::uint64_t{1} << random.below(46)));
        if (random.chance(0.3)) ns -= ns % 1'000'000;
        return Duration(ns);
      };
      Alarm& alarm = *alarms[random.below(alarms.size())];
      const std::uint64_t action = random.below(10);
      if (action < 6) {
        const Instant deadline = now + distance();
        forget(alarm);
        alarm.timer.start(wheel, deadline);
        model.emplace(deadline, &alarm);
      } else if (action < 7) {
        forget(alarm);
        alarm.timer.cancel();
      } else {
        now = random.chance(0.5) && wheel.next_deadline() != kNever ? std::max(now, wheel.next_deadline())
                                                                    : now + distance();
        std::vector<std::string> expected;
        while (!model.empty() && model.begin()->first <= now) {
          expected.push_back(model.begin()->second->name);
          model.erase(model.begin());
        }
        fired.clear();
        wheel.advance(now);
        ASSERT_EQ(fired, expected) << "step " << step;
      }
      ASSERT_EQ(wheel.size(), model.size());
      ASSERT_LE(wheel.next_deadline(), model.empty() ? kNever : model.begin()->first) << "step " << step;
      ASSERT_EQ(wheel.next_deadline() == kNever, model.empty());
    }
  }
}

}  // namespace
}  // namespace transom
