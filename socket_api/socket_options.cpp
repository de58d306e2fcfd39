// The options of level SOL_SOCKET, and the way to the other levels: socket(7).
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "socket_api/option_value.h"
#include "socket_api/socket.h"

namespace transom::sockets {

namespace {

constexpr int kMaxBuffer = 16 << 20;  // what one socket may ask for

Outcome<Duration> read_timeout(Bytes value) {
  const auto time = read_option<timeval>(value);
  if (!time) return std::unexpected(time.error());
  if (time->tv_usec < 0 || time->tv_usec >= 1'000'000) return fail(EDOM);
  if (time->tv_sec < 0) return Duration::zero();  // as Linux: gives up at once
  constexpr time_t kForEver = 1'000'000'000;      // 30 years
  if ((time->tv_sec == 0 && time->tv_usec == 0) || time->tv_sec > kForEver) return Duration::max();
  return std::chrono::seconds(time->tv_sec) + std::chrono::microseconds(time->tv_usec);
}

std::size_t write_timeout(MutableBytes out, Duration timeout) {
  timeval time{};
  if (timeout != Duration::max()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    time.tv_sec = seconds.count();
    time.tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(timeout - seconds).count();
  }
  return write_option(out, time);
}

std::int32_t read_linger(const linger& value) {
  if (value.l_onoff == 0) return -1;
  return std::clamp(value.l_linger, 0, INT32_MAX / 2);
}

Outcome<InterfaceId> find_interface(Session& session, Bytes name) {
  const Bytes cut = name.first(std::min<std::size_t>(name.size(), IFNAMSIZ - 1));
  const std::string_view text(reinterpret_cast<const char*>(cut.data()),
                              static_cast<std::size_t>(std::ranges::find(cut, 0) - cut.begin()));
  if (text.empty()) return InterfaceId::kAny;
  for (const auto& interface : session.host().link().interfaces()) {
    if (interface->name() == text) return interface->id();
  }
  return fail(ENODEV);
}

Outcome<std::size_t> write_interface_name(Session& session, MutableBytes out, InterfaceId id) {
  const link::Interface* const interface = session.host().link().interface(id);
  if (interface == nullptr) return 0;
  if (out.size() < IFNAMSIZ) return fail(EINVAL);
  std::array<char, IFNAMSIZ> name{};
  const std::size_t length = interface->name().copy(name.data(), name.size() - 1);
  return write_option(out.first(length + 1), name);
}

// A long, or as of old an int; all ones for none.
Outcome<std::uint64_t> read_rate(Bytes value) {
  if (value.size() >= sizeof(std::uint64_t)) return read_option<std::uint64_t>(value);
  const auto rate = read_option<std::uint32_t>(value);
  if (!rate) return std::unexpected(rate.error());
  return *rate == UINT32_MAX ? UINT64_MAX : std::uint64_t{*rate};
}

std::size_t write_rate(MutableBytes out, std::uint64_t rate) {
  if (out.size() >= sizeof rate) return write_option(out, rate);
  return write_option(out, static_cast<std::uint32_t>(std::min<std::uint64_t>(rate, UINT32_MAX)));
}

// As Linux: the interface need not exist.
Outcome<InterfaceId> read_interface(Bytes value) {
  const auto index = read_option<int>(value);
  if (!index || *index < 0) return fail(EINVAL);
  if (*index > UINT16_MAX) return fail(ENODEV);
  return static_cast<InterfaceId>(*index);
}

}  // namespace

Outcome<void> Socket::set_option(Session& session, int level, int name, Bytes value) {
  if (level == SOL_SOCKET) return set_socket_option(session, name, value);
  if (level != IPPROTO_IP && level != IPPROTO_IPV6) return fail(ENOPROTOOPT);
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && domain() == AF_INET6) {
    const auto on = read_option<int>(value);
    if (!on || is_bound()) return fail(EINVAL);
    settings_.ip.v6_only = *on != 0;
    return {};
  }
  const auto done = set_ip_option(session, kind_, settings_.ip, level, name, value);
  if (done) apply_settings(session);
  return done;
}

