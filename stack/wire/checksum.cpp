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

std::uint64_t load_word(const std::uint8_t* octets) {
  std::uint64_t word;
  std::memcpy(&word, octets, sizeof word);
  return word;
}

// Sums the octets as 64-bit words in memory order. The halves of each word are summed on their own, so that
// the loop has no carry to wait for and becomes vector code; 2^32 words would have to come before a sum
// overflows.
std::uint64_t sum_words(Bytes octets) {
  constexpr std::size_t kBlock = 4 * sizeof(std::uint64_t);
  constexpr std::uint64_t kLowHalf = 0xffffffffU;
  std::uint64_t low[4] = {};
  std::uint64_t high[4] = {};
  const std::uint8_t* position = octets.data();
  for (std::size_t blocks = octets.size() / kBlock; blocks > 0; --blocks) {
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t word = load_word(position + i * sizeof word);
      low[i] += word & kLowHalf;
      high[i] += word >> 32;
    }
    position += kBlock;
  }
  std::uint64_t sum = low[0] + low[1] + low[2] + low[3];
  const std::uint64_t high_sum = high[0] + high[1] + high[2] + high[3];
  sum = add_with_carry(sum, std::rotl(high_sum, 32));
  std::size_t left = octets.size() % kBlock;
  for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
    sum = add_with_carry(sum, load_word(position));
    position += sizeof(std::uint64_t);
  }
  if (left > 0) {
    std::uint64_t word = 0;  // RFC 1071 §4.1: an odd octet at the end is followed by a zero
    std::memcpy(&word, position, left);
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
  sum.add(source.octets());
  sum.add(destination.octets());
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
