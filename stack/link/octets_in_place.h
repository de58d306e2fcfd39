// Numbers of a header, read and written where they lie. The caller has seen to it that they are there.
#pragma once

#include <cstring>

#include "stack/base/bytes.h"
#include "stack/wire/cursor.h"

namespace transom::link {

namespace detail {

template <typename Number>
Number get(Bytes at) {
  Number number;
  std::memcpy(&number, at.data(), sizeof number);
  return wire::swap_network_order(number);
}

template <typename Number>
void put(MutableBytes at, Number value) {
  value = wire::swap_network_order(value);
  std::memcpy(at.data(), &value, sizeof value);
}

}  // namespace detail

inline std::uint16_t get_u16(Bytes at) { return detail::get<std::uint16_t>(at); }
inline std::uint32_t get_u32(Bytes at) { return detail::get<std::uint32_t>(at); }
inline void put_u16(MutableBytes at, std::uint16_t value) { detail::put(at, value); }
inline void put_u32(MutableBytes at, std::uint32_t value) { detail::put(at, value); }

}  // namespace transom::link
