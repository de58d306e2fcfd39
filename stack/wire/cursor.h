// Reading and writing network-order octets with bounds checks.
//
// Both cursors have a sticky error: after the first access out of range every further read gives zero and
// every further write does nothing, and ok() is false. So a parser reads its fields in the order of the
// header diagram and checks once.
#pragma once

#include <bit>
#include <cstring>

#include "stack/base/bytes.h"

namespace transom::wire {

// Why a header could not be parsed.
enum class ParseError : std::uint8_t {
  kTruncated,   // fewer octets than the header, or than its length fields claim
  kBadVersion,  // not the version this parser is for
  kBadLength,   // a length field that contradicts itself
  kBadOption,   // an option with an impossible length
  kBadValue,    // a field with a value that the protocol forbids
};

// Host order to network order, or back.
template <typename Number>
constexpr Number swap_network_order(Number value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

class Reader {
 public:
  explicit Reader(Bytes octets) : octets_(octets) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }

  // The next `count` octets; empty and an error when there are fewer.
  Bytes bytes(std::size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return {};
    }
    const Bytes part = octets_.subspan(position_, count);
    position_ += count;
    return part;
  }
  Bytes rest() { return bytes(remaining()); }
  void skip(std::size_t count) { bytes(count); }

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return octets_.size() - position_; }
  bool ok() const { return ok_; }

 private:
  template <typename Number>
  Number number() {
    if (!ok_ || sizeof(Number) > remaining()) {
      ok_ = false;
      return 0;
    }
    Number value;
    std::memcpy(&value, octets_.data() + position_, sizeof(Number));
    position_ += sizeof(Number);
    return swap_network_order(value);
  }

  Bytes octets_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(MutableBytes octets) : octets_(octets) {}

  void u8(std::uint8_t value) { number(value); }
  void u16(std::uint16_t value) { number(value); }
  void u32(std::uint32_t value) { number(value); }
  void u64(std::uint64_t value) { number(value); }
  // The next `count` octets, for the caller to fill in; empty and an error when there are fewer.
  MutableBytes take(std::size_t count) {
    if (!reserve(count)) return {};
    return octets_.subspan(position_ - count, count);
  }
  void bytes(Bytes octets) {
    if (!reserve(octets.size())) return;
    if (!octets.empty())
      std::memcpy(octets_.data() + position_ - octets.size(), octets.data(), octets.size());
  }
  void zeros(std::size_t count) {
    if (reserve(count) && count > 0) std::memset(octets_.data() + position_ - count, 0, count);
  }

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return octets_.size() - position_; }
  bool ok() const { return ok_; }

 private:
  bool reserve(std::size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return false;
    }
    position_ += count;
    return true;
  }
  template <typename Number>
  void number(Number value) {
    if (!reserve(sizeof(Number))) return;
    value = swap_network_order(value);
    std::memcpy(octets_.data() + position_ - sizeof(Number), &value, sizeof(Number));
  }

  MutableBytes octets_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace transom::wire
