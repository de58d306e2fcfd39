#include "tools/golden_record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tools/failure.h"
#include "tools/golden_file.h"

namespace transom::tools {
namespace {

using drivers::replay::FlowReport;
using drivers::replay::Likeness;
using drivers::replay::PacketRecord;

PacketRecord segment(std::int64_t sequence, std::uint32_t length) {
  PacketRecord packet;
  packet.protocol = IpProtocol::kTcp;
  packet.time = Duration(1000 * sequence);
  packet.flags.ack = packet.flags.psh = true;
  packet.sequence = sequence;
  packet.acknowledgment = 1;
  packet.length = length;
  packet.digest = 77;
  packet.window = 65535;
  packet.identification = static_cast<std::uint32_t>(100 + sequence);
  return packet;
}

// A flow in which our end sent these.
FlowReport flow_of(const std::vector<PacketRecord>& packets, Port port = Port{80}) {
  FlowReport flow;
  flow.flow.protocol = IpProtocol::kTcp;
  flow.flow.ends = {Endpoint{*IpAddress::parse("192.0.2.1"), Port{4000}},
                    Endpoint{*IpAddress::parse("192.0.2.2"), port}};
  flow.ours = 1;
  flow.initial = SeqNum(to_number(port));
  for (const PacketRecord& packet : packets) flow.comparison.rungs.push_back({packet, packet, {}});
  return flow;
}

constexpr std::string_view kRole = "feed as server";

GoldenRecord record_of(const FlowReport& flow, Masks masks = standard_masks(kRole)) {
  return GoldenRecord::of(std::string(kRole), {&flow, 1}, std::move(masks));
}

TEST(GoldenRecord, HoldsWhatALivePeerSentToo) {
  FlowReport flow = flow_of({segment(1, 100)});
  flow.peer.emplace();
  const PacketRecord theirs = segment(1, 50), fewer = segment(1, 40);
  flow.peer->rungs.push_back({theirs, theirs, {}});
  const GoldenRecord golden = record_of(flow);
  const auto again = GoldenRecord::parse(golden.text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->flows[0].packets.size(), 1U);
  EXPECT_EQ(again->flows[0].theirs_sent.size(), 1U);
  EXPECT_TRUE(differences(*again, record_of(flow)).empty());
  flow.peer->rungs[0].actual = fewer;
  EXPECT_FALSE(differences(*again, record_of(flow)).empty());
}

TEST(GoldenRecord, IsReadAsItWasWritten) {
  for (const Masks& masks : {Masks{}, standard_masks(kRole), Masks{"addresses", "octets", "windows"}}) {
    const GoldenRecord record = record_of(flow_of({segment(1, 100), segment(101, 0)}), masks);
    const auto again = GoldenRecord::parse(record.text());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->text(), record.text());
    EXPECT_TRUE(differences(record, *again).empty());
  }
}

TEST(GoldenRecord, DoesNotKeepWhatIsMasked) {
  auto later = segment(1, 100);
  later.time += std::chrono::seconds(1);
  EXPECT_TRUE(
      differences(record_of(flow_of({segment(1, 100)})), record_of(flow_of({later}, Port{81}))).empty());
  const auto found =
      differences(record_of(flow_of({segment(1, 100)}), {}), record_of(flow_of({later}, Port{81}), {}));
  EXPECT_EQ(found.size(), 3U);  // port, initial number, time
}

TEST(GoldenRecord, KeepsIdentificationsWhereTheyAreThoseOfTheRecording) {
  auto other = segment(1, 100);
  other.identification = 9;
  const auto held_against = [&](std::string_view role) {
    return differences(record_of(flow_of({segment(1, 100)}), standard_masks(role)),
                       record_of(flow_of({other}), standard_masks(role)));
  };
  ASSERT_EQ(held_against("feed as server").size(), 1U);
  EXPECT_EQ(worst_of(held_against("feed as server")), Likeness::kLegal);
  EXPECT_TRUE(held_against("client").empty());  // chance, on both sides
  // A record that was written without.
  auto without = segment(1, 100);
  without.identification.reset();
  EXPECT_TRUE(differences(record_of(flow_of({without})), record_of(flow_of({other}))).empty());
}

TEST(GoldenRecord, GivesEachDifferenceItsVerdict) {
  auto other = segment(1, 100);
  other.digest = 78;
  const GoldenRecord golden = record_of(flow_of({segment(1, 100)}));
  auto narrower = segment(1, 100);
  narrower.window = 1000;
  EXPECT_EQ(worst_of(differences(golden, record_of(flow_of({narrower})))), Likeness::kLegal);
  EXPECT_EQ(worst_of(differences(golden, record_of(flow_of({segment(1, 60), segment(61, 40)})))),
            Likeness::kLegal);
  EXPECT_EQ(worst_of(differences(golden, record_of(flow_of({segment(1, 60)})))), Likeness::kUnknown);
  EXPECT_EQ(worst_of(differences(golden, record_of(flow_of({other})))), Likeness::kViolation);
  EXPECT_EQ(worst_of(differences(golden, record_of(flow_of({segment(1, 100), segment(101, 1)})))),
            Likeness::kViolation);
}

TEST(GoldenRecord, RefusesOtherTextWithItsLine) {
  const std::string good = record_of(flow_of({segment(1, 100)})).text();
  const auto line_of = [](std::string_view text) {
    const auto record = GoldenRecord::parse(text);
    return record ? 0 : record.error().line;
  };
  EXPECT_EQ(line_of(good), 0U);
  EXPECT_EQ(line_of(""), 1U);
  EXPECT_EQ(line_of("[]\n"), 1U);
  EXPECT_EQ(line_of(R"({"golden":2,"role":"","masked":[]})"), 1U);
  EXPECT_EQ(line_of(R"({"golden":1,"role":"","masked":["colour"]})"), 1U);
  EXPECT_EQ(line_of(good + "{\"flow\":0,\"flags\":\"?\"}\n"), 4U);
  EXPECT_EQ(line_of(good + "{\"flow\":7,\"flags\":\"S\"}\n"), 4U);
  EXPECT_EQ(line_of(good + "{\"flow\":0,\"flags\":\"S\",\"sequence\":0,\"length\":-1}\n"), 4U);
}

TEST(GoldenFile, IsWrittenOnlyWhereItIsAccepted) {
  const std::string path =
      std::filesystem::path(testing::TempDir()) / ("golden-" + std::to_string(getpid()) + ".jsonl");
  std::filesystem::remove(path);
  const std::vector before{flow_of({segment(1, 100)})}, after{flow_of({segment(1, 50), segment(51, 50)})};
  EXPECT_THROW(check_golden(path, {"feed", before, {}}, false), Failure);
  EXPECT_TRUE(check_golden(path, {"feed", before, {}}, true).was_written);
  EXPECT_FALSE(check_golden(path, {"feed", before, {}}, true).was_written);
  EXPECT_FALSE(check_golden(path, {"feed", after, {}}, false).differences.empty());
  const GoldenCheck accepted = check_golden(path, {"feed", after, {}}, true);
  EXPECT_FALSE(accepted.differences.empty());
  EXPECT_TRUE(accepted.was_written);
  EXPECT_TRUE(check_golden(path, {"feed", after, {}}, false).differences.empty());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace transom::tools
