// How many ICMP errors may go out (RFC 1812 §4.3.2.8, RFC 4443 §2.4(f)): token buckets, one for all and one
// per destination.
//
// A limit that everybody shares lets an attacker find out what others caused (SAD DNS, CVE-2020-25705: forged
// probes use up the common bucket or do not). So a destination's own bucket is asked first, buckets are found
// by keyed hash, and an error costs the common bucket a random number of tokens: what is left of it cannot be
// counted from outside.
#pragma once

#include <vector>

#include "stack/base/context.h"

namespace transom::ip {

class TokenBucket {
 public:
  // Starts full.
  TokenBucket(int per_second, int burst, Instant now)
      : milli_tokens_(std::int64_t{burst} * 1000), per_second_(per_second), burst_(burst), updated_(now) {}

  void refill(Instant now);
  bool has_token() const { return milli_tokens_ >= 1000; }
  void take(int tokens) { milli_tokens_ -= std::int64_t{tokens} * 1000; }

 private:
  std::int64_t milli_tokens_;
  int per_second_;
  int burst_;
  Instant updated_;
};

class RateLimiter {
 public:
  enum class Verdict : std::uint8_t { kAllowed, kTooManyToDestination, kTooMany };

  RateLimiter(Context& context, int per_second, int per_destination);

  // Whether an error may go to `destination` now; counts it if so.
  Verdict may_send(const IpAddress& destination);

 private:
  TokenBucket& bucket_of(const IpAddress& destination);

  Context& context_;
  SipKey key_;
  TokenBucket all_;
  std::vector<TokenBucket> buckets_;
};

}  // namespace transom::ip