Outcome<std::size_t> Socket::get_option(Session& session, int level, int name, MutableBytes out) {
  if (level == SOL_SOCKET) return get_socket_option(session, name, out);
  if (level != IPPROTO_IP && level != IPPROTO_IPV6)
    return fail(domain() == AF_INET ? EOPNOTSUPP : ENOPROTOOPT);  // as Linux has it
  const bool asks_mtu = (level == IPPROTO_IP && name == IP_MTU) ||
                        (level == IPPROTO_IPV6 && name == IPV6_MTU && domain() == AF_INET6);
  if (!asks_mtu) return get_ip_option(session, kind_, settings_.ip, level, name, out);
  const auto peer = remote_address();
  if (!peer) return fail(ENOTCONN);
  ip::IpLayer& ip = session.host().ip();
  auto destination = ip.destination(peer->endpoint.address, settings_.interface);
  if (!destination) return fail(ENOTCONN);
  return write_int_option(out, static_cast<int>(ip.path_mtu(**destination)));
}

Outcome<void> Socket::set_timestamping(Bytes value) {
  constexpr int kKnown = (SOF_TIMESTAMPING_LAST << 1) - 1;
  const auto flags = read_option<int>(value);
  if (!flags || (*flags & ~kKnown) != 0) return fail(EINVAL);
  const bool counts_anew =
      (*flags & SOF_TIMESTAMPING_OPT_ID) != 0 && (settings_.timestamping & SOF_TIMESTAMPING_OPT_ID) == 0;
  if (counts_anew) {
    if (const auto started = start_timestamp_keys(); !started) return started;
  }
  settings_.timestamping = static_cast<unsigned>(*flags);
  return {};
}

Outcome<void> Socket::set_filter_option(int name, Bytes value) {
  if (!takes_filter()) return fail(EOPNOTSUPP);
  if (name == SO_LOCK_FILTER) {
    const auto on = read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    if (settings_.filter_is_locked && *on == 0) return fail(EPERM);
    settings_.filter_is_locked = *on != 0;
    return {};
  }
  if (settings_.filter_is_locked) return fail(EPERM);
  if (name == SO_DETACH_FILTER) {
    if (!settings_.filter) return fail(ENOENT);
    settings_.filter.reset();
    return {};
  }
  const auto program = value.size() == sizeof(sock_fprog) ? read_option<sock_fprog>(value) : fail(EINVAL);
  if (!program) return std::unexpected(program.error());
  if (program->filter == nullptr) return fail(EFAULT);
  std::vector<drivers::FilterInstruction> instructions;
  for (const sock_filter& one : std::span(program->filter, program->len))
    instructions.push_back({one.code, one.jt, one.jf, one.k});
  auto filter = drivers::PacketFilter::make(instructions);
  if (!filter) return fail(EINVAL);
  settings_.filter = std::make_shared<drivers::PacketFilter>(std::move(*filter));
  return {};
}

