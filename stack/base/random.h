// The stack's source of unpredictable numbers: a generator that is a pure function of its seed (SipHash in
// counter mode). A driver on a real device seeds it from the system; a simulation seeds it with a number, and
// the whole run repeats.
#pragma once

#include <cstdint>

#include "stack/base/siphash.h"
#include "stack/base/time.h"

namespace transom {

using Seed = SipKey;

// A seed from one small number, for simulations and --seed. Not a secret.
constexpr Seed seed_from_number(std::uint64_t number) { return {number, ~number * 0x9e3779b97f4a7c15ULL}; }

class Random {
 public:
  explicit Random(const Seed& seed) : key_(seed) {}

  std::uint64_t next() {
    const std::uint64_t counter = counter_++;
    return siphash_words(key_, {&counter, 1});
  }
  // Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [low, high].
  Duration between(Duration low, Duration high);
  // True with the given probability in [0, 1].
  bool chance(double probability);
  SipKey key() { return {next(), next()}; }

 private:
  SipKey key_;
  std::uint64_t counter_ = 0;
};

}  // namespace transom
