#include "stack/wire/checksum.h"

#include <bit>
#include <cstring>

#include "stack/wire/cursor.h"

namespace transom::wire {

namespace {

// Four 64-bit words: one vector register where there is AVX2, two where there is less.
using Words [[gnu::vector_size(32)]] = std::uint64_t;

// The compiler makes two versions of such a function, and the loader takes the one for its machine.
#if defined(__x86_64__)
#define TRANSOM_FOR_EACH_MACHINE [[gnu::target_clones("avx2", "default")]]
#else
#define TRANSOM_FOR_EACH_MACHINE
#endif

// Sums the octets as words in memory order, one by one: for less than fills a vector register.
// `keep(offset, word)` sees each word: it may store it elsewhere.
template <typename Keep>
[[gnu::always_inline]] inline std::uint64_t sum_few(const std::uint8_t* octets, std::size_t size, Keep keep) {
  std::uint64_t sum = 0;
  std::size_t position = 0;
  const auto add_one = [&](auto word) {
    std::memcpy(&word, octets + position, sizeof word);
    keep(position, word);
    sum = detail::add_with_carry(sum, word);
    position += sizeof word;
  };
  while (size - position >= sizeof sum) add_one(std::uint64_t{});
  if ((size & 4U) != 0) add_one(std::uint32_t{});
  if ((size & 2U) != 0) add_one(std::uint16_t{});
  if ((size & 1U) != 0) {
    std::uint16_t word = 0;  // RFC 1071 §4.1: an odd octet at the end is followed by a zero
    std::memcpy(&word, octets + position, 1);
    keep(position, octets[position]);
    sum = detail::add_with_carry(sum, word);
  }
  return sum;
}

// The same, in vector registers. All words are summed as they are, the carries lost, and their upper halves
// on their own: the loop has no carry to wait for, and from both follows the sum of the lower halves. 2^32
// words would have to come before that overflows.
template <typename Keep>
[[gnu::always_inline]] inline std::uint64_t sum_many(const std::uint8_t* octets, std::size_t size,
                                                     Keep keep) {
  constexpr std::size_t kBlock = 2 * sizeof(Words);
  Words whole[2] = {};
  Words high[2] = {};
  std::size_t position = 0;
  const auto add_one = [&](std::size_t lane) {
    Words words;
    std::memcpy(&words, octets + position, sizeof words);
    keep(position, words);
    whole[lane] += words;
    high[lane] += words >> 32;
    position += sizeof words;
  };
  for (std::size_t blocks = size / kBlock; blocks > 0; --blocks) {
    add_one(0);
    add_one(1);
  }
  if ((size & sizeof(Words)) != 0) add_one(0);
  const std::size_t done = position;
  const std::uint64_t rest = sum_few(
      octets + done, size - done, [&](std::size_t offset, const auto& word) { keep(done + offset, word); });
  // 2^32 is 1 in this arithmetic, so an upper half counts as much as a lower one.
  const Words upper = high[0] + high[1];
  const Words all = upper + (whole[0] + whole[1] - (upper << 32));
  return detail::add_with_carry(all[0] + all[1] + all[2] + all[3], rest);
}

TRANSOM_FOR_EACH_MACHINE std::uint64_t sum_of(const std::uint8_t* octets, std::size_t size) {
  return sum_many(octets, size, [](std::size_t, const auto&) {});
}

TRANSOM_FOR_EACH_MACHINE std::uint64_t sum_and_copy(const std::uint8_t* octets, std::size_t size,
                                                    std::uint8_t* out) {
  return sum_many(octets, size, [out](std::size_t offset, const auto& word) {
    std::memcpy(out + offset, &word, sizeof word);
  });
}

}  // namespace

void ChecksumSum::add(Bytes octets) {
  constexpr std::size_t kHeader = 64;  // what is shorter is done before a vector would be set up
  add_words(octets.size() < kHeader ? sum_few(octets.data(), octets.size(), [](std::size_t, const auto&) {})
                                    : sum_of(octets.data(), octets.size()),
            octets.size());
}

void ChecksumSum::add_and_copy(Bytes octets, MutableBytes out) {
  add_words(sum_and_copy(octets.data(), octets.size(), out.data()), octets.size());
}

std::uint16_t checksum(Bytes octets) {
  ChecksumSum sum;
  sum.add(octets);
  return sum.checksum();
}

ChecksumSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination, IpProtocol protocol,
                              std::uint32_t length) {
  // Both families in one: an IPv4 address is held as ::ffff:a.b.c.d, and the 0xffff in it is zero in this
  // arithmetic.
  ChecksumSum sum;
  sum.add_address(source);
  sum.add_address(destination);
  sum.add_u16(static_cast<std::uint16_t>(protocol));
  sum.add_u32(length);
  return sum;
}

void add_packet(ChecksumSum& sum, const Packet& packet, std::size_t offset) {
  const auto add_from_offset = [&](Bytes octets) {
    const std::size_t skipped = std::min(offset, octets.size());
    offset -= skipped;
    sum.add(octets.subspan(skipped));
  };
  add_from_offset(packet.head());
  for (const Slice& slice : packet.tail()) add_from_offset(slice.bytes());
}

std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t old_value, std::uint16_t new_value) {
  // RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m')
  const std::uint64_t sum = std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                            static_cast<std::uint16_t>(~old_value) + new_value;
  return static_cast<std::uint16_t>(~detail::fold_to_16(sum));
}

std::uint16_t update_checksum_u32(std::uint16_t checksum, std::uint32_t old_value, std::uint32_t new_value) {
  checksum = update_checksum(checksum, static_cast<std::uint16_t>(old_value >> 16),
                             static_cast<std::uint16_t>(new_value >> 16));
  return update_checksum(checksum, static_cast<std::uint16_t>(old_value),
                         static_cast<std::uint16_t>(new_value));
}

}  // namespace transom::wire
