#include "drivers/capture_device.h"

#include <gmock/gmock.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <filesystem>

#include "drivers/pair_device.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr Instant kStart{};

struct Record {
  Duration time;
  std::size_t length;
  std::vector<std::uint8_t> octets;
};

struct Contents {
  int data_link = -1;
  std::vector<Record> records;
};

Contents read_capture(const std::string& path) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  pcap_t* const pcap =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data());
  EXPECT_NE(pcap, nullptr) << error.data();
  if (pcap == nullptr) return {};
  Contents contents{.data_link = pcap_datalink(pcap), .records = {}};
  pcap_pkthdr* header = nullptr;
  const u_char* octets = nullptr;
  while (pcap_next_ex(pcap, &header, &octets) == 1) {
    contents.records.push_back(
        {std::chrono::seconds(header->ts.tv_sec) + std::chrono::nanoseconds(header->ts.tv_usec),
         header->len,
         {octets, octets + header->caplen}});
  }
  pcap_close(pcap);
  return contents;
}

class CaptureDeviceTest : public testing::Test {
 protected:
  CaptureDeviceTest()
      : path((std::filesystem::temp_directory_path() /
              ("transom-capture-" + std::to_string(getpid()) + ".pcap"))
                 .string()) {}
  ~CaptureDeviceTest() override { std::filesystem::remove(path); }

  std::unique_ptr<Device> capture(std::unique_ptr<Device> device, std::uint32_t snap_length = 262144) {
    auto made = make_capture(std::move(device),
                             {.path = path,
                              .snap_length = snap_length,
                              .wall_clock = [](Instant now) { return now.time_since_epoch() + 1700000000s; },
                              .on_error = {}});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  std::string path;
  BufferPool pool;
  PacketQueue frames;
};

TEST_F(CaptureDeviceTest, WritesBothDirectionsWithNanoseconds) {
  auto [near, far] = make_pair({});
  auto captured = capture(std::move(near));
  const Packet sent = test::tcp_frame(pool, {.payload = 10});
  const Packet received = test::tcp_frame(pool, {.family = IpFamily::kIpv6, .payload = 1448});
  frames.push(sent.clone());
  captured->transmit(frames, kStart + 1ns);
  frames.push(received.clone());
  far->transmit(frames, kStart);
  ASSERT_EQ(captured->receive(pool, frames, 10, kStart + 2500ms), 1U);
  EXPECT_EQ(test::octets_of(frames.pop()), test::octets_of(received)) << "what passes is not changed";
  captured.reset();

  const Contents contents = read_capture(path);
  EXPECT_EQ(contents.data_link, DLT_EN10MB);
  ASSERT_EQ(contents.records.size(), 2U);
  EXPECT_EQ(contents.records[0].time, 1700000000s + 1ns);
  EXPECT_EQ(contents.records[0].octets, test::octets_of(sent));
  EXPECT_EQ(contents.records[1].time, 1700000002s + 500ms);
  EXPECT_EQ(contents.records[1].octets, test::octets_of(received));
}

TEST_F(CaptureDeviceTest, ShowsSuperFramesAsTheSegmentsOnTheWire) {
  for (const bool ethernet : {true, false}) {
    for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
      auto [near, far] =
          make_pair({.type = ethernet ? link::LinkType::kEthernet : link::LinkType::kPointToPoint});
      auto captured = capture(std::move(near));
      frames.push(test::tcp_frame(pool, {.family = family,
                                         .ethernet = ethernet,
                                         .payload = 5000,
                                         .segment_size = 1400,
                                         .partial_checksum = true}));
      captured->transmit(frames, kStart);
      PacketQueue arrived;
      ASSERT_EQ(far->receive(pool, arrived, 10, kStart), 1U);
      const Packet passed = arrived.pop();
      EXPECT_EQ(passed.info().segment_size, 1400) << "the device itself gets the super-frame";
      EXPECT_EQ(passed.info().checksum, ChecksumState::kPartial);
      captured.reset();

      const Contents contents = read_capture(path);
      EXPECT_EQ(contents.data_link, ethernet ? DLT_EN10MB : DLT_RAW);
      ASSERT_EQ(contents.records.size(), 4U);
      for (const Record& record : contents.records) {
        EXPECT_LE(record.length, 1514U);
        EXPECT_TRUE(test::has_good_checksums(pool.copy_of(record.octets), ethernet ? 14 : 0));
      }
    }
  }
}

