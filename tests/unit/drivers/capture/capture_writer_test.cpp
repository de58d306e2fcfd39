#include "drivers/capture/capture_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/drivers/capture/capture_octets.h"

namespace transom::drivers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

class CaptureWriterTest : public testing::Test {
 protected:
  CaptureWriterTest() { std::filesystem::create_directories(directory_); }
  ~CaptureWriterTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ / name; }
  static CaptureWriter create(const std::string& path, std::optional<CaptureFormat> format = std::nullopt) {
    auto writer = CaptureWriter::create(path, format);
    EXPECT_TRUE(writer) << writer.error().message;
    return std::move(*writer);
  }
  static CapturedPacket packet(std::string_view text, Duration time, LinkType type = LinkType::kEthernet) {
    CapturedPacket made;
    made.time = time;
    made.link_type = type;
    made.octets = Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    made.original_length = static_cast<std::uint32_t>(text.size() + 10);
    return made;
  }
  static std::string text_of(const CapturedPacket& packet) {
    return {packet.octets.begin(), packet.octets.end()};
  }

  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() /
      fmt::format("transom-writer-{}-{}", getpid(), static_cast<const void*>(this));
};

TEST_F(CaptureWriterTest, WhatItWritesIsReadBackInEveryFormatAndPacking) {
  for (const std::string name :
       {"a.pcap", "a.pcapng", "a.pcap.gz", "a.pcapng.gz", "a.pcap.zst", "a.pcapng.zst"}) {
    SCOPED_TRACE(name);
    {
      CaptureWriter writer = create(path(name));
      for (int i = 0; i < 3000; ++i) {
        const std::string text = fmt::format("packet {}", i);
        CapturedPacket each = packet(text, i * 1s + 7ns, LinkType::kRaw);
        if (i == 5) each.comments = {"one", "two"};
        if (i == 6) each.is_outgoing = true;
        ASSERT_TRUE(writer.write(each));
      }
      ASSERT_TRUE(writer.close());
    }
    const bool is_pcapng = name.starts_with("a.pcapng");
    auto reader = CaptureReader::open(path(name));
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ(reader->format(), is_pcapng ? CaptureFormat::kPcapng : CaptureFormat::kPcapNanoseconds);
    for (int i = 0; i < 3000; ++i) {
      const auto read = reader->next();
      ASSERT_TRUE(read && *read);
      ASSERT_EQ(text_of(**read), fmt::format("packet {}", i));
      EXPECT_EQ((*read)->time, i * 1s + 7ns);
      EXPECT_EQ((*read)->original_length, (*read)->octets.size() + 10);
      EXPECT_EQ((*read)->link_type, LinkType::kRaw);
      EXPECT_EQ((*read)->comments.size(), i == 5 && is_pcapng ? 2U : 0U);
      EXPECT_EQ((*read)->is_outgoing == true, i == 6 && is_pcapng);
    }
    const auto end = reader->next();
    EXPECT_TRUE(end && !*end);
  }
}

TEST_F(CaptureWriterTest, LibpcapReadsBothFormats) {
  for (const std::string name : {"a.pcap", "a.pcapng"}) {
    CaptureWriter writer = create(path(name));
    writer.add_interface({.name = "tap0", .link_type = LinkType::kEthernet, .snap_length = 96});
    CapturedPacket first = packet("octets", 1700000000s + 5ns);
    first.comments = {"why"};
    first.is_outgoing = false;
    ASSERT_TRUE(writer.write(first));
    ASSERT_TRUE(writer.close());
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    pcap_t* const pcap =
        pcap_open_offline_with_tstamp_precision(path(name).c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data());
    ASSERT_NE(pcap, nullptr) << error.data();
    EXPECT_EQ(pcap_datalink(pcap), DLT_EN10MB);
    EXPECT_EQ(pcap_snapshot(pcap), 96);
    pcap_pkthdr* header = nullptr;
    const u_char* octets = nullptr;
    ASSERT_EQ(pcap_next_ex(pcap, &header, &octets), 1);
    EXPECT_EQ(header->ts.tv_sec, 1700000000);
    EXPECT_EQ(header->ts.tv_usec, 5);
    EXPECT_EQ(header->caplen, 6U);
    EXPECT_EQ(header->len, 16U);
    EXPECT_LE(pcap_next_ex(pcap, &header, &octets), 0);
    pcap_close(pcap);
  }
}

TEST_F(CaptureWriterTest, PcapOfMicrosecondsIsWrittenWhenAsked) {
  CaptureWriter writer = create(path("a.pcap"), CaptureFormat::kPcapMicroseconds);
  ASSERT_TRUE(writer.write(packet("x", 3s + 4us + 5ns)));
  ASSERT_TRUE(writer.close());
  auto reader = CaptureReader::open(path("a.pcap"));
  EXPECT_EQ(reader->format(), CaptureFormat::kPcapMicroseconds);
  EXPECT_EQ((*reader->next())->time, 3s + 4us);
}

