// A capture of two Hosts of ours is fed to a third one, in the place of either.
#include "drivers/replay/feed.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "drivers/replay/feed_report.h"
#include "drivers/sim/flow.h"
#include "drivers/trace/trace_sinks.h"

namespace transom::drivers::replay {
namespace {

using namespace std::chrono_literals;

struct Recording {
  sim::FlowOptions flow{};
  std::string loss{};
  std::size_t flows = 1;
  bool at_server = true;
};

class Feeding : public testing::TestWithParam<IpFamily> {
 protected:
  Feeding() {
    path_ = std::filesystem::path(testing::TempDir()) /
            fmt::format("feed-{}-{}.pcapng", getpid(), reinterpret_cast<std::uintptr_t>(this));
  }
  ~Feeding() override { std::filesystem::remove(path_); }

  void record(const Recording& recording) {
    TraceFiles files;
    auto sink = make_trace({.path = path_});
    ASSERT_TRUE(sink);
    files.add(std::move(*sink));
    sim::Simulation simulation(11);
    sim::Node& client = simulation.add_host("client");
    sim::Node& server = simulation.add_host("server");
    sim::LinkOptions link;
    link.forth.rate = 50'000'000;
    link.forth.delay = 10ms;
    if (!recording.loss.empty()) link.forth.loss = *sim::parse_loss(recording.loss);
    ASSERT_TRUE(simulation.add_link(client, server, link));
    simulation.route();
    (recording.at_server ? server : client).host().set_observer(&files.add_host({}));
    std::vector<std::unique_ptr<sim::TcpFlow>> flows;
    for (std::size_t i = 0; i < recording.flows; ++i) {
      sim::FlowOptions options = recording.flow;
      options.family = GetParam();
      options.start += static_cast<std::int64_t>(i) * 3ms;
      flows.push_back(std::make_unique<sim::TcpFlow>(simulation, client, server, options));
    }
    simulation.run_for(30s);
    client.host().set_observer(nullptr);
    server.host().set_observer(nullptr);
  }

  Scene look() const {
    auto reader = CaptureReader::open(path_);
    EXPECT_TRUE(reader);
    auto scene = survey(*reader);
    EXPECT_TRUE(scene);
    return std::move(*scene);
  }

  std::vector<FlowReport> feed_as(std::string_view role) {
    const Scene scene = look();
    const Cast cast(scene, *Role::parse(role));
    auto reader = CaptureReader::open(path_);
    FeedRecorder recorder(cast);
    auto outcome = feed(*reader, scene, cast, {}, recorder);
    EXPECT_TRUE(outcome);
    auto reports = recorder.reports(scene, cast, *outcome);
    std::erase_if(reports, [](const FlowReport& report) { return !report.is_tcp; });
    return reports;
  }

  std::string path_;
};
INSTANTIATE_TEST_SUITE_P(BothFamilies, Feeding, testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& family) { return family.param == IpFamily::kIpv4 ? "v4" : "v6"; });

TEST_P(Feeding, TheServerIsReplacedAndReadsWhatTheClientSent) {
  record({.flow = {.octets = 200'000}});
  const auto reports = feed_as("server");
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_LE(reports[0].likeness(), Likeness::kLegal);
  EXPECT_TRUE(reports[0].octets_are_equal());
  EXPECT_EQ(reports[0].tcp.received.compared(), 200'000U);
  EXPECT_EQ(reports[0].tcp.partial_acks, 0U);
}

TEST_P(Feeding, TheClientIsReplacedAndSendsTheSameSegments) {
  record({.flow = {.octets = 200'000}, .at_server = false});
  const auto reports = feed_as("client");
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_LE(reports[0].likeness(), Likeness::kLegal);
  for (const auto& [difference, count] : reports[0].comparison.counts) {
    EXPECT_TRUE(difference->id == "window" || difference->id == "push" ||
                difference->id == "acknowledgment-policy")
        << difference->id;
  }
}

TEST_P(Feeding, ManyConnectionsAtOnceAreTakenPartIn) {
  record({.flow = {.octets = 300, .response = 20'000, .rounds = 5, .think = 7ms}, .flows = 20});
  for (const auto* role : {"server", "client"}) {
    const auto reports = feed_as(role);
    ASSERT_EQ(reports.size(), 20U);
    for (const FlowReport& report : reports) {
      EXPECT_LE(report.likeness(), Likeness::kLegal) << role;
      EXPECT_TRUE(report.octets_are_equal());
    }
  }
}

TEST_P(Feeding, LossInTheRecordingDoesNotStallIt) {
  record({.flow = {.octets = 400'000}, .loss = "3%"});
  for (const auto* role : {"server", "client"}) {
    const auto reports = feed_as(role);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_LE(reports[0].likeness(), Likeness::kLegal) << role;
    EXPECT_EQ(reports[0].tcp.stall, "");
  }
}

TEST_P(Feeding, TwoRunsAreTheSame) {
  record({.flow = {.octets = 100'000}, .loss = "2%"});
  const auto once = feed_as("client"), again = feed_as("client");
  ASSERT_EQ(once[0].comparison.rungs.size(), again[0].comparison.rungs.size());
  for (std::size_t i = 0; i < once[0].comparison.rungs.size(); ++i) {
    const auto &a = once[0].comparison.rungs[i].actual, &b = again[0].comparison.rungs[i].actual;
    ASSERT_EQ(a.has_value(), b.has_value());
    if (!a) continue;
    EXPECT_EQ(describe(*a), describe(*b));
    EXPECT_EQ(a->time, b->time);
  }
}

TEST_P(Feeding, InitialNumbersAndTimestampsAreThoseOfTheRecording) {
  record({.flow = {.octets = 1000}});
  const Scene scene = look();
  const Cast cast(scene, *Role::parse("server"));
  struct SynListener final : FeedListener {
    void recorded(std::optional<std::size_t> /*flow*/, const PacketRecord& /*record*/) override {}
    void happened(std::optional<std::size_t> /*flow*/, const PacketRecord& record,
                  const CapturedPacket& /*packet*/, const PacketView* view) override {
      if (record.is_ours && view != nullptr && view->tcp && view->tcp->flags.syn) syn = view->tcp;
    }
    std::optional<wire::TcpHeader> syn;
  } listener;
  auto reader = CaptureReader::open(path_);
  ASSERT_TRUE(feed(*reader, scene, cast, {}, listener));
  ASSERT_TRUE(listener.syn);
  const TcpEnd& server = scene.tcp.begin()->second.ends[1];
  EXPECT_EQ(listener.syn->sequence, *server.initial);
  EXPECT_EQ(listener.syn->options.timestamps->value, server.first_timestamp);
  EXPECT_EQ(listener.syn->window, server.syn_window);
  EXPECT_EQ(listener.syn->options.window_scale, server.syn_options.window_scale);
}

}  // namespace
}  // namespace transom::drivers::replay
