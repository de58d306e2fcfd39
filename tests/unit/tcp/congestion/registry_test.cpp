// Congestion controls by name, and with parameters.
#include "stack/tcp/congestion/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace transom::tcp {
namespace {

using testing::HasSubstr;

constexpr Parameter kParameters[] = {{"gain", "segments", "how much", 0.5, 8, 2},
                                     {"wait", "ms", "how long", 0, 100, 5}};

// Tells as its window what it was made with.
class Echo final : public CongestionControl {
 public:
  explicit Echo(const CongestionSettings& settings)
      : window_(static_cast<std::uint64_t>(settings.values[0] * 1000 + settings.values[1])) {}
  std::string_view name() const override { return "echo"; }
  void on_ack(const CongestionView&, const AckSample&) override {}
  void on_loss(const CongestionView&, LossKind) override {}
  void on_recovery_end(const CongestionView&) override {}
  void on_undo(const CongestionView&) override {}
  void on_idle(const CongestionView&) override {}
  Output output() const override { return {.cwnd = window_, .ssthresh = window_}; }

 private:
  std::uint64_t window_;
};

const CongestionFactory kEcho = {
    .name = "echo",
    .create = [](const CongestionSettings& settings) -> std::unique_ptr<CongestionControl> {
      return std::make_unique<Echo>(settings);
    },
    .parameters = kParameters};

class CongestionRegistryTest : public testing::Test {
 protected:
  CongestionRegistryTest() { EXPECT_TRUE(registry_.add(kEcho)); }

  std::uint64_t made_with(std::string_view text) {
    const auto chosen = registry_.choose(text);
    EXPECT_TRUE(chosen) << chosen.error();
    return chosen ? (*chosen)->make({})->output().cwnd : 0;
  }
  std::string complaint(std::string_view text) {
    const auto chosen = registry_.choose(text);
    EXPECT_FALSE(chosen) << text;
    return chosen ? "" : chosen.error();
  }

  CongestionRegistry registry_;
};

TEST_F(CongestionRegistryTest, GivesTheStandardValuesWhenNoneAreGiven) {
  EXPECT_EQ(made_with("echo"), 2005U);
  EXPECT_EQ(made_with("echo:"), 2005U);
}

TEST_F(CongestionRegistryTest, GivesTheValuesThatAreGivenInAnyOrder) {
  EXPECT_EQ(made_with("echo:wait=7,gain=4"), 4007U);
  EXPECT_EQ(made_with("echo:gain=0.5"), 505U);
}

TEST_F(CongestionRegistryTest, GivesTheSameFactoryForTheSameValues) {
  EXPECT_EQ(*registry_.choose("echo:gain=4"), *registry_.choose("echo:wait=5,gain=4.0"));
  EXPECT_NE(*registry_.choose("echo:gain=4"), *registry_.choose("echo:gain=3"));
}

TEST_F(CongestionRegistryTest, SaysWhatItDoesNotUnderstandAndWhatThereIs) {
  EXPECT_THAT(complaint("tahoe"),
              testing::AllOf(HasSubstr("'tahoe'"), HasSubstr("cubic"), HasSubstr("echo")));
  EXPECT_THAT(complaint("echo:loss=1"),
              testing::AllOf(HasSubstr("'loss'"), HasSubstr("gain (0.5 to 8 segments, standard 2)")));
  EXPECT_THAT(complaint("reno:x=1"), HasSubstr("reno has no parameters"));
  for (const char* const value :
       {"gain=9", "gain=0.4", "gain=nan", "gain=inf", "gain=", "gain", "gain=1x", "gain=0x1"})
    EXPECT_THAT(complaint(std::string("echo:") + value), HasSubstr("0.5 to 8")) << value;
}

TEST_F(CongestionRegistryTest, RefusesNamesThatAreTakenOrCouldNotBeSaid) {
  EXPECT_TRUE(registry_.add(kEcho)) << "the same one again is no contradiction";
  for (const char* const name : {"cubic", "", "a:b", "a/b", "a,b", "a=b"}) {
    CongestionFactory other = kEcho;
    other.name = name;
    EXPECT_FALSE(registry_.add(other)) << name;
  }
}

TEST_F(CongestionRegistryTest, TakesOnlySoManyDifferentSetsOfValues) {
  int taken = 0;
  while (taken < 5000 && registry_.choose(fmt::format("echo:gain={}", 1 + taken * 0.001))) ++taken;
  EXPECT_EQ(taken, 1000);
  EXPECT_TRUE(registry_.choose("echo:gain=1")) << "one that is known goes on being known";
}

TEST_F(CongestionRegistryTest, CanHaveAStandardWithParameters) {
  const CongestionRegistry registry("cubic:beta=0.5");
  EXPECT_EQ(registry.standard().name, "cubic");
  ASSERT_EQ(registry.standard().values.size(), 4U);
  EXPECT_EQ(registry.standard().values[0], 0.5);
  EXPECT_EQ(CongestionRegistry("no such one").standard().name, "cubic");
}

TEST_F(CongestionRegistryTest, LetsTheReductionOfCubicBeChosen) {
  const auto cubic = (*registry_.choose("cubic:beta=0.5"))->make({.initial_window = 100'000});
  cubic->on_loss({.mss = 1000, .in_flight = 100'000}, LossKind::kFastRecovery);
  EXPECT_EQ(cubic->output().ssthresh, 50'000U);
}

}  // namespace
}  // namespace transom::tcp
