#include "drivers/capture/edit/address_scrambler.h"

#include <vector>

#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

using Octets = std::array<std::uint8_t, 16>;

bool bit_of(const Octets& octets, int bit) {
  return (octets[static_cast<std::size_t>(bit) / 8] >> (7 - bit % 8) & 1) != 0;
}

// A block of addresses that stays what it is, and whether what is inside of it does, too.
struct Kept {
  IpPrefix block;
  bool is_fixed_inside;
};

const std::vector<Kept>& kept_blocks(IpFamily family) {
  static const std::vector<Kept> v4{
      {*IpPrefix::parse("0.0.0.0/8"), true},
      {*IpPrefix::parse("127.0.0.0/8"), true},
      {*IpPrefix::parse("169.254.0.0/16"), false},
      {*IpPrefix::parse("224.0.0.0/3"), true},  // multicast, reserved, broadcast
  };
  static const std::vector<Kept> v6{
      {*IpPrefix::parse("::/16"), true},
      {*IpPrefix::parse("fe80::/64"), false},
      {*IpPrefix::parse("ff00::/8"), true},
  };
  return family == IpFamily::kIpv4 ? v4 : v6;
}

}  // namespace

// Each bit is turned over or not, by a hash of the bits before it. It stays where the bits before it lead to
// a block that is kept: then what is outside of the block stays outside, too.
IpAddress AddressScrambler::scramble(const IpAddress& address) const {
  // The low bits name the host that is asked for (RFC 4291 §2.7.1).
  if (address.is_v6() && address.is_multicast()) {
    constexpr IpAddress kSolicited = solicited_node_multicast(IpAddress());
    if (common_prefix_length(address, kSolicited) < 104) return address;
    Octets octets = address.octets();
    const std::uint64_t hash = siphash(key_, octets);
    for (std::size_t i = 13; i < 16; ++i) octets[i] = static_cast<std::uint8_t>(hash >> (8 * (i - 13)));
    return IpAddress::v6(octets);
  }
  const int first = address.is_v4() ? 96 : 0;  // where the address begins in its 16 octets
  const Octets original = address.octets();
  Octets changed = original;
  Octets before{};  // the original bits so far
  if (first > 0) std::copy_n(original.begin(), 12, before.begin());
  for (int bit = 0; bit < address.bits(); ++bit) {
    const int place = first + bit;
    bool is_kept = false;
    for (const Kept& kept : kept_blocks(address.family())) {
      const int shared = std::min<int>(common_prefix_length(address, kept.block.address), kept.block.length);
      // On the way to the block, or within it.
      if (shared >= std::min<int>(bit, kept.block.length) &&
          (bit < kept.block.length || kept.is_fixed_inside))
        is_kept = true;
    }
    const auto mask = static_cast<std::uint8_t>(1U << (7 - place % 8));
    if (!is_kept) {
      std::array<std::uint8_t, 17> message{};
      std::copy(before.begin(), before.end(), message.begin());
      message[16] = static_cast<std::uint8_t>(bit);
      if ((siphash(key_, message) & 1) != 0) changed[static_cast<std::size_t>(place) / 8] ^= mask;
    }
    if (bit_of(original, place)) before[static_cast<std::size_t>(place) / 8] |= mask;
  }
  return address.is_v4() ? IpAddress::v4(changed[12], changed[13], changed[14], changed[15])
                         : IpAddress::v6(changed);
}

MacAddress AddressScrambler::scramble(const MacAddress& mac) const {
  if (mac.is_group() || mac.is_zero()) return mac;
  const std::uint64_t hash = siphash(key_, mac.octets());
  std::array<std::uint8_t, 6> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  octets[0] = static_cast<std::uint8_t>((octets[0] & 0xfcU) | 0x02U);  // locally administered, of one host
  return MacAddress(octets);
}

}  // namespace transom::drivers
