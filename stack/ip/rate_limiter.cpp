#include "stack/ip/rate_limiter.h"

#include <algorithm>

#include "stack/ip/address_words.h"

namespace transom::ip {

namespace {
constexpr std::size_t kBuckets = 1024;
constexpr int kBurst = 50;
}  // namespace

void TokenBucket::refill(Instant now) {
  const Duration full =
      std::chrono::seconds(per_second_ > 0 ? burst_ / per_second_ + 2 : 0);  // longer than this adds nothing
  const Duration elapsed = std::min<Duration>(now - updated_, full);
  const std::int64_t gained = elapsed.count() * per_second_ / 1'000'000;  // thousandths of a token
  if (gained == 0) return;  // keep the fraction for the next time
  updated_ = now;
  milli_tokens_ = std::min(milli_tokens_ + gained, std::int64_t{burst_} * 1000);
}

RateLimiter::RateLimiter(Context& context, int per_second, int per_destination)
    : context_(context),
      key_(context.random.key()),
      all_(per_second, kBurst, context.now),
      buckets_(kBuckets, TokenBucket(per_destination, per_destination, context.now)) {}

RateLimiter::Verdict RateLimiter::may_send(const IpAddress& destination) {
  TokenBucket& own = bucket_of(destination);
  own.refill(context_.now);
  all_.refill(context_.now);
  if (!own.has_token()) return Verdict::kTooManyToDestination;
  if (!all_.has_token()) return Verdict::kTooMany;
  own.take(1);
  all_.take(static_cast<int>(context_.random.below(3)));  // one on average
  return Verdict::kAllowed;
}

TokenBucket& RateLimiter::bucket_of(const IpAddress& destination) {
  auto [high, low] = words_of(destination);
  if (destination.is_v6()) low = 0;  // an IPv6 node has a whole /64 to speak from
  const std::uint64_t words[] = {high, low};
  return buckets_[siphash_words(key_, words) % buckets_.size()];
}

}  // namespace transom::ip
