#include "drivers/fault_device.h"

#include <algorithm>
#include <bit>
#include <map>

#include "drivers/pair_device.h"
#include "tests/unit/drivers/test_frames.h"

namespace transom::drivers {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{};
constexpr std::uint32_t kFrames = 20000;

// A frame that is not IP, with its number in front.
Packet numbered(BufferPool& pool, std::uint32_t number) {
  Packet frame = pool.allocate();
  wire::Writer writer(frame.append(60));
  writer.u32(number);
  writer.zeros(56);
  return frame;
}

std::uint32_t number_of(const Packet& frame) { return wire::Reader(frame.head()).u32(); }

class FaultLineTest : public testing::Test {
 protected:
  // Sends numbered frames one microsecond apart and returns the numbers in order of arrival, after everything
  // has come out.
  std::vector<std::uint32_t> run(FaultLine& line, std::uint32_t frames = kFrames) {
    std::vector<std::uint32_t> numbers;
    PacketQueue out;
    Instant now = kStart;
    const auto collect = [&] {
      line.take(out, SIZE_MAX, now);
      while (!out.empty()) numbers.push_back(number_of(out.pop()));
    };
    for (std::uint32_t i = 0; i < frames; ++i) {
      line.put(numbered(pool, i), now);
      collect();
      now += 1us;
    }
    while (line.next_deadline() != kNever) {
      now = std::max(now, line.next_deadline());
      collect();
    }
    return numbers;
  }

