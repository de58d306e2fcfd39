// Reading and writing network-order octets with bounds checks.
//
// Both cursors have a sticky error: after the first access out of range every further read gives zero and every
// further write does nothing, and ok() is false. So a parser reads its fields in the order of the header
// diagram and checks once.
#pragma once

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

class Reader {
 public:
  explicit Reader(Bytes octets) : octets_(octets) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number<1>()); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number<2>()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number<4>()); }
  std::uint64_t u64() { return number<8>(); }

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
  template <std::size_t kCount>
  std::uint64_t number() {
    if (!ok_ || kCount > remaining()) {
      ok_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kCount; ++i) value = value << 8 | octets_[position_ + i];
    position_ += kCount;
    return value;
  }

  Bytes octets_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(MutableBytes octets) : octets_(octets) {}

  void u8(std::uint8_t value) { number<1>(value); }
  void u16(std::uint16_t value) { number<2>(value); }
  void u32(std::uint32_t value) { number<4>(value); }
  void u64(std::uint64_t value) { number<8>(value); }
  void bytes(Bytes octets) {
    if (!reserve(octets.size())) return;
    if (!octets.empty()) std::memcpy(octets_.data() + position_ - octets.size(), octets.data(), octets.size());
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
  template <std::size_t kCount>
  void number(std::uint64_t value) {
    if (!reserve(kCount)) return;
    for (std::size_t i = 0; i < kCount; ++i) {
      octets_[position_ - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
  }

  MutableBytes octets_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace transom::wire
