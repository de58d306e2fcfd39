#include "drivers/capture/edit/scrub_changes.h"

#include <algorithm>

namespace transom::drivers {

std::size_t ScrubChanges::Hash::operator()(const IpAddress& address) const {
  return siphash(SipKey{}, address.octets());
}

IpAddress ScrubChanges::source(const IpAddress& address) {
  if (known_.size() >= kMaxKnown) known_.clear();
  const auto [entry, is_new] = known_.try_emplace(address);
  if (is_new) entry->second = scrambler_.scramble(address);
  return entry->second;
}

void ScrubChanges::payload(MutableBytes octets, std::uint32_t place) {
  constexpr std::uint32_t kLetters = 26;
  for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>('a' + place++ % kLetters);
}

void ScrubChanges::unknown(MutableBytes octets) { std::ranges::fill(octets, std::uint8_t{0}); }

}  // namespace transom::drivers
