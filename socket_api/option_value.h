// The values of setsockopt(2) and getsockopt(2): octets in, octets out, with the length rules of Linux.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "socket_api/outcome.h"
#include "stack/base/bytes.h"

namespace transom::sockets {

// EINVAL when the value is too short.
template <typename T>
Outcome<T> read_option(Bytes value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (value.size() < sizeof(T)) return fail(EINVAL);
  T result;
  std::memcpy(&result, value.data(), sizeof result);
  return result;
}

// An int within [low, high]; EINVAL otherwise.
inline Outcome<int> read_int_option(Bytes value, int low, int high) {
  const auto number = read_option<int>(value);
  if (!number || *number < low || *number > high) return fail(EINVAL);
  return *number;
}

// As much as there is room for. Returns how much that was.
template <typename T>
std::size_t write_option(MutableBytes out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t size = std::min(out.size(), sizeof value);
  std::memcpy(out.data(), &value, size);
  return size;
}

inline std::size_t write_int_option(MutableBytes out, int value) { return write_option(out, value); }
inline std::size_t write_bool_option(MutableBytes out, bool value) {
  return write_int_option(out, value ? 1 : 0);
}

// ip(7): most options of this level, and some control messages, may also be one octet long.
inline Outcome<int> read_ip_int(Bytes value) {
  if (value.size() >= sizeof(int)) return read_option<int>(value);
  return value.empty() ? 0 : int{value.front()};
}

inline Outcome<int> read_ip_int(Bytes value, int low, int high) {
  const auto number = read_ip_int(value);
  if (!number || *number < low || *number > high) return fail(EINVAL);
  return *number;
}

inline std::size_t write_ip_int(MutableBytes out, int value) {
  if (out.size() < sizeof(int) && !out.empty() && value >= 0 && value <= 255) {
    out.front() = static_cast<std::uint8_t>(value);
    return 1;
  }
  return write_int_option(out, value);
}

}  // namespace transom::sockets
