// A TCP sequence number: a point on a circle of 2^32 (RFC 9293 §3.4).
//
// Points on a circle have no order, so SeqNum has no operator<. Two questions make sense and are named:
// `is_before(a, b)`, true when walking forward from a reaches b in less than half the circle, and
// `b - a`, the signed length of that walk. Adding a number of octets gives another point. A SeqNum does
// not convert to or from an integer by accident; `value()` is for the wire and for printing.
#pragma once

#include <cstdint>

namespace transom {

class SeqNum {
 public:
  constexpr SeqNum() = default;
  explicit constexpr SeqNum(std::uint32_t value) : value_(value) {}

  constexpr std::uint32_t value() const { return value_; }

  constexpr SeqNum& operator+=(std::uint32_t octets) {
    value_ += octets;
    return *this;
  }
  friend constexpr SeqNum operator+(SeqNum start, std::uint32_t octets) {
    return SeqNum(start.value_ + octets);
  }
  friend constexpr SeqNum operator-(SeqNum start, std::uint32_t octets) {
    return SeqNum(start.value_ - octets);
  }

  // Signed distance in octets from `from` to `to`; meaningful while they are less than 2^31 apart.
  friend constexpr std::int32_t operator-(SeqNum to, SeqNum from) {
    return static_cast<std::int32_t>(to.value_ - from.value_);
  }
  friend constexpr bool operator==(SeqNum, SeqNum) = default;

 private:
  std::uint32_t value_ = 0;
};

constexpr bool is_before(SeqNum a, SeqNum b) { return a - b < 0; }
constexpr bool is_at_or_before(SeqNum a, SeqNum b) { return a - b <= 0; }
constexpr bool is_after(SeqNum a, SeqNum b) { return a - b > 0; }
constexpr bool is_at_or_after(SeqNum a, SeqNum b) { return a - b >= 0; }

// The later of two points that are less than half a circle apart.
constexpr SeqNum later_of(SeqNum a, SeqNum b) { return is_after(a, b) ? a : b; }
constexpr SeqNum earlier_of(SeqNum a, SeqNum b) { return is_before(a, b) ? a : b; }

// Octets from `from` forward to `to`; the caller knows that `to` is not before `from`.
constexpr std::uint32_t octets_between(SeqNum from, SeqNum to) { return to.value() - from.value(); }

}  // namespace transom
