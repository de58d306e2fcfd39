#include "stack/ip/path_mtu.h"

#include <algorithm>
#include <array>

namespace transom::ip {

namespace {
constexpr std::uint32_t kMaxPacket = 65535;
}  // namespace

std::uint32_t PathMtu::current(Destination& destination) const {
  const std::uint32_t link_mtu =
      std::min(destination.interface->mtu_for(destination.address.family()), kMaxPacket);
  if (destination.learnt_mtu == 0) return link_mtu;
  if (context_.now >= destination.learnt_mtu_expires) {  // RFC 1191 §6.3, RFC 8201 §4: try the larger again
    destination.learnt_mtu = 0;
    destination.mtu_is_locked = false;
    return link_mtu;
  }
  return std::min(link_mtu, destination.learnt_mtu);
}

bool PathMtu::learn(Destination& destination, std::uint32_t mtu) const {
  const bool is_v4 = destination.address.is_v4();
  const std::uint32_t floor = is_v4 ? min_v4_ : kMinIpv6;
  const std::uint32_t before = current(destination);
  const std::uint32_t effective = std::max(mtu, floor);
  const bool locks = is_v4 && mtu < floor && !destination.mtu_is_locked;
  if (effective >= before && !(locks && effective == before)) return false;  // RFC 1191 §3: never raise
  destination.learnt_mtu = effective;
  destination.learnt_mtu_expires = context_.now + timeout_;
  if (locks) destination.mtu_is_locked = true;
  return true;
}

std::uint32_t plateau_below(std::uint32_t size) {
  constexpr std::array<std::uint32_t, 10> kPlateaus = {65535, 32000, 17914, 8166, 4352,
                                                       2002,  1492,  1006,  508,  296};
  const auto found =
      std::ranges::find_if(kPlateaus, [size](std::uint32_t plateau) { return plateau < size; });
  constexpr std::uint32_t kSmallest = 68;
  return found == kPlateaus.end() ? kSmallest : *found;
}

}  // namespace transom::ip
