// Congestion controls that ask for what TCP does not do.
#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

using namespace std::chrono_literals;

struct Wishes {
  std::uint64_t cwnd = 10000;
  std::uint64_t pacing_rate = 0;
};
Wishes wishes;  // of the next Stubborn; a factory takes nothing with it

class Stubborn final : public tcp::CongestionControl {
 public:
  std::string_view name() const override { return "stubborn"; }
  void on_ack(const tcp::CongestionView&, const tcp::AckSample&) override {}
  void on_loss(const tcp::CongestionView&, tcp::LossKind) override {}
  void on_recovery_end(const tcp::CongestionView&) override {}
  void on_undo(const tcp::CongestionView&) override {}
  void on_idle(const tcp::CongestionView&) override {}
  Output output() const override {
    return {.cwnd = wants_.cwnd, .ssthresh = 0, .pacing_rate = wants_.pacing_rate};
  }

 private:
  Wishes wants_ = wishes;
};

const tcp::CongestionFactory kStubborn = {
    .name = "stubborn",
    .create = [](const tcp::CongestionSettings&) -> std::unique_ptr<tcp::CongestionControl> {
      return std::make_unique<Stubborn>();
    }};

class Clamp : public testing::Test {
 protected:
  class Recorder final : public Observer {
   public:
    void on_event(const Event& event) override {
      if (const auto* clamp = std::get_if<TcpClampEvent>(&event.what)) clamps.push_back(*clamp);
    }
    std::vector<TcpClampEvent> clamps;
  };

  Clamp() { world.host().set_observer(&trace); }
  ~Clamp() override { world.host().set_observer(nullptr); }

  tcp::Connection& connect(const Wishes& of_control) {
    wishes = of_control;
    wire::TcpOptions options;
    options.maximum_segment_size = 1000;
    return peer.connect_to(world.listen(80, {.congestion_control = &kStubborn}), options);
  }

  Recorder trace;
  HostUnderTest world;
  ScriptedPeer peer{world, 4000, 80};
};

TEST_F(Clamp, GivesOneSegmentToWhoWantsNoWindowAndTellsSo) {
  tcp::Connection& connection = connect({.cwnd = 0});
  write(world, connection, letters(5000));
  EXPECT_EQ(connection.info().cwnd, 1000U);
  EXPECT_EQ(connection.info().in_flight, 1000U) << "the loss window of RFC 5681, not a standstill";
  ASSERT_EQ(trace.clamps.size(), 1U) << "told when it begins, not each time";
  EXPECT_EQ(trace.clamps[0].wanted_cwnd, 0U);
  EXPECT_EQ(trace.clamps[0].cwnd, 1000U);
}

TEST_F(Clamp, GivesWhatSequenceNumbersAllowToWhoWantsEverything) {
  tcp::Connection& connection = connect({.cwnd = UINT64_MAX});
  write(world, connection, letters(5000));
  EXPECT_EQ(connection.info().cwnd, tcp::kMaxCongestionWindow);
  ASSERT_EQ(trace.clamps.size(), 1U);
  EXPECT_EQ(trace.clamps[0].wanted_cwnd, UINT64_MAX);
}

TEST_F(Clamp, DoesNotLetAPaceStandStill) {
  tcp::Connection& connection = connect({.pacing_rate = 1});
  write(world, connection, letters(5000));
  EXPECT_EQ(connection.info().pacing_rate, 251U) << "a segment in four seconds";
  ASSERT_EQ(trace.clamps.size(), 1U);
  EXPECT_EQ(trace.clamps[0].wanted_pacing_rate, 1U);
}

TEST_F(Clamp, SaysNothingOfWhatIsOrdinary) {
  write(world, connect({}), letters(5000));
  EXPECT_TRUE(trace.clamps.empty());
}

}  // namespace
}  // namespace transom::test
