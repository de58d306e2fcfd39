// The files that a trace is written to, read back by programs that others wrote: libpcap and nlohmann-json.
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/trace/trace_sinks.h"
#include "stack/base/context.h"

namespace transom::drivers {
namespace {

using nlohmann::json;

const Endpoint kLocal{IpAddress::v4(10, 0, 0, 1), Port{80}};
const Endpoint kRemote{IpAddress::v4(10, 0, 0, 2), Port{4000}};

class TraceFile : public testing::Test {
 protected:
  TraceFile() { std::filesystem::create_directories(directory_); }
  ~TraceFile() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ / name; }
  std::unique_ptr<TraceSink> open(const std::string& name) {
    auto sink = make_trace({.path = path(name)});
    EXPECT_TRUE(sink) << sink.error().message;
    return std::move(*sink);
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::ifstream file(path(name));
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  std::string octets(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Packet frame(std::size_t size) {
    std::vector<std::uint8_t> content(size, 0xab);
    return pool_.copy_of(content);
  }

  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() /
      fmt::format("transom-trace-{}-{}", getpid(), static_cast<const void*>(this));
  BufferPool pool_;
};

TEST_F(TraceFile, SaysALossInWordsWithItsSource) {
  {
    const auto sink = open("trace.txt");
    sink->write({}, {Instant(std::chrono::milliseconds(1500)),
                     TcpSendEvent{kLocal, kRemote, SeqNum(5000), SeqNum(6460), Reason::kNewData}, 1, 0});
    sink->write({},
                {Instant(std::chrono::milliseconds(1600)),
                 TcpLossEvent{kLocal, kRemote, SeqNum(5000), SeqNum(6460), 1460, Reason::kOvertaken}, 2, 0});
  }
  const auto text = lines("trace.txt");
  ASSERT_EQ(text.size(), 2U);
  EXPECT_EQ(text[0], "1.500000000      10.0.0.1:80 > 10.0.0.2:4000  sends 1:1461");
  EXPECT_EQ(text[1],
            "1.600000000      10.0.0.1:80 > 10.0.0.2:4000  lost 1:1461, 1460 octets: RACK: segments sent "
            "later were "
            "delivered [RFC 8985 6.2]");
}

TEST_F(TraceFile, WritesOneJsonObjectPerEvent) {
  {
    const auto sink = open("trace.jsonl");
    const Packet packet = frame(60);
    sink->write({}, {Instant(std::chrono::seconds(1)),
                     PacketEvent{Direction::kIn, InterfaceId{2}, true, packet}, 1, 0});
    sink->write({}, {Instant(std::chrono::seconds(1)), DropEvent{DropReason::kTcpPaws}, 2, 1});
    sink->write({}, {Instant(std::chrono::seconds(2)),
                     TcpStateEvent{kLocal, kRemote, "LISTEN", "SYN-RECEIVED", Reason::kSegment}, 3, 1});
    sink->write({}, {Instant(std::chrono::seconds(2)),
                     TcpNegotiatedEvent{kLocal, kRemote, 1448, 7, 10, true, true, false, false}, 4, 1});
    sink->write({},
                {Instant(std::chrono::seconds(2)), TcpLimitEvent{kLocal, kRemote, Reason::kNagle, 5}, 5, 0});
    sink->write({},
                {Instant(std::chrono::seconds(2)),
                 TcpCongestionEvent{kLocal, kRemote, 14480, 28960, 1 << 30, 1448, Reason::kSlowStart}, 6, 1});
    sink->write(
        {}, {Instant(std::chrono::seconds(3)),
             TcpRecoveryEvent{kLocal, kRemote, RecoveryPhase::kUndone, SeqNum(7), Reason::kNothingWasLost}, 7,
             1});
  }
  const auto text = lines("trace.jsonl");
  ASSERT_EQ(text.size(), 7U);
  std::vector<json> events;
  for (const auto& line : text) events.push_back(json::parse(line));
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["v"], 1);
    EXPECT_EQ(events[i]["id"], i + 1);
  }
  EXPECT_EQ(events[0]["event"], "packet");
  EXPECT_EQ(events[0]["octets"], 60);
  EXPECT_EQ(events[0]["ethernet"], true);
  EXPECT_EQ(events[0]["headers"].get<std::string>().size(), 120U) << "no IP: the first octets";
  EXPECT_EQ(events[1]["reason"], "TcpPaws");
  EXPECT_EQ(events[1]["cause"], 1);
  EXPECT_EQ(events[2]["local"], "10.0.0.1:80");
  EXPECT_EQ(events[2]["to"], "SYN-RECEIVED");
  EXPECT_EQ(events[2]["reason"], "Segment");
  EXPECT_EQ(events[3]["sack"], true);
  EXPECT_EQ(events[4]["reason"], "Nagle");
  EXPECT_EQ(events[4]["rfc"], "RFC 9293 3.7.4");
  EXPECT_EQ(events[5]["cwnd"], 28960);
  EXPECT_EQ(events[6]["phase"], "undone");
  EXPECT_EQ(events[6]["t_ns"], 3'000'000'000);
}

TEST_F(TraceFile, PcapngIsReadBackByLibpcapWithItsTimes) {
  {
    const auto sink = open("trace.pcapng");
    const Packet first = frame(60);
    const Packet second = frame(61);  // needs padding
    sink->write({}, {Instant(std::chrono::nanoseconds(1'000'000'007)),
                     PacketEvent{Direction::kIn, InterfaceId{2}, true, first}, 1, 0});
    sink->write({},
                {Instant(std::chrono::nanoseconds(1'000'000'007)), DropEvent{DropReason::kTcpPaws}, 2, 1});
    sink->write({}, {Instant(std::chrono::nanoseconds(2'000'000'009)),
                     PacketEvent{Direction::kOut, InterfaceId{3}, false, second}, 3, 0});
  }
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* reader = pcap_open_offline_with_tstamp_precision(path("trace.pcapng").c_str(),
                                                           PCAP_TSTAMP_PRECISION_NANO, error);
  ASSERT_NE(reader, nullptr) << error;
  EXPECT_EQ(pcap_datalink(reader), DLT_EN10MB);
  pcap_pkthdr* header;
  const u_char* data;
  ASSERT_EQ(pcap_next_ex(reader, &header, &data), 1);
  EXPECT_EQ(header->caplen, 60U);
  EXPECT_EQ(header->ts.tv_sec, 1);
  EXPECT_EQ(header->ts.tv_usec, 7);  // nanoseconds
  EXPECT_EQ(data[59], 0xab);
  ASSERT_EQ(pcap_next_ex(reader, &header, &data), 1);
  EXPECT_EQ(header->caplen, 14U + 61U) << "a bare IP packet gets an Ethernet header";
  EXPECT_EQ(header->ts.tv_usec, 9);
  EXPECT_EQ(pcap_next_ex(reader, &header, &data), PCAP_ERROR_BREAK);
  pcap_close(reader);
  EXPECT_NE(octets("trace.pcapng").find("dropped: TcpPaws"), std::string::npos);
}

TEST_F(TraceFile, CommentsStandWithTheFrameTheyAreAbout) {
  {
    const auto sink = open("trace.pcapng");
    const Packet packet = frame(60);
    const Instant now(std::chrono::seconds(1));
    sink->write({}, {now, PacketEvent{Direction::kIn, InterfaceId{2}, true, packet}, 1, 0});
    sink->write({}, {now, TcpLossEvent{kLocal, kRemote, SeqNum(1), SeqNum(2), 1, Reason::kOvertaken}, 2, 1});
    sink->write({},
                {now, TcpSendEvent{kLocal, kRemote, SeqNum(1), SeqNum(2), Reason::kRetransmission}, 3, 1});
    sink->write({}, {now, PacketEvent{Direction::kOut, InterfaceId{2}, true, packet}, 4, 1});
  }
  const std::string file = octets("trace.pcapng");
  const std::string data(60, '\xab');
  const auto first = file.find(data);
  const auto second = file.find(data, first + 1);
  ASSERT_NE(second, std::string::npos);
  const auto loss = file.find("lost ");
  const auto retransmission = file.find("retransmits ");
  EXPECT_TRUE(first < loss && loss < second) << "the loss was declared because of the frame that came in";
  EXPECT_LT(second, retransmission) << "the retransmission is the frame that went out";
}

TEST_F(TraceFile, CommentsStandWithTheHostTheyAreAbout) {  // the numbers of events are a host's own
  {
    const auto sink = open("trace.pcapng");
    const Packet packet = frame(60);
    const Instant now(std::chrono::seconds(1));
    sink->write("a", {now, PacketEvent{Direction::kIn, InterfaceId{2}, true, packet}, 7, 0});
    sink->write("b", {now, TcpTimerEvent{kLocal, kRemote, Reason::kDelayedAck}, 7, 0});
    sink->write("b", {now, TcpLimitEvent{kLocal, kRemote, Reason::kNagle, 5}, 8, 7});
    sink->write("a", {now, PacketEvent{Direction::kOut, InterfaceId{2}, true, packet}, 8, 0});
    sink->write("b", {now, PacketEvent{Direction::kOut, InterfaceId{2}, true, packet}, 9, 7});
  }
  const std::string file = octets("trace.pcapng");
  const std::string data(60, '\xab');
  const auto second = file.find(data, file.find(data) + 1);
  const auto third = file.find(data, second + 1);
  ASSERT_NE(third, std::string::npos);
  EXPECT_LT(third, file.find("sends nothing more"));
  EXPECT_LT(third, file.find("timer: "));
}

TEST_F(TraceFile, SetsChecksumsThatAreLeftToTheDeviceAsTheyWillBeOnTheWire) {
  {
    const auto sink = open("trace.pcapng");
    // IPv4, 10.0.0.1 to 10.0.0.2, UDP with two octets; its checksum is that of the pseudo-header alone.
    const std::uint8_t octets[] = {0x45, 0,  0, 30, 0, 0, 0, 0, 64, 17, 0,  0,    10,   0,    0,
                                   1,    10, 0, 0,  2, 0, 7, 0, 9,  0,  10, 0x14, 0x1e, 0xab, 0xcd};
    Packet packet = pool_.copy_of(octets);
    packet.info().checksum = ChecksumState::kPartial;
    packet.info().checksum_field = 6;
    sink->write({}, {Instant{}, PacketEvent{Direction::kOut, InterfaceId{2}, false, packet}, 1, 0});
  }
  // ~(0x141e + 0x0007 + 0x0009 + 0x000a + 0xabcd) = ~0xc005
  EXPECT_NE(octets("trace.pcapng").find("\x3f\xfa\xab\xcd"), std::string::npos);
}

TEST_F(TraceFile, RefusesANameThatSaysNoKind) {
  const auto sink = make_trace({.path = path("trace.doc")});
  ASSERT_FALSE(sink);
  EXPECT_NE(sink.error().message.find(".pcapng"), std::string::npos);
}

TEST_F(TraceFile, SaysWhyAFileCannotBeWritten) {
  const auto sink = make_trace({.path = path("nowhere/trace.txt")});
  ASSERT_FALSE(sink);
  EXPECT_NE(sink.error().message.find("nowhere/trace.txt"), std::string::npos);
}

TEST_F(TraceFile, EveryReasonHasWordsAndASource) {
  for (int i = 0; i <= static_cast<int>(Reason::kKeepAlive); ++i) {
    EXPECT_FALSE(words_of(static_cast<Reason>(i)).empty());
    EXPECT_FALSE(source_of(static_cast<Reason>(i)).empty());
  }
}

}  // namespace
}  // namespace transom::drivers
