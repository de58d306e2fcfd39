// Whether two streams of octets are the same, as their pieces become known: from either side, in any order,
// repeated or overlapping. Octets that both sides have shown are compared and forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "stack/base/bytes.h"

namespace transom::drivers::replay {

class StreamCheck {
 public:
  enum class Side : std::uint8_t { kRecorded, kActual };

  // `position`: of the first octet in the stream, from 0. Of octets that come twice the first copy counts.
  void add(Side side, std::uint64_t position, Bytes octets);

  // Octets known without a gap from the start.
  std::uint64_t length(Side side) const { return of(side).end; }
  std::uint64_t compared() const { return compared_; }
  std::uint64_t different() const { return different_; }  // octets
  std::optional<std::uint64_t> first_difference() const { return first_difference_; }
  bool are_equal() const { return different_ == 0 && length(Side::kRecorded) == length(Side::kActual); }
  // Octets that came behind a gap which was not filled, of which too many were held.
  std::uint64_t given_up() const { return given_up_; }

 private:
  static constexpr std::size_t kMaxHeld = std::size_t{64} << 20;

  struct Half {
    std::uint64_t end = 0;              // in order up to here
    std::vector<std::uint8_t> waiting;  // in order, not compared yet; from `compared_` on
    std::size_t consumed = 0;           // of `waiting`
    std::map<std::uint64_t, std::vector<std::uint8_t>> beyond;  // behind gaps
  };

  Half& of(Side side) { return halves_[static_cast<std::size_t>(side)]; }
  const Half& of(Side side) const { return halves_[static_cast<std::size_t>(side)]; }
  static void append(Half& half, std::uint64_t position, Bytes octets);
  void compare();

  std::array<Half, 2> halves_;
  std::uint64_t compared_ = 0;
  std::uint64_t different_ = 0;
  std::uint64_t given_up_ = 0;
  std::size_t held_ = 0;  // octets behind gaps
  std::optional<std::uint64_t> first_difference_;
};

}  // namespace transom::drivers::replay