  BufferPool pool;
};

TEST_F(FaultLineTest, WithoutFaultsChangesNothing) {
  FaultLine line({}, 0, link::LinkType::kEthernet);
  const auto numbers = run(line, 100);
  ASSERT_EQ(numbers.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
}

TEST_F(FaultLineTest, LosesTheShareThatWasAskedFor) {
  FaultLine line({.loss = 0.1, .seed = 1}, 0, link::LinkType::kEthernet);
  const auto numbers = run(line);
  EXPECT_EQ(numbers.size(), kFrames - line.statistics().lost);
  EXPECT_NEAR(static_cast<double>(line.statistics().lost), kFrames * 0.1,
              200);  // some five standard deviations
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
}

TEST_F(FaultLineTest, DuplicatesTheShareThatWasAskedFor) {
  FaultLine line({.duplicate = 0.05, .seed = 2}, 0, link::LinkType::kEthernet);
  const auto numbers = run(line);
  EXPECT_EQ(numbers.size(), kFrames + line.statistics().duplicated);
  EXPECT_NEAR(static_cast<double>(line.statistics().duplicated), kFrames * 0.05, 150);
  std::map<std::uint32_t, int> seen;
  for (std::uint32_t number : numbers) ++seen[number];
  EXPECT_EQ(seen.size(), kFrames);
  for (const auto& [number, times] : seen) ASSERT_LE(times, 2) << number;
}

TEST_F(FaultLineTest, ReordersByAFewPlacesAndLosesNothing) {
  FaultLine line({.reorder = 0.05, .seed = 3}, 0, link::LinkType::kEthernet);
  auto numbers = run(line);
  EXPECT_NEAR(static_cast<double>(line.statistics().reordered), kFrames * 0.05, 150);
  std::size_t late = 0;
  std::uint32_t highest = 0;
  for (std::uint32_t number : numbers) {
    late += number < highest ? 1 : 0;
    highest = std::max(highest, number);
  }
  EXPECT_GT(late, line.statistics().reordered * 9 / 10);
  EXPECT_LE(late, line.statistics().reordered);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    ASSERT_LE(numbers[i] > i ? numbers[i] - i : i - numbers[i], 16U) << "at place " << i;
  }
  std::ranges::sort(numbers);
  for (std::uint32_t i = 0; i < kFrames; ++i) ASSERT_EQ(numbers[i], i);
}

TEST_F(FaultLineTest, LetsAHeldFrameGoWhenNothingFollows) {
  FaultLine line({.reorder = 1, .seed = 3}, 0, link::LinkType::kEthernet);
  line.put(numbered(pool, 1), kStart);
  PacketQueue out;
  EXPECT_EQ(line.take(out, 10, kStart), 0U);
  ASSERT_EQ(line.next_deadline(), kStart + 2ms);
  EXPECT_EQ(line.take(out, 10, kStart + 2ms), 1U);
  EXPECT_EQ(line.next_deadline(), kNever);
}

TEST_F(FaultLineTest, DelaysWithJitterAndKeepsTheOrder) {
  FaultLine line({.delay = 10ms, .jitter = 4ms, .seed = 4}, 0, link::LinkType::kEthernet);
  PacketQueue out;
  for (std::uint32_t i = 0; i < 100; ++i) line.put(numbered(pool, i), kStart);
  EXPECT_EQ(line.take(out, 1000, kStart + 6ms - 1ns), 0U);
  EXPECT_GT(line.take(out, 1000, kStart + 13ms), 0U);
  line.take(out, 1000, kStart + 14ms);
  ASSERT_EQ(out.size(), 100U);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(number_of(out.pop()), i);
}

TEST_F(FaultLineTest, BoundsItsMemory) {
  FaultLine line({.delay = 1s}, 0, link::LinkType::kEthernet);
  for (std::uint32_t i = 0; i < 20000; ++i) line.put(numbered(pool, i), kStart);
  EXPECT_EQ(line.statistics().overflowed, 20000U - 16384U);
  EXPECT_EQ(pool.in_use(BufferSize::kFrame), 16384U);
}

TEST_F(FaultLineTest, RepeatsItselfFromTheSameSeedOnly) {
  const FaultOptions options{
      .loss = 0.05, .reorder = 0.05, .duplicate = 0.01, .delay = 1ms, .jitter = 1ms, .seed = 7};
  FaultOptions other = options;
  other.seed = 8;
  FaultLine first(options, 0, link::LinkType::kEthernet);
  FaultLine again(options, 0, link::LinkType::kEthernet);
  FaultLine other_way(options, 1, link::LinkType::kEthernet);
  FaultLine other_seed(other, 0, link::LinkType::kEthernet);
  const auto numbers = run(first);
  EXPECT_EQ(numbers, run(again));
  EXPECT_EQ(first.statistics(), again.statistics());
  EXPECT_NE(numbers, run(other_way));
  EXPECT_NE(numbers, run(other_seed));
}

TEST_F(FaultLineTest, CorruptsOneBitThatTheChecksumsReveal) {
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    FaultLine line({.corrupt = 1, .seed = 5}, 0, link::LinkType::kEthernet);
    int revealed = 0;
    for (int i = 0; i < 500; ++i) {
      Packet frame = test::tcp_frame(pool, {.family = family, .payload = 1000});
      frame.info().checksum = ChecksumState::kVerified;
      const auto before = test::octets_of(frame);
      line.put(std::move(frame), kStart);
      PacketQueue out;
      ASSERT_EQ(line.take(out, 10, kStart), 1U);
      const Packet damaged = out.pop();
      const auto after = test::octets_of(damaged);
      ASSERT_EQ(after.size(), before.size());
      int bits = 0;
      for (std::size_t k = 0; k < before.size(); ++k)
        bits += std::popcount(static_cast<unsigned>(before[k] ^ after[k]));
      EXPECT_EQ(bits, 1);
      EXPECT_TRUE(std::equal(before.begin(), before.begin() + 14, after.begin()))
          << "the link header is left alone";
      EXPECT_EQ(damaged.info().checksum, ChecksumState::kUnknown);
      revealed += test::has_good_checksums(damaged, 14) ? 0 : 1;
    }
    // IPv6 leaves traffic class, flow label and hop limit without a checksum: 36 of its bits.
    EXPECT_GE(revealed, family == IpFamily::kIpv4 ? 500 : 490);
    EXPECT_EQ(line.statistics().corrupted, 500U);
  }
}

TEST_F(FaultLineTest, CorruptsACopyOfOctetsThatOthersReference) {
  FaultLine line({.corrupt = 1, .seed = 6}, 0, link::LinkType::kPointToPoint);
  Slice queued = pool.allocate_slice(BufferSize::kFrame);
  const std::vector<std::uint8_t> sent(1000, 0x55);
  ASSERT_EQ(queued.append(sent), sent.size());
  for (int i = 0; i < 50; ++i) {
    Packet packet = pool.copy_of(std::vector<std::uint8_t>(40, 0x45));
    ASSERT_TRUE(packet.append_slice(queued));
    line.put(std::move(packet), kStart);
  }
  EXPECT_TRUE(std::ranges::equal(queued.bytes(), sent)) << "what will be retransmitted is intact";
}

TEST_F(FaultLineTest, LeavesFramesAloneThatHaveNoChecksum) {
  FaultLine line({.corrupt = 1, .seed = 6}, 0, link::LinkType::kEthernet);
  const auto numbers = run(line, 100);  // not IP, like ARP
  EXPECT_EQ(line.statistics().corrupted, 0U);
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
}

