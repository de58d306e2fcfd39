// The options of a RawSocket: raw(7), RFC 3542 §3.
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in6.h>

#include "socket_api/option_value.h"
#include "socket_api/raw_socket.h"

namespace transom::sockets {

namespace {
constexpr int kChecksumOption = 7;     // IPV6_CHECKSUM
constexpr int kHeaderIncludedV6 = 36;  // IPV6_HDRINCL
constexpr int kIcmpv6Filter = 1;       // ICMPV6_FILTER, ICMP6_FILTER
constexpr std::size_t kIcmpFilterSize = 4, kIcmpv6FilterSize = 32;
}  // namespace

std::optional<Outcome<void>> RawSocket::set_raw_option(int level, int name, Bytes value) {
  const bool is_v4 = domain() == AF_INET;
  const bool is_header_option =
      is_v4 ? level == IPPROTO_IP && name == IP_HDRINCL : level == IPPROTO_IPV6 && name == kHeaderIncludedV6;
  if (is_header_option) {
    const auto on = is_v4 ? read_ip_int(value) : read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    header_included_ = *on != 0;
    return Outcome<void>();
  }
  const bool is_filter_level = level == (is_v4 ? int{SOL_RAW} : int{IPPROTO_ICMPV6});
  if (is_filter_level && name == kIcmpv6Filter) {
    static_assert(kIcmpv6Filter == ICMP_FILTER);
    if (!is_icmp()) return fail(EOPNOTSUPP);
    const std::size_t size = std::min(value.size(), is_v4 ? kIcmpFilterSize : kIcmpv6FilterSize);
    std::memcpy(icmp_filter_.data(), value.data(), size);
    return Outcome<void>();
  }
  if (!is_v4 && (level == SOL_RAW || level == IPPROTO_IPV6) && name == kChecksumOption) {
    const auto offset = read_option<int>(value);
    if (!offset) return std::unexpected(offset.error());
    // RFC 3542 §3.1: ICMPv6 has its own, and an odd offset is refused.
    if ((is_icmp() && level == IPPROTO_IPV6) || (*offset > 0 && *offset % 2 != 0)) return fail(EINVAL);
    checksum_offset_ = std::max(*offset, -1);
    return Outcome<void>();
  }
  if (level == SOL_RAW) return fail(ENOPROTOOPT);
  return std::nullopt;
}

std::optional<Outcome<std::size_t>> RawSocket::get_raw_option(int level, int name, MutableBytes out) const {
  const bool is_v4 = domain() == AF_INET;
  const auto written = [](std::size_t size) { return Outcome<std::size_t>(size); };
  if (is_v4 && level == IPPROTO_IP && name == IP_HDRINCL) return written(write_ip_int(out, header_included_));
  if (!is_v4 && level == IPPROTO_IPV6 && name == kHeaderIncludedV6)
    return written(write_bool_option(out, header_included_));
  if (level == (is_v4 ? int{SOL_RAW} : int{IPPROTO_ICMPV6}) && name == kIcmpv6Filter) {
    if (!is_icmp()) return fail(EOPNOTSUPP);
    const MutableBytes room = out.first(std::min(out.size(), is_v4 ? kIcmpFilterSize : kIcmpv6FilterSize));
    return written(write_option(room, icmp_filter_));
  }
  if (!is_v4 && (level == SOL_RAW || level == IPPROTO_IPV6) && name == kChecksumOption)
    return written(write_int_option(out, checksum_offset_));
  if (level == SOL_RAW) return fail(ENOPROTOOPT);
  return std::nullopt;
}

Outcome<void> RawSocket::set_option(Session& session, int level, int name, Bytes value) {
  if (const auto done = set_raw_option(level, name, value)) return *done;
  return Socket::set_option(session, level, name, value);
}

Outcome<std::size_t> RawSocket::get_option(Session& session, int level, int name, MutableBytes out) {
  if (const auto done = get_raw_option(level, name, out)) return *done;
  return Socket::get_option(session, level, name, out);
}

}  // namespace transom::sockets
