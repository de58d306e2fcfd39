#include "stack/wire/checksum.h"

#include <bit>
#include <cstring>

#include "stack/wire/cursor.h"

namespace transom::wire {

namespace {

// One's complement addition: what is carried out at the top comes in at the bottom.
constexpr std::uint64_t add_with_carry(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

// Two 64-bit words, which GCC and clang keep in one vector register on every machine that has them.
using WordPair [[gnu::vector_size(16)]] = std::uint64_t;

template <typename Word>
Word load(const std::uint8_t* octets) {
  Word word;
  std::memcpy(&word, octets, sizeof word);
  return word;
}

// Sums the octets as words in memory order. The upper and lower half of each word are summed on their own, so
// that the loop has no carry to wait for; 2^32 words would have to come before a sum overflows.
std::uint64_t sum_words(Bytes octets) {
  constexpr std::size_t kBlock = 2 * sizeof(WordPair);
  constexpr WordPair kLowHalves = {0xffffffffU, 0xffffffffU};
  WordPair low[2] = {};
  WordPair high[2] = {};
  const std::uint8_t* position = octets.data();
  for (std::size_t blocks = octets.size() / kBlock; blocks > 0; --blocks) {
    const auto first = load<WordPair>(position);
    const auto second = load<WordPair>(position + sizeof first);
    low[0] += first & kLowHalves;
    high[0] += first >> 32;
    low[1] += second & kLowHalves;
    high[1] += second >> 32;
    position += kBlock;
  }
  // 2^32 is 1 in this arithmetic, so an upper half counts as much as a lower one.
  const WordPair all = low[0] + low[1] + high[0] + high[1];
  std::uint64_t sum = all[0] + all[1];
  std::size_t left = octets.size() % kBlock;
  for (; left >= sizeof sum; left -= sizeof sum) {
    sum = add_with_carry(sum, load<std::uint64_t>(position));
    position += sizeof sum;
  }
  if ((left & 4U) != 0) {
    sum = add_with_carry(sum, load<std::uint32_t>(position));
    position += 4;
  }
  if ((left & 2U) != 0) {
    sum = add_with_carry(sum, load<std::uint16_t>(position));
    position += 2;
  }
  if ((left & 1U) != 0) {
    std::uint16_t word = 0;  // RFC 1071 §4.1: an odd octet at the end is followed by a zero
    std::memcpy(&word, position, 1);
    sum = add_with_carry(sum, word);
  }
  return sum;
}

constexpr std::uint16_t fold_to_16(std::uint64_t sum) {
  sum = (sum >> 32) + (sum & 0xffffffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  return static_cast<std::uint16_t>((sum >> 16) + sum);
}

}  // namespace

void ChecksumSum::add(Bytes octets) {
  std::uint64_t piece = sum_words(octets);
  // A piece that starts at an odd octet has its octets in the other halves of the 16-bit words.
  if (odd_) piece = std::rotl(piece, 8);
  sum_ = add_with_carry(sum_, piece);
  odd_ ^= octets.size() % 2 != 0;
}

void ChecksumSum::add_u16(std::uint16_t host_order) {
  const std::uint64_t piece = swap_network_order(host_order);
  sum_ = add_with_carry(sum_, odd_ ? std::rotl(piece, 8) : piece);
}

void ChecksumSum::add_u32(std::uint32_t host_order) {
  const std::uint64_t piece = swap_network_order(host_order);
  sum_ = add_with_carry(sum_, odd_ ? std::rotl(piece, 8) : piece);
}

void ChecksumSum::add_address(const IpAddress& address) {
  for (const std::uint64_t word : std::bit_cast<std::array<std::uint64_t, 2>>(address.octets()))
    sum_ = add_with_carry(sum_, odd_ ? std::rotl(word, 8) : word);
}

std::uint16_t ChecksumSum::fold() const { return swap_network_order(fold_to_16(sum_)); }

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
  return static_cast<std::uint16_t>(~fold_to_16(sum));
}

std::uint16_t update_checksum_u32(std::uint16_t checksum, std::uint32_t old_value, std::uint32_t new_value) {
  checksum = update_checksum(checksum, static_cast<std::uint16_t>(old_value >> 16),
                             static_cast<std::uint16_t>(new_value >> 16));
  return update_checksum(checksum, static_cast<std::uint16_t>(old_value),
                         static_cast<std::uint16_t>(new_value));
}

}  // namespace transom::wire
