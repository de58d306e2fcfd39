// How many ARP replies and neighbour advertisements one asker gets: a token bucket per asker, found by keyed
// hash, so that a node which floods us with questions gets few answers and takes none away from the others.
#pragma once

#include <algorithm>
#include <vector>

#include "stack/base/context.h"

namespace transom::link {

class ReplyLimiter {
 public:
  static constexpr std::int64_t kBurst = 50;
  static constexpr std::int64_t kPerSecond = 20;  // a well-behaved node asks once a second per address

  explicit ReplyLimiter(Context& context)
      : context_(context), key_(context.random.key()), buckets_(kBuckets, Bucket{kFull, context.now}) {}

  // Whether `asker` may have an answer now; counts it if so.
  bool may_answer(const MacAddress& asker) {
    std::uint64_t word = 0;
    for (const std::uint8_t octet : asker.octets()) word = word << 8 | octet;
    Bucket& bucket = buckets_[siphash_words(key_, {&word, 1}) % kBuckets];
    // Longer pauses fill it no further; a bound keeps the product within 64 bits.
    const Duration pause = std::min<Duration>(context_.now - bucket.filled, std::chrono::minutes(1));
    bucket.nano_tokens = std::min(kFull, bucket.nano_tokens + pause.count() * kPerSecond);
    bucket.filled = context_.now;
    if (bucket.nano_tokens < kToken) return false;
    bucket.nano_tokens -= kToken;
    return true;
  }

 private:
  static constexpr std::int64_t kToken = 1'000'000'000;
  static constexpr std::int64_t kFull = kBurst * kToken;
  static constexpr std::size_t kBuckets = 256;

  struct Bucket {
    std::int64_t nano_tokens;
    Instant filled;
  };

  Context& context_;
  SipKey key_;
  std::vector<Bucket> buckets_;
};

}  // namespace transom::link
