// Numbers of a header, read and written where they lie. The caller has seen to it that they are there.
#pragma once

#include "stack/base/bytes.h"

namespace transom::link {

inline std::uint16_t get_u16(Bytes at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

inline std::uint32_t get_u32(Bytes at) { return std::uint32_t{get_u16(at)} << 16 | get_u16(at.subspan(2)); }

inline void put_u16(MutableBytes at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

inline void put_u32(MutableBytes at, std::uint32_t value) {
  put_u16(at, static_cast<std::uint16_t>(value >> 16));
  put_u16(at.subspan(2), static_cast<std::uint16_t>(value));
}

}  // namespace transom::link
