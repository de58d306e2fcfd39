#include "stack/tcp/fast_open_cookies.h"

#include <algorithm>

namespace transom::tcp {

wire::FastOpenCookie FastOpenCookies::make(const SipKey& key, const FourTuple& tuple) {
  const auto client = tuple.remote.address.octets();
  const auto server = tuple.local.address.octets();
  const std::size_t skipped =
      tuple.remote.address.is_v4() ? 12 : 0;  // of an IPv4 address the last four count
  std::array<std::uint8_t, 32> message{};
  auto* const middle = std::copy(client.begin() + skipped, client.end(), message.begin());
  auto* const end = std::copy(server.begin() + skipped, server.end(), middle);
  std::uint64_t hash = siphash(key, Bytes(message.begin(), end));
  wire::FastOpenCookie cookie;
  for (cookie.size = 0; cookie.size < sizeof hash; ++cookie.size, hash >>= 8)
    cookie.octets[cookie.size] = static_cast<std::uint8_t>(hash);
  return cookie;
}

FastOpenCookies::Verdict FastOpenCookies::judge(const FourTuple& tuple,
                                                const wire::FastOpenCookie& cookie) const {
  if (cookie == make(keys_.current, tuple)) return Verdict::kRight;
  if (keys_.previous && cookie == make(*keys_.previous, tuple)) return Verdict::kOld;
  return Verdict::kWrong;
}

}  // namespace transom::tcp