Outcome<void> Socket::set_socket_option(Session& session, int name, Bytes value) {
  const auto set_bool = [&](bool& place) -> Outcome<void> {
    const auto on = read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    place = *on != 0;
    return {};
  };
  const auto set_buffer = [&](std::optional<std::uint32_t>& place) -> Outcome<void> {
    const auto size = read_option<int>(value);
    if (!size) return std::unexpected(size.error());
    place = static_cast<std::uint32_t>(std::clamp(*size, 0, kMaxBuffer));
    return {};
  };
  const auto set_timeout = [&](Duration& place) -> Outcome<void> {
    const auto timeout = read_timeout(value);
    if (!timeout) return std::unexpected(timeout.error());
    place = *timeout;
    return {};
  };
  const auto set_one = [&]() -> Outcome<void> {
    switch (name) {
      case SO_REUSEADDR:
        return set_bool(settings_.reuse_address);
      case SO_REUSEPORT:
        return set_bool(settings_.reuse_port);
      case SO_BROADCAST:
        return set_bool(settings_.broadcast);
      case SO_KEEPALIVE:
        return set_bool(settings_.keep_alive);
      case SO_OOBINLINE:
        return set_bool(settings_.out_of_band_inline);
      case SO_SNDBUF:
      case SO_SNDBUFFORCE:
        return set_buffer(settings_.send_buffer);
      case SO_RCVBUF:
      case SO_RCVBUFFORCE:
        return set_buffer(settings_.receive_buffer);
      case SO_PEEK_OFF: {
        const auto offset = read_option<int>(value);
        if (!offset) return std::unexpected(offset.error());
        if (!takes_peek_offset()) return fail(EOPNOTSUPP);
        settings_.peek_offset = *offset;
        return {};
      }
      case SO_RCVLOWAT: {
        const auto octets = read_option<int>(value);
        if (!octets) return std::unexpected(octets.error());
        settings_.receive_low_water = *octets < 0 ? INT32_MAX : std::max(*octets, 1);
        return {};
      }
      case SO_NO_CHECK:
        return set_bool(settings_.no_checksum);
      case SO_PASSCRED:
      case SO_PASSSEC:
        return fail(EOPNOTSUPP);  // of AF_UNIX
      case SO_ZEROCOPY: {
        if (!takes_zero_copy()) return fail(EOPNOTSUPP);
        const auto on = read_int_option(value, 0, 1);
        if (!on) return std::unexpected(on.error());
        settings_.zero_copy = *on != 0;
        return {};
      }
      case SO_MAX_PACING_RATE: {
        const auto rate = read_rate(value);
        if (!rate) return std::unexpected(rate.error());
        settings_.max_pacing_rate = *rate;
        return {};
      }
      case SO_BINDTOIFINDEX: {
        const auto interface = read_interface(value);
        if (!interface) return std::unexpected(interface.error());
        settings_.interface = *interface;
        return {};
      }
      case SO_ATTACH_FILTER:
      case SO_DETACH_FILTER:
      case SO_LOCK_FILTER:
        return set_filter_option(name, value);
      case SO_SNDTIMEO:
        return set_timeout(settings_.send_timeout);
      case SO_RCVTIMEO:
        return set_timeout(settings_.receive_timeout);
      case SO_LINGER: {
        const auto wanted = read_option<linger>(value);
        if (!wanted) return std::unexpected(wanted.error());
        settings_.linger = read_linger(*wanted);
        return {};
      }
      case SO_RXQ_OVFL:
        return set_bool(settings_.receive_overflow);
      case SO_TIMESTAMP:
      case SO_TIMESTAMPNS: {
        bool on = false;
        if (const auto done = set_bool(on); !done) return done;
        const Timestamps wanted = name == SO_TIMESTAMP ? Timestamps::kMicroseconds : Timestamps::kNanoseconds;
        settings_.timestamps = on ? wanted : Timestamps::kNone;
        return {};
      }
      case SO_TIMESTAMPING:
        return set_timestamping(value);
      case SO_BINDTODEVICE: {
        const auto interface = find_interface(session, value);
        if (!interface) return std::unexpected(interface.error());
        settings_.interface = *interface;
        return {};
      }
      default:
        return settings_.kept.set(name, value);
    }
  };
  // As Linux: before it is looked at what it is. A name may be shorter.
  if (name != SO_BINDTODEVICE && value.size() < sizeof(int)) return fail(EINVAL);
  const auto done = set_one();
  if (done) apply_settings(session);
  return done;
}

