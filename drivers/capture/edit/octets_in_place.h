// Numbers and addresses at a place in a packet, read and written. The caller has seen to it that they are
// there.
#pragma once

#include <algorithm>

#include "stack/link/octets_in_place.h"
#include "stack/wire/cursor.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers {

inline std::uint16_t u16_at(Bytes octets, std::size_t offset) {
  return link::get_u16(octets.subspan(offset));
}
inline void put_u16(MutableBytes octets, std::size_t offset, std::uint16_t value) {
  link::put_u16(octets.subspan(offset), value);
}

inline MutableBytes behind(MutableBytes octets, std::size_t offset) {
  return octets.subspan(std::min(offset, octets.size()));
}

inline IpAddress address_at(Bytes octets, std::size_t offset, std::size_t size) {
  wire::Reader reader(octets.subspan(offset, size));
  return size == 4 ? wire::read_ipv4_address(reader) : wire::read_ipv6_address(reader);
}

inline void put_address(MutableBytes octets, std::size_t offset, std::size_t size, const IpAddress& address) {
  // A change to the other family is none.
  if (address.is_v4() != (size == 4)) return;
  const auto& all = address.octets();
  std::copy(all.end() - static_cast<std::ptrdiff_t>(size), all.end(),
            octets.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace transom::drivers