TEST_F(CaptureWriterTest, InterfacesThatDifferAreKeptInPcapngAndRefusedInPcap) {
  for (const std::string name : {"a.pcap", "a.pcapng"}) {
    CaptureWriter writer = create(path(name));
    writer.add_interfaces({{.name = "tap0", .link_type = LinkType::kEthernet, .snap_length = 0},
                           {.name = "tun0", .link_type = LinkType::kRaw, .snap_length = 64}});
    CapturedPacket raw = packet("raw", 1s, LinkType::kRaw);
    raw.interface = 1;
    ASSERT_TRUE(writer.write(packet("ethernet", 1s)));
    const auto written = writer.write(raw);
    ASSERT_EQ(written.has_value(), name == "a.pcapng");
    if (!written) {
      EXPECT_THAT(written.error(), HasSubstr(".pcapng"));
      continue;
    }
    ASSERT_TRUE(writer.close());
    auto reader = CaptureReader::open(path(name));
    (void)reader->next();
    EXPECT_EQ((*reader->next())->link_type, LinkType::kRaw);
    EXPECT_EQ(reader->interfaces()[1].name, "tun0");
    EXPECT_EQ(reader->interfaces()[1].snap_length, 64);
  }
}

TEST_F(CaptureWriterTest, BlocksOfOthersAreHandedOnWithTheirInterfaceRenumbered) {
  test::CaptureOctets file;
  file.section().interface().packet(0, 1, "one");
  file.section().interface().block(5, test::CaptureOctets().u32(0).u64(7));  // statistics
  file.block(0xbad, test::CaptureOctets().text("whatever")).packet(0, 2, "two");
  auto reader = CaptureReader::of(file);
  CaptureWriter writer = create(path("a.pcapng"));
  reader->keep_other_blocks([&](const OtherBlock& block) {
    writer.add_interfaces(reader->interfaces());
    EXPECT_TRUE(writer.write(block));
  });
  for (auto packet = reader->next(); packet && *packet; packet = reader->next()) {
    writer.add_interfaces(reader->interfaces());
    ASSERT_TRUE(writer.write(**packet));
  }
  ASSERT_TRUE(writer.close());
  auto again = CaptureReader::open(path("a.pcapng"));
  std::vector<std::pair<std::uint32_t, std::vector<std::uint8_t>>> blocks;
  again->keep_other_blocks([&](const OtherBlock& block) {
    blocks.emplace_back(block.type, std::vector<std::uint8_t>(block.body.begin(), block.body.end()));
  });
  std::vector<std::uint32_t> interfaces;
  for (auto packet = again->next(); packet && *packet; packet = again->next())
    interfaces.push_back((*packet)->interface);
  EXPECT_THAT(interfaces, ElementsAre(0, 1));
  EXPECT_THAT(blocks, ElementsAre(std::pair(5U, test::CaptureOctets().u32(1).u64(7).octets()),
                                  std::pair(0xbadU, test::CaptureOctets().text("whatever").octets())));
  const OtherBlock foreign{.type = 5, .body = {}, .is_big_endian = true, .first_interface = 0};
  EXPECT_FALSE(create(path("b.pcapng")).write(foreign));
  EXPECT_FALSE(create(path("b.pcap")).write(OtherBlock{.type = 4, .body = {}}));
}

TEST_F(CaptureWriterTest, TimesThatTheFormatDoesNotHoldAreRefused) {
  EXPECT_FALSE(create(path("a.pcapng")).write(packet("x", -1ns)));
  EXPECT_FALSE(create(path("a.pcap")).write(packet("x", std::chrono::seconds(1LL << 32))));
  EXPECT_TRUE(create(path("a.pcapng")).write(packet("x", std::chrono::seconds(1LL << 32))));
}

TEST_F(CaptureWriterTest, AnEmptyCaptureIsOneStill) {
  for (const std::string name : {"a.pcap", "a.pcapng"}) {
    ASSERT_TRUE(create(path(name)).close());
    auto reader = CaptureReader::open(path(name));
    ASSERT_TRUE(reader) << reader.error().message;
    const auto end = reader->next();
    EXPECT_TRUE(end && !*end);
  }
}

TEST_F(CaptureWriterTest, AFullDiskIsTold) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  CaptureWriter writer = create("/dev/full");
  ASSERT_TRUE(writer.write(packet("x", 1s)));
  const auto flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_THAT(flushed.error(), HasSubstr("No space"));
}

}  // namespace
}  // namespace transom::drivers
