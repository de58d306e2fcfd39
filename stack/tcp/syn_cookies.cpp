#include "stack/tcp/syn_cookies.h"

#include <algorithm>
#include <array>

namespace transom::tcp {

namespace {

constexpr std::array<std::uint16_t, 8> kMss = {216, 536, 1220, 1300, 1440, 1460, 4312, 8940};
constexpr std::uint32_t kHashMask = 0xffffff;
constexpr std::uint32_t kOptionMask = 0x3f;
constexpr std::uint32_t kNoScale = 0xf;
constexpr std::uint32_t kSackBit = 0x10;
constexpr std::uint32_t kEcnBit = 0x20;

std::uint64_t period_of(Instant now) {
  return static_cast<std::uint64_t>(
             std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()) /
         64;
}

}  // namespace

std::uint32_t SynCookies::hash(const FourTuple& tuple, SeqNum irs, std::uint64_t period,
                               std::uint32_t mss_index) const {
  const std::uint64_t extra = std::uint64_t{irs.value()} << 32 | (period << 3 | mss_index);
  return static_cast<std::uint32_t>(secrets_.cookie_hash(tuple, extra)) & kHashMask;
}

SeqNum SynCookies::make(const FourTuple& tuple, SeqNum irs, std::uint16_t peer_mss, Instant now) const {
  const std::uint64_t period = period_of(now);
  const auto above =
      std::upper_bound(kMss.begin() + 1, kMss.end(), peer_mss);  // the largest that is not too large
  const auto index = static_cast<std::uint32_t>(above - kMss.begin() - 1);
  const auto time = static_cast<std::uint32_t>(period & 0x1f);
  return SeqNum(time << 27 | index << 24 | hash(tuple, irs, period, index));
}

std::uint32_t SynCookies::timestamp(const FourTuple& tuple, const Negotiated& negotiated, Instant now) const {
  const std::uint32_t present = timestamp_ticks(now) + secrets_.timestamp_offset(tuple);
  const std::uint32_t options = (negotiated.window_scaling ? negotiated.send_scale : kNoScale) |
                                (negotiated.sack ? kSackBit : 0) |
                                (negotiated.ecn.kind != EcnKind::kNone ? kEcnBit : 0);
  const std::uint32_t value = (present & ~kOptionMask) | options;
  return value > present ? value - (kOptionMask + 1) : value;  // never ahead of the clock
}

std::optional<Negotiated> SynCookies::check(const Segment& ack, const wire::TcpOptions& ours,
                                            Instant now) const {
  const std::uint32_t cookie = (ack.header.acknowledgment - 1).value();
  const SeqNum irs = ack.header.sequence - 1;
  const std::uint32_t index = cookie >> 24 & 7;
  const std::uint64_t present = period_of(now);
  for (std::uint64_t age = 0; age <= 1 && age <= present; ++age) {
    const std::uint64_t period = present - age;
    if ((period & 0x1f) != cookie >> 27 || hash(ack.tuple(), irs, period, index) != (cookie & kHashMask))
      continue;
    Negotiated negotiated;
    negotiated.peer_mss = kMss[index];
    if (const auto& timestamps = ack.header.options.timestamps; timestamps && ours.timestamps) {
      const std::uint32_t scale = timestamps->echo & kNoScale;
      negotiated.timestamps = true;
      negotiated.ts_recent = timestamps->value;
      negotiated.sack = ours.sack_permitted && (timestamps->echo & kSackBit) != 0;
      if ((timestamps->echo & kEcnBit) != 0) negotiated.ecn.kind = EcnKind::kClassic;
      negotiated.window_scaling = ours.window_scale && scale != kNoScale;
      negotiated.send_scale = negotiated.window_scaling ? static_cast<std::uint8_t>(scale) : 0;
      negotiated.receive_scale = negotiated.window_scaling ? *ours.window_scale : std::uint8_t{0};
    }
    return negotiated;
  }
  return std::nullopt;
}

}  // namespace transom::tcp
