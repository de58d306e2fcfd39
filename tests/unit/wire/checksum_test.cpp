#include "stack/wire/checksum.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

// RFC 1071 §1, word by word, as slow as it is plain.
std::uint16_t naive_sum(Bytes octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(octets[i] << 8) : octets[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

TEST(Checksum, AddsUpTheExampleOfRfc1071) {  // RFC 1071 §3
  ChecksumSum sum;
  sum.add(hex("0001 f203 f4f5 f6f7"));
  EXPECT_EQ(sum.fold(), 0xddf2);
  EXPECT_EQ(sum.checksum(), 0x220d);
}

TEST(Checksum, OfNothingAndOfZerosIsAllOnes) {
  EXPECT_EQ(checksum({}), 0xffff);
  EXPECT_EQ(checksum(Octets(100, 0)), 0xffff);
}

TEST(Checksum, OfOctetsWithTheirOwnChecksumIsZero) {  // RFC 1071 §1 (3)
  const Octets header = hex("45b90021123440003f1114cb0a0900010a090002");
  EXPECT_EQ(checksum(header), 0);
}

TEST(Checksum, PadsAnOddOctetBehind) {  // RFC 1071 §4.1: [A, 0]
  EXPECT_EQ(checksum(hex("ab")), static_cast<std::uint16_t>(~0xab00));
  EXPECT_EQ(checksum(hex("000000000000000000 01")), static_cast<std::uint16_t>(~0x0001));
}

TEST(Checksum, AgreesWithThePlainSumAtEveryLength) {
  Random random(seed_from_number(1));
  const Octets octets = random_octets(random, 300);
  for (std::size_t start = 0; start < 9; ++start) {  // and every alignment
    for (std::size_t length = 0; start + length <= octets.size(); ++length) {
      const Bytes part = Bytes(octets).subspan(start, length);
      ASSERT_EQ(checksum(part), static_cast<std::uint16_t>(~naive_sum(part))) << start << " + " << length;
    }
  }
}

TEST(Checksum, ReadsNothingBehindTheOctets) {
  for (std::size_t length = 0; length < 80; ++length) {
    const ExactCopy exact(Octets(length, 0xff));
    EXPECT_EQ(checksum(exact), static_cast<std::uint16_t>(~naive_sum(exact)));
  }
}

TEST(Checksum, CarriesThroughTheLargestValues) {
  for (const std::size_t length : {std::size_t{65535}, std::size_t{65536}, std::size_t{1} << 20}) {
    const Octets ones(length, 0xff);
    EXPECT_EQ(checksum(ones), static_cast<std::uint16_t>(~naive_sum(ones))) << length;
  }
}

TEST(Checksum, DoesNotDependOnHowTheOctetsAreCut) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    const Octets octets = random_octets(random, random.below(200));
    ChecksumSum sum;
    for (Bytes left = octets; !left.empty();) {
      const std::size_t piece = random.below(std::min<std::size_t>(left.size(), 40)) + 1;
      if (piece == 2 || piece == 4) {  // the same two or four octets, as a number
        Reader reader(left);
        piece == 2 ? sum.add_u16(reader.u16()) : sum.add_u32(reader.u32());
      } else {
        sum.add(left.first(piece));
      }
      left = left.subspan(piece);
    }
    EXPECT_EQ(sum.fold(), naive_sum(octets));
  }
}

TEST(Checksum, PseudoHeaderIsTheOneOfEachFamily) {  // RFC 9293 §3.1, RFC 8200 §8.1 (R8200-15)
  const auto v4 = pseudo_header_sum(IpAddress::v4(10, 9, 0, 1), IpAddress::v4(192, 168, 255, 254),
                                    IpProtocol::kTcp, 0x1234);
  EXPECT_EQ(v4.fold(), naive_sum(hex("0a090001 c0a8fffe 00 06 1234")));
  const auto v6 = pseudo_header_sum(*IpAddress::parse("2001:db8::1"), *IpAddress::parse("fe80::ffff:2"),
                                    IpProtocol::kIcmpv6, 0x12345);
  EXPECT_EQ(v6.fold(), naive_sum(hex("20010db8000000000000000000000001 fe8000000000000000000000ffff0002"
                                     "00012345 000000 3a")));
}

TEST(Checksum, CoversHeadAndTailOfAPacketFromAnyOffset) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    BufferPool pool;
    Octets all = random_octets(random, random.below(30));
    Packet packet = pool.copy_of(all);
    for (std::size_t tails = random.below(Packet::kMaxTail + 1); tails > 0; --tails) {
      Slice slice = pool.allocate_slice(BufferSize::kFrame);
      const Octets more = random_octets(random, random.below(50));
      slice.append(more);
      packet.append_slice(std::move(slice));
      all.insert(all.end(), more.begin(), more.end());
    }
    for (std::size_t offset = 0; offset <= all.size(); ++offset) {
      ChecksumSum sum;
      add_packet(sum, packet, offset);
      ASSERT_EQ(sum.fold(), naive_sum(Bytes(all).subspan(offset))) << "offset " << offset;
    }
  }
}

TEST(Checksum, UpdatesAsInTheExampleOfRfc1624) {  // RFC 1624 §4
  EXPECT_EQ(update_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
}

TEST(Checksum, UpdateEqualsComputingAnew) {  // RFC 1624 §3, eqn. 3
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    Octets header = random_octets(random, 20);
    if (seed % 4 == 0)
      std::fill(header.begin() + 4, header.end(), seed % 8 == 0 ? std::uint8_t{0} : std::uint8_t{0xff});
    const std::uint16_t before = checksum(header);
    const std::size_t place = random.below(9) * 2;
    const bool is_wide = place <= 16 && random.below(2) == 0;
    Reader reader(Bytes(header).subspan(place));
    Writer writer(MutableBytes(header).subspan(place));
    std::uint16_t after = 0;
    if (is_wide) {
      const std::uint32_t old_value = reader.u32();
      const auto new_value = static_cast<std::uint32_t>(random.next());
      writer.u32(new_value);
      after = update_checksum_u32(before, old_value, new_value);
    } else {
      const std::uint16_t old_value = reader.u16();
      const auto new_value = static_cast<std::uint16_t>(seed % 3 == 0 ? 0xffff : random.next());
      writer.u16(new_value);
      after = update_checksum(before, old_value, new_value);
    }
    EXPECT_EQ(after, checksum(header));
  }
}

}  // namespace
}  // namespace transom::wire
