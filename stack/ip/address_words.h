// An address as two numbers, for keyed hashes.
#pragma once

#include <bit>

#include "stack/base/address.h"

namespace transom::ip {

using AddressWords = std::array<std::uint64_t, 2>;

inline AddressWords words_of(const IpAddress& address) {
  return std::bit_cast<AddressWords>(address.octets());
}

}  // namespace transom::ip