TEST_F(FaultLineTest, TruncatesBehindTheLinkHeader) {
  FaultLine line({.truncate = 1, .seed = 6}, 0, link::LinkType::kEthernet);
  PacketQueue out;
  for (std::uint32_t i = 0; i < 500; ++i) line.put(numbered(pool, i), kStart);
  ASSERT_EQ(line.take(out, 1000, kStart), 500U);
  EXPECT_EQ(line.statistics().truncated, 500U);
  while (!out.empty()) {
    const std::size_t size = out.pop().size();
    EXPECT_GE(size, 14U);
    EXPECT_LT(size, 60U);
  }
}

class FaultDeviceTest : public testing::Test {
 protected:
  BufferPool pool;
  PacketQueue frames;
};

TEST_F(FaultDeviceTest, HidesTheOffloadsOfItsDevice) {
  auto [near, far] = make_pair({.offloads = {.checksum = true, .segment_ipv4 = true, .segment_ipv6 = true}});
  const FaultDevice faulty(std::move(near), {});
  EXPECT_FALSE(faulty.properties().offloads.checksum);
  EXPECT_FALSE(faulty.properties().offloads.segment_ipv4);
  EXPECT_FALSE(faulty.properties().offloads.segment_ipv6);
  EXPECT_EQ(faulty.properties().name, far->properties().name.replace(4, 1, "0"));
}

TEST_F(FaultDeviceTest, CutsReceivedSuperFramesAndCompletesTheirChecksums) {
  for (IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    auto [near, far] = make_pair({});
    FaultDevice faulty(std::move(near), {});
    frames.push(test::tcp_frame(
        pool, {.family = family, .payload = 10000, .segment_size = 1000, .partial_checksum = true}));
    far->transmit(frames, kStart);
    PacketQueue arrived;
    ASSERT_EQ(faulty.receive(pool, arrived, 4, kStart), 4U) << "the limit holds for segments";
    EXPECT_LE(faulty.next_deadline(), kStart) << "there is more";
    ASSERT_EQ(faulty.receive(pool, arrived, 100, kStart), 6U);
    EXPECT_EQ(faulty.received().frames, 10U);
    while (!arrived.empty()) {
      const Packet segment = arrived.pop();
      EXPECT_EQ(segment.info().segment_size, 0);
      EXPECT_NE(segment.info().checksum, ChecksumState::kPartial);
      EXPECT_TRUE(test::has_good_checksums(segment, 14));
    }
  }
}

TEST_F(FaultDeviceTest, SendsLateWhatItDelays) {
  auto [near, far] = make_pair({});
  FaultDevice faulty(std::move(near), {.delay = 5ms});
  frames.push(numbered(pool, 1));
  faulty.transmit(frames, kStart);
  EXPECT_TRUE(frames.empty());
  EXPECT_EQ(far->receive(pool, frames, 10, kStart), 0U);
  ASSERT_EQ(faulty.next_deadline(), kStart + 5ms);
  faulty.transmit(frames, kStart + 5ms);
  EXPECT_EQ(far->receive(pool, frames, 10, kStart + 5ms), 1U);
  EXPECT_EQ(faulty.sent().passed, 1U);
}

TEST_F(FaultDeviceTest, ComesBackForWhatAFullDeviceDidNotTake) {
  auto [near, far] = make_pair({.queue_limit = 1});
  FaultDevice faulty(std::move(near), {});
  frames.push(numbered(pool, 1));
  frames.push(numbered(pool, 2));
  faulty.transmit(frames, kStart);
  frames.push(numbered(pool, 3));
  faulty.transmit(frames, kStart);
  EXPECT_EQ(frames.size(), 1U) << "while the device is full its caller keeps what is new";
  PacketQueue arrived;
  Instant now = kStart;
  for (std::uint32_t number = 1; number <= 3; ++number) {
    ASSERT_EQ(far->receive(pool, arrived, 10, now), 1U);
    EXPECT_EQ(number_of(arrived.pop()), number);
    if (number == 3) break;
    ASSERT_NE(faulty.next_deadline(), kNever) << "the device has not taken everything yet";
    now = faulty.next_deadline();
    faulty.transmit(frames, now);
    faulty.transmit(frames, now);  // as a loop does: what is still queued is offered again
  }
  EXPECT_EQ(faulty.next_deadline(), kNever);
}

}  // namespace
}  // namespace transom::drivers
