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

// Sums the octets as words in memory order. The upper and lower half of each word are summed on their own, so
// that the loop has no carry to wait for; 2^32 words would have to come before a sum overflows. `keep(offset,
// word)` sees each word: it may store it elsewhere.
template <typename Keep>
[[gnu::always_inline]] inline std::uint64_t sum_words(const std::uint8_t* octets, std::size_t size,
                                                      Keep keep) {
  constexpr std::size_t kBlock = 2 * sizeof(Words);
  constexpr Words kLowHalves = {0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU};
  Words low[2] = {};
  Words high[2] = {};
  std::size_t position = 0;
  for (std::size_t blocks = size / kBlock; blocks > 0; --blocks) {
    Words first, second;
    std::memcpy(&first, octets + position, sizeof first);
    std::memcpy(&second, octets + position + sizeof first, sizeof second);
    keep(position, first);
    keep(position + sizeof first, second);
    low[0] += first & kLowHalves;
    high[0] += first >> 32;
    low[1] += second & kLowHalves;
    high[1] += second >> 32;
    position += kBlock;
  }
  // 2^32 is 1 in this arithmetic, so an upper half counts as much as a lower one.
  const Words all = low[0] + low[1] + high[0] + high[1];
  std::uint64_t sum = all[0] + all[1] + all[2] + all[3];
  const auto add_one = [&](auto word) {
    std::memcpy(&word, octets + position, sizeof word);
    keep(position, word);
    sum = detail::add_with_carry(sum, word);
    position += sizeof word;
  };
  std::size_t left = size % kBlock;
  for (; left >= sizeof sum; left -= sizeof sum) add_one(std::uint64_t{});
  if ((left & 4U) != 0) add_one(std::uint32_t{});
  if ((left & 2U) != 0) add_one(std::uint16_t{});
  if ((left & 1U) != 0) {
    std::uint16_t word = 0;  // RFC 1071 §4.1: an odd octet at the end is followed by a zero
    std::memcpy(&word, octets + position, 1);
    keep(position, octets[position]);
    sum = detail::add_with_carry(sum, word);
  }
  return sum;
}

TRANSOM_FOR_EACH_MACHINE std::uint64_t sum_of(const std::uint8_t* octets, std::size_t size) {
  return sum_words(octets, size, [](std::size_t, const auto&) {});
}

TRANSOM_FOR_EACH_MACHINE std::uint64_t sum_and_copy(const std::uint8_t* octets, std::size_t size,
                                                    std::uint8_t* out) {
  return sum_words(octets, size, [out](std::size_t offset, const auto& word) {
    std::memcpy(out + offset, &word, sizeof word);
  });
}

}  // namespace

void ChecksumSum::add(Bytes octets) { add_words(sum_of(octets.data(), octets.size()), octets.size()); }

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