Outcome<std::size_t> Socket::get_socket_option(Session& session, int name, MutableBytes out) {
  switch (name) {
    case SO_TYPE:
      return write_int_option(out, kind_.type);
    case SO_DOMAIN:
      return write_int_option(out, kind_.domain);
    case SO_PROTOCOL:
      return write_int_option(out, kind_.protocol);
    case SO_ERROR:
      return write_int_option(out, to_number(errno_of(take_error())));
    case SO_ACCEPTCONN:
      return write_bool_option(out, is_listening());
    case SO_REUSEADDR:
      return write_bool_option(out, settings_.reuse_address);
    case SO_REUSEPORT:
      return write_bool_option(out, settings_.reuse_port);
    case SO_BROADCAST:
      return write_bool_option(out, settings_.broadcast);
    case SO_KEEPALIVE:
      return write_bool_option(out, settings_.keep_alive);
    case SO_OOBINLINE:
      return write_bool_option(out, settings_.out_of_band_inline);
    case SO_SNDBUF:
      return write_int_option(out, send_buffer(session));
    case SO_RCVBUF:
      return write_int_option(out, receive_buffer(session));
    case SO_SNDTIMEO:
      return write_timeout(out, settings_.send_timeout);
    case SO_RCVTIMEO:
      return write_timeout(out, settings_.receive_timeout);
    case SO_LINGER:
      return write_option(
          out, linger{.l_onoff = settings_.linger >= 0, .l_linger = std::max(settings_.linger, 0)});
    case SO_RXQ_OVFL:
      return write_bool_option(out, settings_.receive_overflow);
    case SO_TIMESTAMP:
      return write_bool_option(out, settings_.timestamps == Timestamps::kMicroseconds);
    case SO_TIMESTAMPING:
      return write_int_option(out, static_cast<int>(settings_.timestamping));
    case SO_TIMESTAMPNS:
      return write_bool_option(out, settings_.timestamps == Timestamps::kNanoseconds);
    case SO_BINDTODEVICE:
      return write_interface_name(session, out, settings_.interface);
    case SO_LOCK_FILTER:
      return write_bool_option(out, settings_.filter_is_locked);
    case SO_RCVLOWAT:
      return write_int_option(out, settings_.receive_low_water);
    case SO_SNDLOWAT:
      return write_int_option(out, 1);
    case SO_NO_CHECK:
      return write_bool_option(out, settings_.no_checksum);
    case SO_PASSCRED:
    case SO_PASSSEC:
      return fail(EOPNOTSUPP);
    case SO_ZEROCOPY:
      return write_bool_option(out, settings_.zero_copy);
    case SO_PEEK_OFF:
      if (!takes_peek_offset()) return fail(EOPNOTSUPP);
      return write_int_option(out, settings_.peek_offset);
    case SO_MAX_PACING_RATE:
      return write_rate(out, settings_.max_pacing_rate);
    case SO_BINDTOIFINDEX:
      return write_int_option(out, static_cast<int>(settings_.interface));
    case SO_INCOMING_NAPI_ID:
      return write_int_option(out, 0);
    case SO_COOKIE:
      if (cookie_ == 0) cookie_ = session.make_cookie();
      if (out.size() < sizeof cookie_) return fail(EINVAL);
      return write_option(out, cookie_);
    case SO_MEMINFO:
      return write_memory_info(session, out);
    default:
      return settings_.kept.get(name, out);
  }
}

Outcome<std::size_t> Socket::write_memory_info(Session& session, MutableBytes out) {
  const auto read_int = [&](int name) {
    std::uint32_t value = 0;
    (void)get_socket_option(session, name,
                            MutableBytes(reinterpret_cast<std::uint8_t*>(&value), sizeof value));
    return value;
  };
  const QueuedMemory queued = queued_memory();
  std::array<std::uint32_t, SK_MEMINFO_VARS> words{};
  words[SK_MEMINFO_RMEM_ALLOC] = static_cast<std::uint32_t>(queued.received);
  words[SK_MEMINFO_RCVBUF] = read_int(SO_RCVBUF);
  words[SK_MEMINFO_WMEM_ALLOC] = words[SK_MEMINFO_WMEM_QUEUED] = static_cast<std::uint32_t>(queued.unsent);
  words[SK_MEMINFO_SNDBUF] = read_int(SO_SNDBUF);
  words[SK_MEMINFO_DROPS] = static_cast<std::uint32_t>(queued.dropped);
  return write_option(out, words);
}

}  // namespace transom::sockets
