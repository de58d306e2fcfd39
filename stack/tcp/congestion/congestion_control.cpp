#include "stack/tcp/congestion/congestion_control.h"

#include <algorithm>

namespace transom::tcp {

std::uint64_t RateSample::rate() const {
  if (interval <= Duration::zero()) return 0;
  // Below 2^34 octets per interval the product fits.
  constexpr std::uint64_t kSecond = 1'000'000'000;
  return std::min(delivered, std::uint64_t{1} << 34) * kSecond / static_cast<std::uint64_t>(interval.count());
}

void CongestionControl::on_sent(const CongestionView&, std::uint64_t) {}

std::size_t CongestionControl::metrics(std::span<Metric>) const { return 0; }

std::uint64_t initial_window(std::uint32_t mss, bool syn_was_lost) {
  if (syn_was_lost) return mss;
  return std::min<std::uint64_t>(std::uint64_t{10} * mss,
                                 std::max<std::uint64_t>(std::uint64_t{2} * mss, 14600));
}

}  // namespace transom::tcp
