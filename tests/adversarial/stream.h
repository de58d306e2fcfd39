// Octets that are a function of their position, so that a stream can be checked wherever it is seen and
// nobody keeps a copy.
#pragma once

#include <array>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/siphash.h"

namespace transom::test {

class Stream {
 public:
  explicit Stream(std::uint64_t key = 0) : key_(key) {}
  // What `from` says to `to` in the run with this seed.
  Stream(std::uint64_t seed, const Endpoint& from, const Endpoint& to) : key_(key_of(seed, from, to)) {}

  std::uint8_t at(std::uint64_t position) const {
    return static_cast<std::uint8_t>(word(position / 8) >> (8 * (position % 8)));
  }
  void fill(std::uint64_t position, MutableBytes out) const {
    for (std::size_t i = 0; i < out.size();) {
      std::uint64_t octets = word((position + i) / 8) >> (8 * ((position + i) % 8));
      const std::size_t end = std::min<std::size_t>(out.size(), i + 8 - (position + i) % 8);
      for (; i < end; ++i, octets >>= 8U) out[i] = static_cast<std::uint8_t>(octets);
    }
  }
  bool matches(std::uint64_t position, Bytes octets) const {
    std::array<std::uint8_t, 256> expected;
    while (!octets.empty()) {
      const Bytes piece = octets.first(std::min(octets.size(), expected.size()));
      fill(position, std::span(expected).first(piece.size()));
      if (!std::equal(piece.begin(), piece.end(), expected.begin())) return false;
      position += piece.size();
      octets = octets.subspan(piece.size());
    }
    return true;
  }

 private:
  static std::uint64_t key_of(std::uint64_t seed, const Endpoint& from, const Endpoint& to) {
    std::array<std::uint8_t, 36> octets{};
    const auto put = [&octets](std::size_t at, const Endpoint& endpoint) {
      std::ranges::copy(endpoint.address.octets(), octets.begin() + static_cast<std::ptrdiff_t>(at));
      octets[at + 16] = static_cast<std::uint8_t>(to_number(endpoint.port) >> 8U);
      octets[at + 17] = static_cast<std::uint8_t>(to_number(endpoint.port));
    };
    put(0, from);
    put(18, to);
    return siphash({seed, 0x73747265616d}, octets);
  }
  std::uint64_t word(std::uint64_t number) const {  // splitmix64
    std::uint64_t mixed = key_ + (number + 1) * 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31U);
  }

  std::uint64_t key_;
};

}  // namespace transom::test
