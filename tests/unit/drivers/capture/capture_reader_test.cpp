#include "drivers/capture/capture_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/drivers/capture/capture_octets.h"

namespace transom::drivers {
namespace {

using std::chrono::seconds;
using test::CaptureOctets;
using testing::ElementsAre;
using testing::HasSubstr;

struct Read {
  std::vector<CapturedPacket> packets;  // their views are gone
  std::vector<std::string> contents;
  std::vector<CaptureInterface> interfaces;
  std::optional<CaptureError> error;
};

Read read_all(std::expected<CaptureReader, CaptureError> reader) {
  Read all;
  if (!reader) {
    all.error = reader.error();
    return all;
  }
  while (true) {
    auto packet = reader->next();
    all.interfaces = reader->interfaces();
    if (!packet) {
      all.error = packet.error();
      return all;
    }
    if (!*packet) return all;
    all.contents.emplace_back((*packet)->octets.begin(), (*packet)->octets.end());
    all.packets.push_back(std::move(**packet));
  }
}

Read read_all(const CaptureOctets& file) { return read_all(CaptureReader::of(file)); }

std::vector<std::uint8_t> gzip(Bytes octets) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::vector<std::uint8_t> packed(octets.size() + 1024);
  stream.next_in = const_cast<Bytef*>(octets.data());
  stream.avail_in = static_cast<uInt>(octets.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

std::vector<std::uint8_t> zstd(Bytes octets) {
  std::vector<std::uint8_t> packed(ZSTD_compressBound(octets.size()));
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), octets.data(), octets.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

class BothByteOrders : public testing::TestWithParam<bool> {
 protected:
  CaptureOctets file_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(CaptureReader, BothByteOrders, testing::Bool());

TEST_P(BothByteOrders, ReadsPcapOfMicroseconds) {
  file_.pcap_header(0xa1b2c3d4, 101).pcap_packet(5, 250'000, "one").pcap_packet(6, 1, "three", 1500);
  const Read all = read_all(file_);
  ASSERT_FALSE(all.error) << all.error->message;
  EXPECT_THAT(all.contents, ElementsAre("one", "three"));
  EXPECT_EQ(all.packets[0].time, std::chrono::milliseconds(5250));
  EXPECT_EQ(all.packets[1].time, seconds(6) + std::chrono::microseconds(1));
  EXPECT_EQ(all.packets[1].number, 2);
  EXPECT_FALSE(all.packets[0].is_cut());
  EXPECT_TRUE(all.packets[1].is_cut());
  EXPECT_EQ(all.packets[1].original_length, 1500);
  EXPECT_EQ(all.packets[0].link_type, LinkType::kRaw);
}

TEST_P(BothByteOrders, ReadsPcapOfNanoseconds) {
  const Read all = read_all(file_.pcap_header(0xa1b23c4d).pcap_packet(5, 7, "x"));
  ASSERT_EQ(all.packets.size(), 1);
  EXPECT_EQ(all.packets[0].time, seconds(5) + Duration(7));
}

TEST_P(BothByteOrders, ReadsPcapngWithCommentsAndDirections) {
  const auto options = [&](std::uint32_t flags) {
    return file_.part()
        .option(1, file_.part().text("why"))
        .option(2, file_.part().u32(flags))
        .option(1, file_.part().text("and wherefore"))
        .u32(0);
  };
  file_.section().interface(file_.part().option(2, file_.part().text("tap0")).option(9, file_.part().u8(9)));
  file_.packet(0, 5'000'000'007, "first", options(1)).packet(0, 6'000'000'000, "second", options(2));
  file_.packet(0, 7'000'000'000, "third");
  const Read all = read_all(file_);
  ASSERT_FALSE(all.error) << all.error->message;
  EXPECT_THAT(all.contents, ElementsAre("first", "second", "third"));
  EXPECT_EQ(all.packets[0].time, seconds(5) + Duration(7));
  EXPECT_THAT(all.packets[0].comments, ElementsAre("why", "and wherefore"));
  EXPECT_EQ(all.packets[0].is_outgoing, false);
  EXPECT_EQ(all.packets[1].is_outgoing, true);
  EXPECT_EQ(all.packets[2].is_outgoing, std::nullopt);
  EXPECT_EQ(all.interfaces[0].name, "tap0");
}

TEST_P(BothByteOrders, KnowsAllUnitsOfTime) {
  const auto time_of = [&](std::uint8_t resolution, std::uint64_t ticks, std::int64_t offset) {
    CaptureOctets file(GetParam());
    file.section().interface(file.part()
                                 .option(9, file.part().u8(resolution))
                                 .option(14, file.part().u64(static_cast<std::uint64_t>(offset)))
                                 .u32(0));
    const Read all = read_all(file.packet(0, ticks, "x"));
    return all.error ? Duration::max() : all.packets.at(0).time;
  };
  EXPECT_EQ(time_of(0, 3, 0), seconds(3));
  EXPECT_EQ(time_of(3, 1500, 10), std::chrono::milliseconds(11500));
  EXPECT_EQ(time_of(12, 2'000'000'003'999, 0), seconds(2) + Duration(3));
  EXPECT_EQ(time_of(0x80 | 10, 1536, -1), std::chrono::milliseconds(500));
  EXPECT_EQ(time_of(0x80 | 32, 0x1'8000'0000, 0), std::chrono::milliseconds(1500));
  EXPECT_EQ(time_of(0xff, ~0ULL, 0), Duration(0));
  EXPECT_EQ(time_of(127, ~0ULL, 5), seconds(5));
  EXPECT_EQ(time_of(0, ~0ULL, 0), Duration::max()) << "half a trillion years do not fit and are refused";
  EXPECT_EQ(time_of(9, 0, std::numeric_limits<std::int64_t>::max()), Duration::max());
}

TEST_P(BothByteOrders, ReadsSimpleAndObsoletePackets) {
  file_.section().interface(file_.part(), 1, 4);
  file_.packet(0, 2'000'000, "timed");
  file_.block(3, file_.part().u32(10).text("abcd"));  // cut to the snap length of interface 0
  file_.block(2, file_.part().u16(0).u16(3).u32(0).u32(7).u32(3).u32(9).text("old").pad().option(
                     2, file_.part().u32(2)));
  const Read all = read_all(file_);
  ASSERT_FALSE(all.error) << all.error->message;
  EXPECT_THAT(all.contents, ElementsAre("timed", "abcd", "old"));
  EXPECT_EQ(all.packets[1].time, seconds(2)) << "as the packet before it";
  EXPECT_EQ(all.packets[1].original_length, 10);
  EXPECT_EQ(all.packets[2].time, std::chrono::microseconds(7));
  EXPECT_EQ(all.packets[2].original_length, 9);
  EXPECT_EQ(all.packets[2].is_outgoing, true);
}

TEST(CaptureReader, ReadsInterfacesThatDifferAndSectionsInBothByteOrders) {
  CaptureOctets file(false);
  file.section().interface(1, 100).interface(101, 0);
  file.packet(1, 1, "raw").packet(0, 2, "ethernet");
  CaptureOctets second(true);
  second.section().interface(second.part().option(2, second.part().text("lo")), 0);
  second.packet(0, 3, "null");
  const Read all = read_all(file.bytes(second));
  ASSERT_FALSE(all.error) << all.error->message;
  EXPECT_THAT(all.contents, ElementsAre("raw", "ethernet", "null"));
  EXPECT_EQ(all.packets[0].link_type, LinkType::kRaw);
  EXPECT_EQ(all.packets[1].link_type, LinkType::kEthernet);
  EXPECT_EQ(all.packets[2].link_type, LinkType::kNull);
  EXPECT_EQ(all.packets[2].interface, 2);
  ASSERT_EQ(all.interfaces.size(), 3);
  EXPECT_EQ(all.interfaces[2].name, "lo");
}

TEST_P(BothByteOrders, CountsWhatWhoeverCapturedSaysItHasMissed) {
  const auto statistics = [&](std::uint32_t interface, std::uint64_t of_interface, std::uint64_t of_system) {
    CaptureOctets body = file_.part();
    body.u32(interface)
        .u64(0)
        .option(5, file_.part().u64(of_interface))
        .option(7, file_.part().u64(of_system));
    file_.block(5, body);
  };
  file_.section().interface().interface();
  file_.packet(0, 1, "a", file_.part().option(4, file_.part().u64(2)));
  file_.block(2, file_.part().u16(0).u16(3).u32(0).u32(7).u32(1).u32(1).text("b").pad());
  file_.block(2, file_.part().u16(0).u16(0xffff).u32(0).u32(7).u32(1).u32(1).text("c").pad());
  auto packets = CaptureReader::of(file_);
  for (auto packet = packets->next(); packet && *packet;) packet = packets->next();
  EXPECT_EQ(packets->dropped(), 5U) << "0xffff says that it is not known";
  statistics(0, 4, 1);
  statistics(0, 6, 1);  // counted on
  statistics(1, 0, 10);
  statistics(7, 1000, 0);  // there is no such interface
  file_.block(5, file_.part().u32(0));
  file_.block(5, file_.part().u32(0).u64(0).u16(5).u16(8).u32(99));
  auto reader = CaptureReader::of(file_);
  for (auto packet = reader->next(); packet && *packet;) packet = reader->next();
  EXPECT_EQ(reader->dropped(), 17U);
  statistics(1, ~0ULL, 10);
  auto many = CaptureReader::of(file_);
  for (auto packet = many->next(); packet && *packet;) packet = many->next();
  EXPECT_EQ(many->dropped(), ~0ULL);
}

TEST_P(BothByteOrders, HandsOutBlocksThatItDoesNotKnow) {
  file_.section().interface().block(0xbad, file_.part().u32(7).text("anything")).packet(0, 1, "x");
  auto reader = CaptureReader::of(file_);
  std::vector<std::size_t> sizes;
  reader->keep_other_blocks([&](const OtherBlock& block) {
    EXPECT_EQ(block.type, 0xbadU);
    EXPECT_EQ(block.is_big_endian, GetParam());
    sizes.push_back(block.body.size());
  });
  const auto packet = reader->next();
  ASSERT_TRUE(packet && *packet);
  EXPECT_THAT(sizes, ElementsAre(12));
}

TEST(CaptureReader, TellsTheDirectionOfCookedPackets) {
  std::string outgoing(16, '\0'), incoming(16, '\0');
  outgoing[1] = 4;
  const Read all = read_all(
      CaptureOctets().pcap_header(0xa1b2c3d4, 113).pcap_packet(1, 1, outgoing).pcap_packet(1, 2, incoming));
  EXPECT_EQ(all.packets.at(0).is_outgoing, true);
  EXPECT_EQ(all.packets.at(1).is_outgoing, false);
}

// ---------------------------------------------------------------- compressed

TEST(CaptureReader, UnpacksGzipOfSeveralMembersAndZstdOfSeveralFrames) {
  CaptureOctets head, tail;
  head.pcap_header().pcap_packet(1, 0, std::string(70'000, 'a'));
  tail.pcap_packet(2, 0, std::string(200'000, 'b')).pcap_packet(3, 0, "end");
  for (const auto pack : {gzip, zstd}) {
    std::vector<std::uint8_t> packed = pack(head);
    const std::vector<std::uint8_t> more = pack(tail);
    packed.insert(packed.end(), more.begin(), more.end());
    const Read all = read_all(CaptureReader::of(packed));
    ASSERT_FALSE(all.error) << all.error->message;
    ASSERT_EQ(all.contents.size(), 3);
    EXPECT_EQ(all.contents[1], std::string(200'000, 'b'));
    EXPECT_EQ(all.contents[2], "end");
  }
}

TEST(CaptureReader, TellsWherePackedDataIsCutOrDamaged) {
  CaptureOctets file;
  file.pcap_header();
  for (std::uint32_t i = 0; i < 2000; ++i)
    file.pcap_packet(i, i * 7919 % 1'000'000, fmt::format("packet {}", i * 104729));
  for (const auto pack : {gzip, zstd}) {
    const std::vector<std::uint8_t> packed = pack(file);
    Read all = read_all(CaptureReader::of(Bytes(packed).first(packed.size() / 2)));
    ASSERT_TRUE(all.error);
    EXPECT_THAT(all.error->message, HasSubstr("ends in the middle"));
    std::vector<std::uint8_t> damaged = packed;
    for (std::size_t i = 0; i < 64; ++i) damaged[packed.size() / 2 + i] = 0xff;
    all = read_all(CaptureReader::of(damaged));
    EXPECT_TRUE(all.error);
  }
}

TEST(CaptureReader, AFrameOfZstdThatWantsTerabytesIsRefused) {
  // RFC 8878 §3.1.1.1: no single segment, a window descriptor of the greatest size.
  const std::vector<std::uint8_t> file{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00};
  const Read all = read_all(CaptureReader::of(file));
  ASSERT_TRUE(all.error);
  EXPECT_THAT(all.error->message, HasSubstr("--long"));
}

// ---------------------------------------------------------------- hostile

TEST(CaptureReader, RefusesWithOffsetAndReason) {
  struct Case {
    CaptureOctets file;
    std::uint64_t offset;
    std::string reason;
  };
  const CaptureOctets none;
  CaptureOctets start;
  start.section().interface();
  const std::uint64_t behind = start.octets().size();
  const auto more = [&] { return start; };
  const std::vector<Case> cases{
      {none, 0, "before it has said"},
      {CaptureOctets().text("GIF89a!!"), 0, "neither pcap nor pcapng"},
      {CaptureOctets().u32(0xa1b2c3d4).u16(2).u16(4), 8, "ends in its header"},
      {CaptureOctets().u32(0xa1b2c3d4).u16(9).u16(9).u64(0).u64(0), 4, "version 9.9"},
      {CaptureOctets().pcap_header().u32(1).u32(2).u32(0xffffffff).u32(1), 24, "4294967295 octets"},
      {CaptureOctets().pcap_header().u32(1).u32(2).u32(100).u32(100).text("short"), 24, "5 of its 100"},
      {CaptureOctets().pcap_header().u32(1), 24, "header of a packet"},
      {more().u32(7).u32(11), behind + 4, "length 11"},
      {more().u32(7).u32(13), behind + 4, "length 13"},
      {more().u32(7).u32(0xfffffffc), behind + 4, "more than"},
      {more().u32(7).u32(1 << 20).text("short"), behind, "ends in a block"},
      {more().u32(7).u32(12).u32(16), behind, "another length"},
      {more().packet(1, 0, "x"), behind, "interface 1, of 1"},
      {more().block(6, CaptureOctets().u32(0).u32(0).u32(0).u32(9).u32(9).text("four")), behind,
       "longer than its block"},
      {more().block(6, CaptureOctets().u32(0).u32(0).u32(0).u32(1 << 20).u32(9).text("four")), behind,
       "more than 262144"},
      {more().packet(0, 0, "abcd", CaptureOctets().u16(1).u16(200).text("four")), behind, "option"},
      {more().block(3, none), behind, "longer than its block"},
      {more().block(1, none), behind, "interface ends"},
      {CaptureOctets().u32(0x0a0d0d0a).u32(28).u32(0x12345678), 8, "byte order"},
      {CaptureOctets().block(0x0a0d0d0a, CaptureOctets().u32(0x1a2b3c4d).u16(7).u16(0).u64(0)), 0,
       "version 7"},
  };
  for (const Case& each : cases) {
    const Read all = read_all(each.file);
    ASSERT_TRUE(all.error) << each.reason;
    EXPECT_THAT(all.error->message, HasSubstr(each.reason));
    EXPECT_EQ(all.error->offset, each.offset) << each.reason;
  }
}

TEST(CaptureReader, AFileCutAnywhereGivesItsWholePacketsAndAnError) {
  CaptureOctets pcap, pcapng;
  pcap.pcap_header().pcap_packet(1, 1, "one").pcap_packet(2, 2, "two");
  pcapng.section()
      .interface()
      .packet(0, 1, "one")
      .packet(0, 2, "two", CaptureOctets().option(1, CaptureOctets().text("why")));
  for (const CaptureOctets* file : {&pcap, &pcapng}) {
    const Bytes whole = *file;
    int without_error = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Read all = read_all(CaptureReader::of(whole.first(size)));
      if (!all.error) ++without_error;
      EXPECT_LT(all.packets.size(), 2);
    }
    // Between packets, and between blocks.
    EXPECT_EQ(without_error, file == &pcap ? 2 : 3);
  }
}

TEST(CaptureReader, MoreInterfacesThanAnyMachineHasAreRefused) {
  CaptureOctets file;
  file.section();
  for (int i = 0; i < 5000; ++i) file.interface();
  EXPECT_THAT(read_all(file).error.value_or(CaptureError{}).message, HasSubstr("4096 interfaces"));
}

// ---------------------------------------------------------------- against libpcap

TEST(CaptureReader, ReadsWhatLibpcapWrites) {
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("transom-reader-{}.pcap", getpid());
  for (const int precision : {PCAP_TSTAMP_PRECISION_MICRO, PCAP_TSTAMP_PRECISION_NANO}) {
    pcap_t* const dead = pcap_open_dead_with_tstamp_precision(DLT_RAW, 96, static_cast<u_int>(precision));
    pcap_dumper_t* const file = pcap_dump_open(dead, path.c_str());
    ASSERT_NE(file, nullptr);
    pcap_pkthdr header{};
    header.ts = {1'700'000'000, 123'456};
    header.caplen = 4;
    header.len = 99;
    pcap_dump(reinterpret_cast<u_char*>(file), &header, reinterpret_cast<const u_char*>("abcd"));
    pcap_dump_close(file);
    pcap_close(dead);
    const Read all = read_all(CaptureReader::open(path));
    ASSERT_EQ(all.packets.size(), 1);
    EXPECT_EQ(all.packets[0].link_type, LinkType::kRaw);
    EXPECT_EQ(all.packets[0].original_length, 99);
    const bool is_nano = precision == PCAP_TSTAMP_PRECISION_NANO;
    EXPECT_EQ(all.packets[0].time, seconds(1'700'000'000) + Duration(is_nano ? 123'456 : 123'456'000));
    EXPECT_EQ(all.interfaces[0].snap_length, 96);
  }
  std::filesystem::remove(path);
}

TEST(CaptureReader, SaysWhyAFileCannotBeOpened) {
  EXPECT_THAT(read_all(CaptureReader::open("/nowhere/at/all.pcap")).error->message,
              HasSubstr("No such file"));
  EXPECT_THAT(read_all(CaptureReader::open("/tmp")).error->message, HasSubstr("directory"));
}

}  // namespace
}  // namespace transom::drivers
