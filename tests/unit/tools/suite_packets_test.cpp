#include "tools/suite_packets.h"

#include <gtest/gtest.h>

#include "drivers/capture/capture_reader.h"
#include "tools/suite_draft.h"

namespace transom::tools {
namespace {

using nlohmann::json;

Records packets_of(const std::string& name) {
  auto reader = drivers::CaptureReader::open(std::string(TRANSOM_SOURCE_DIR) + "/captures/" + name);
  EXPECT_TRUE(reader.has_value()) << name;
  PacketRecorder recorder;
  while (reader) {
    auto packet = reader->next();
    if (!packet || !*packet) break;
    recorder.add(**packet);
  }
  return recorder.take();
}

// The first record of which all of `fields` is true; null when there is none.
json first(const Records& records, const json& fields) {
  for (const json& record : records) {
    json both = record;
    both.update(fields);
    if (both == record) return record;
  }
  return nullptr;
}

TEST(SuitePackets, TellEndsFlagsAndRelativeNumbers) {
  const Records records = packets_of("tcp-handshake-ipv4/input.pcapng");
  const json syn = first(records, {{"flags", "S"}});
  EXPECT_EQ(syn["from"], "client");
  EXPECT_EQ(syn["seq"], 0);
  EXPECT_EQ(syn["mss"], 1460);
  EXPECT_EQ(syn["sack_permitted"], true);
  EXPECT_EQ(syn["checksum"], "good");
  EXPECT_FALSE(syn.contains("ack"));
  const json syn_ack = first(records, {{"flags", "S."}});
  EXPECT_EQ(syn_ack["from"], "server");
  EXPECT_EQ(syn_ack["ack"], 1);
  const json question = first(records, {{"flags", "P."}, {"from", "client"}});
  EXPECT_EQ(question["seq"], 1);
  EXPECT_EQ(question["length"], 18);
  EXPECT_EQ(first(records, {{"protocol", "arp"}})["operation"], 1);
}

TEST(SuitePackets, TheOpenerIsTheClientEvenWhereItWasNotCaptured) {
  // Only the server was captured: its SYN-ACK is the first packet.
  const Records records = packets_of("capture-one-sided/input.pcapng");
  EXPECT_TRUE(first(records, {{"from", "client"}}).is_null());
  EXPECT_EQ(first(records, {{"flags", "S."}})["from"], "server");
}

TEST(SuitePackets, TellFragmentsMarksAndErrors) {
  EXPECT_GT(first(packets_of("udp-fragments-ipv6/input.pcapng"),
                  {{"fragment", true}, {"protocol", "udp"}})["number"],
            0);
  EXPECT_EQ(first(packets_of("tcp-ecn-receiver/input.pcapng"), {{"ecn", "ce"}})["protocol"], "tcp");
  EXPECT_EQ(
      first(packets_of("icmp-time-exceeded/input.pcapng"), {{"protocol", "icmp"}, {"type", 11}})["code"], 0);
  EXPECT_EQ(first(packets_of("tcp-checksum-wrong/input.pcapng"), {{"checksum", "bad"}})["protocol"], "tcp");
  EXPECT_EQ(first(packets_of("capture-cut/input.pcap"), {{"cut", true}})["checksum"], "unknown");
  EXPECT_EQ(first(packets_of("capture-comments/input.pcapng"), {{"comment", "the client asks"}})["flags"],
            "S");
}

TEST(SuitePackets, NumbersAreRelativeAcrossTheirWrap) {
  std::int64_t largest = 0;
  for (const json& record : packets_of("tcp-sequence-wrap/input.pcapng"))
    largest = std::max(largest, record.value("seq", std::int64_t{0}));
  EXPECT_EQ(largest, 24 * 288 + 2);  // the ACK behind the FIN
}

TEST(SuiteDraft, ExpectsExactlyWhatIsInTheCapture) {
  const Records records = packets_of("tcp-loss-sack/input.pcapng");
  const auto draft = toml::parse(draft_toml("input.pcapng", records));
  const auto checks = Expectations::parse(draft).judge({{"packets", records}});
  EXPECT_GT(checks.size(), 5U);
  for (const Check& check : checks) EXPECT_TRUE(check.holds()) << check.name << ": " << check.message;
  EXPECT_EQ(draft["replay"]["stack"].value<std::string>(), "server");
}

}  // namespace
}  // namespace transom::tools
