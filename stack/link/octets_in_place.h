// 16-bit numbers of a header, read and written where they lie. The caller has seen to it that they are there.
#pragma once

#include "stack/base/bytes.h"

namespace transom::link {

inline std::uint16_t get_u16(Bytes at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

inline void put_u16(MutableBytes at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

}  // namespace transom::link
