// Reads numbers in the byte order that a capture file was written in.
#pragma once

#include <bit>

#include "stack/wire/cursor.h"

namespace transom::drivers {

class OrderedReader {
 public:
  OrderedReader(Bytes octets, bool is_big_endian) : reader_(octets), is_big_endian_(is_big_endian) {}

  std::uint16_t u16() { return ordered(reader_.u16()); }
  std::uint32_t u32() { return ordered(reader_.u32()); }
  std::uint64_t u64() { return ordered(reader_.u64()); }
  Bytes bytes(std::size_t count) { return reader_.bytes(count); }
  void skip(std::size_t count) { reader_.skip(count); }

  std::size_t position() const { return reader_.position(); }
  std::size_t remaining() const { return reader_.remaining(); }
  bool ok() const { return reader_.ok(); }

 private:
  template <typename Number>
  Number ordered(Number value) const {
    return is_big_endian_ ? value : std::byteswap(value);
  }

  wire::Reader reader_;
  bool is_big_endian_;
};

}  // namespace transom::drivers