TEST_F(CaptureDeviceTest, CompletesPartialChecksums) {
  auto [near, far] = make_pair({});
  auto captured = capture(std::move(near));
  frames.push(test::tcp_frame(pool, {.partial_checksum = true}));
  far->transmit(frames, kStart);
  captured->receive(pool, frames, 1, kStart);
  EXPECT_EQ(frames.pop().info().checksum, ChecksumState::kPartial);
  captured.reset();
  const Contents contents = read_capture(path);
  ASSERT_EQ(contents.records.size(), 1U);
  EXPECT_TRUE(test::has_good_checksums(pool.copy_of(contents.records[0].octets), 14));
}

TEST_F(CaptureDeviceTest, WritesOnlyWhatTheDeviceTook) {
  auto [near, far] = make_pair({.queue_limit = 1});
  auto captured = capture(std::move(near));
  for (std::size_t size : {10U, 20U}) frames.push(test::tcp_frame(pool, {.payload = size}));
  captured->transmit(frames, kStart);
  EXPECT_EQ(frames.size(), 1U);
  captured->transmit(frames, kStart);
  PacketQueue arrived;
  far->receive(pool, arrived, 1, kStart);
  captured->transmit(frames, kStart);
  EXPECT_TRUE(frames.empty());
  captured.reset();
  const Contents contents = read_capture(path);
  ASSERT_EQ(contents.records.size(), 2U) << "each frame once";
  EXPECT_EQ(contents.records[0].length + 10, contents.records[1].length);
}

TEST_F(CaptureDeviceTest, KeepsTheSnapLengthAndTheRealLength) {
  auto [near, far] = make_pair({});
  auto captured = capture(std::move(near), 64);
  frames.push(test::tcp_frame(pool, {.payload = 1000}));
  captured->transmit(frames, kStart);
  captured.reset();
  const Contents contents = read_capture(path);
  ASSERT_EQ(contents.records.size(), 1U);
  EXPECT_EQ(contents.records[0].octets.size(), 64U);
  EXPECT_EQ(contents.records[0].length, 1054U);
}

TEST_F(CaptureDeviceTest, IsWrittenOutSoonWhileRunning) {
  auto [near, far] = make_pair({});
  auto captured = capture(std::move(near));
  frames.push(test::tcp_frame(pool, {}));
  captured->transmit(frames, kStart);
  const Instant flush = captured->next_deadline();
  ASSERT_LE(flush, kStart + 1s);
  captured->receive(pool, frames, 1, flush);
  EXPECT_EQ(read_capture(path).records.size(), 1U);
  EXPECT_EQ(captured->next_deadline(), kNever);
}

TEST_F(CaptureDeviceTest, SaysWhichFileCannotBeWritten) {
  auto [near, far] = make_pair({});
  const auto made = make_capture(std::move(near), {.path = "/nowhere/at/all.pcap"});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("/nowhere/at/all.pcap"));
  EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
}

TEST_F(CaptureDeviceTest, SaysWhenItMissesFramesForLackOfBuffers) {
  BufferPool small({.frames = 2, .super_frames = 0});
  auto [near, far] = make_pair({});
  std::vector<std::string> complaints;
  auto made = make_capture(std::move(near), {.path = path, .on_error = [&](const DeviceError& error) {
                                               complaints.push_back(error.message);
                                             }});
  ASSERT_TRUE(made);
  for (int i = 0; i < 2; ++i) frames.push(test::tcp_frame(small, {.payload = 10}));
  (*made)->transmit(frames, kStart);
  EXPECT_TRUE(frames.empty()) << "frames go on passing";
  EXPECT_EQ(complaints.size(), 1U);
  far.reset();
}

TEST_F(CaptureDeviceTest, ComplainsOnceWhenTheDiskIsFull) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  auto [near, far] = make_pair({.queue_limit = 1000});
  std::vector<std::string> complaints;
  auto made = make_capture(std::move(near), {.path = "/dev/full", .on_error = [&](const DeviceError& error) {
                                               complaints.push_back(error.message);
                                             }});
  ASSERT_TRUE(made) << made.error().message;
  for (int i = 0; i < 50; ++i) {
    frames.push(test::tcp_frame(pool, {.payload = 1400}));
    (*made)->transmit(frames, kStart + i * 1s);
    EXPECT_TRUE(frames.empty()) << "frames go on passing";
  }
  made->reset();
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_THAT(complaints[0], HasSubstr("/dev/full"));
}

}  // namespace
}  // namespace transom::drivers
