// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// ChecksumSum accumulates octets in any number of pieces, of odd length too, as if they were one run. Sums
// are in network order independent form: add pieces in order, then fold() once.
#pragma once

#include <bit>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/packet.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

namespace detail {

// One's complement addition: what is carried out at the top comes in at the bottom.
constexpr std::uint64_t add_with_carry(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

// Adds both halves, twice. With its halves exchanged and added, the upper half of a number holds their sum,
// with what the lower one carried.
constexpr std::uint16_t fold_to_16(std::uint64_t sum) {
  const auto halves = static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32);
  return static_cast<std::uint16_t>((halves + std::rotl(halves, 16)) >> 16);
}

}  // namespace detail

class ChecksumSum {
 public:
  void add(Bytes octets);
  // The same, and copies them to `out`, which has the same size, in one pass.
  void add_and_copy(Bytes octets, MutableBytes out);
  // A number in host order, as if its network-order octets were added.
  void add_u16(std::uint16_t host_order) { add_words(swap_network_order(host_order), 2); }
  void add_u32(std::uint32_t host_order) { add_words(swap_network_order(host_order), 4); }
  // All 16 octets: an IPv4 address in its mapped form.
  void add_address(const IpAddress& address) {
    for (const std::uint64_t word : std::bit_cast<std::array<std::uint64_t, 2>>(address.octets()))
      add_words(word, sizeof word);
  }

  // The 16-bit one's complement sum in host order, not complemented.
  std::uint16_t fold() const {
    return swap_network_order(detail::fold_to_16(odd_ ? std::rotl(sum_, 8) : sum_));
  }
  // The value to put into the checksum field: the complement of fold().
  std::uint16_t checksum() const { return static_cast<std::uint16_t>(~fold()); }

 private:
  void add_words(std::uint64_t words, std::size_t octets) {
    sum_ = detail::add_with_carry(sum_, words);
    if (octets % 2 == 0) return;
    // What comes next has its octets in the other halves of the 16-bit words: the sum is turned instead.
    sum_ = std::rotl(sum_, 8);
    odd_ = !odd_;
  }

  // A 64-bit one's complement sum. Its four 16-bit parts hold octets as they lie in memory; fold() turns them
  // into host order, once (RFC 1071 §2(B): the sum does not depend on byte order).
  std::uint64_t sum_ = 0;
  bool odd_ = false;  // an odd number of octets came so far: the halves of the 16-bit parts are exchanged
};

std::uint16_t checksum(Bytes octets);

// Source, destination, protocol and transport length, as TCP, UDP and ICMPv6 put them in front (RFC 9293
// §3.1, RFC 768, RFC 8200 §8.1). `length` is the transport header plus payload, in octets.
ChecksumSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination, IpProtocol protocol,
                              std::uint32_t length);

// Adds the octets of the packet, head and tail, from `offset` on.
void add_packet(ChecksumSum& sum, const Packet& packet, std::size_t offset = 0);

// The checksum of a header in which one 16-bit field changed (RFC 1624 eqn. 3). All values in host order.
std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t old_value, std::uint16_t new_value);
std::uint16_t update_checksum_u32(std::uint16_t checksum, std::uint32_t old_value, std::uint32_t new_value);

}  // namespace transom::wire
