#include "stack/base/context.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "stack/base/error.h"

namespace transom {
namespace {

struct Recorder final : Observer {
  void on_event(const Event& event) override {
    times.push_back(event.time);
    if (const auto* drop = std::get_if<DropEvent>(&event.what)) reasons.push_back(drop->reason);
  }
  std::vector<Instant> times;
  std::vector<DropReason> reasons;
};

class ContextTest : public ::testing::Test {
 protected:
  BufferPool pool;
  Context context{pool, seed_from_number(1), Instant(std::chrono::seconds(5))};
};

TEST_F(ContextTest, CountsADropUnderItsReasonAndItsCounter) {
  context.drop(DropReason::kIpTruncated);
  context.drop(DropReason::kIpTruncated, Counter::kIpInHdrErrors);
  context.count(Counter::kIpInReceives, 3);
  EXPECT_EQ(context.drops[static_cast<std::size_t>(DropReason::kIpTruncated)], 2U);
  EXPECT_EQ(context.drops[static_cast<std::size_t>(DropReason::kIpBadVersion)], 0U);
  EXPECT_EQ(context.counters[Counter::kIpInHdrErrors], 1U);
  EXPECT_EQ(context.counters[Counter::kIpInReceives], 3U);
}

TEST_F(ContextTest, TellsTheObserverWhatWasDroppedAndWhen) {
  Recorder recorder;
  context.observer = &recorder;
  context.now += std::chrono::seconds(2);
  context.drop(DropReason::kTcpPaws);
  context.tell(AddressConflictEvent{});
  EXPECT_EQ(recorder.reasons, std::vector{DropReason::kTcpPaws});
  EXPECT_EQ(recorder.times, std::vector(2, Instant(std::chrono::seconds(7))));
}

template <typename Enum>
void expect_distinct_names(std::size_t count) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = to_string(static_cast<Enum>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
  }
}

TEST(Names, OfCountersAndDropReasonsAreDistinct) {
  expect_distinct_names<Counter>(kCounterCount);
  expect_distinct_names<DropReason>(kDropReasonCount);
  EXPECT_EQ(to_string(Counter::kTcpRetransSegs), "TcpRetransSegs");
  EXPECT_EQ(to_string(DropReason::kTcpBadChecksum), "TcpBadChecksum");
}

TEST(Names, OfErrorsArePhrases) {
  expect_distinct_names<Error>(static_cast<std::size_t>(Error::kNoSuchDevice) + 1);
  EXPECT_EQ(to_string(Error::kConnectionRefused), "connection refused");
  EXPECT_EQ(to_string(static_cast<Error>(250)), "unknown error");
}

}  // namespace
}  // namespace transom
