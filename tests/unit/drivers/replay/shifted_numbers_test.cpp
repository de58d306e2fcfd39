// What a device that changes sequence numbers does to a segment.
#include "drivers/replay/shifted_numbers.h"

#include <gtest/gtest.h>

#include <vector>

#include "stack/wire/checksum.h"
#include "stack/wire/tcp.h"

namespace transom::drivers::replay {
namespace {

using Octets = std::vector<std::uint8_t>;

// With two SACK blocks behind timestamps, and an odd number of octets.
Octets segment(bool has_ack = true) {
  wire::TcpHeader header;
  header.source_port = Port{4000};
  header.destination_port = Port{80};
  header.sequence = SeqNum(0xfffffff0);
  header.acknowledgment = SeqNum(has_ack ? 5000 : 0);
  header.flags.ack = has_ack;
  header.options.timestamps = wire::TcpTimestamps{7, 8};
  header.options.add_sack({SeqNum(6000), SeqNum(7000)});
  header.options.add_sack({SeqNum(0xffffffff), SeqNum(10)});
  Octets octets(header.size() + 3, 0x5a);
  wire::Writer writer(octets);
  header.write(writer);
  wire::ChecksumSum sum;
  sum.add(octets);
  wire::Writer(MutableBytes(octets).subspan(wire::TcpHeader::kChecksumOffset)).u16(sum.checksum());
  return octets;
}

wire::TcpHeader parse(Bytes octets) {
  wire::Reader reader(octets);
  return wire::TcpHeader::parse(reader).value();
}

bool is_right(Bytes octets) {
  wire::ChecksumSum sum;
  sum.add(octets);
  return sum.checksum() == 0;
}

TEST(ShiftedNumbers, AreTheSequenceNumberAndAllThatIsAcknowledged) {
  Octets octets = segment();
  ASSERT_TRUE(is_right(octets));
  shift_numbers(octets, 100, 0x80000001);
  const wire::TcpHeader header = parse(octets);
  EXPECT_EQ(header.sequence, SeqNum(0x54));
  EXPECT_EQ(header.acknowledgment, SeqNum(5000) + 0x80000001);
  EXPECT_EQ(header.options.sack_blocks[0].left, SeqNum(6000) + 0x80000001);
  EXPECT_EQ(header.options.sack_blocks[0].right, SeqNum(7000) + 0x80000001);
  EXPECT_EQ(header.options.sack_blocks[1].left, SeqNum(0x80000000));
  EXPECT_EQ(header.options.timestamps, (wire::TcpTimestamps{7, 8}));
  EXPECT_TRUE(is_right(octets));
  shift_numbers(octets, 0 - 100U, 0 - 0x80000001U);
  EXPECT_EQ(octets, segment());
}

TEST(ShiftedNumbers, LeaveAWrongChecksumWrongAndAFieldThatMeansNothingAlone) {
  Octets octets = segment(false);
  octets.back() ^= 1U;
  shift_numbers(octets, 100, 200);
  EXPECT_FALSE(is_right(octets));
  EXPECT_EQ(parse(octets).acknowledgment, SeqNum(0));
  EXPECT_EQ(parse(octets).options.sack_blocks[0].left, SeqNum(6000));
}

TEST(ShiftedNumbers, DoNoHarmToWhatIsCutOrMalformed) {
  const Octets whole = segment();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    Octets octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    shift_numbers(octets, 1, 1);  // the sanitizers look on
    if (size < parse(whole).size()) {
      EXPECT_TRUE(std::equal(octets.begin(), octets.end(), whole.begin())) << size;
    }
  }
  for (std::size_t at = 0; at < parse(whole).size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Octets octets = whole;
      octets[at] ^= static_cast<std::uint8_t>(1U << bit);
      shift_numbers(octets, 1, 1);
    }
  }
}

}  // namespace
}  // namespace transom::drivers::replay
