#include "socket_api/control_messages.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

#include <linux/errqueue.h>  // which needs <ctime>

#include "socket_api/option_value.h"
#include "socket_api/socket.h"

namespace transom::sockets {

// ---------------------------------------------------------------- of sendmsg

namespace {

// Sets `place`; -1, where `low` allows it, is for the default.
Outcome<void> read_octet(std::optional<std::uint8_t>& place, const Outcome<int>& value) {
  if (!value) return std::unexpected(value.error());
  if (*value >= 0) place = static_cast<std::uint8_t>(*value);
  return {};
}

Outcome<void> read_socket_control(int type) {
  // As Linux: those of AF_UNIX mean nothing here, and do no harm.
  return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? Outcome<void>() : fail(EINVAL);
}

Outcome<void> read_ipv6_source(SendControl& result, Bytes data) {
  const auto info = read_option<in6_pktinfo>(data);
  if (!info) return std::unexpected(info.error());
  const IpAddress source = to_address(info->ipi6_addr);
  if (!source.is_unspecified()) result.source = source;
  result.interface = static_cast<InterfaceId>(info->ipi6_ifindex);
  return {};
}

Outcome<void> read_ipv4_control(SendControl& result, int type, Bytes data) {
  switch (type) {
    case IP_PKTINFO: {
      const auto info = read_option<in_pktinfo>(data);
      if (!info) return std::unexpected(info.error());
      if (info->ipi_spec_dst.s_addr != INADDR_ANY) result.source = to_address(info->ipi_spec_dst);
      result.interface = static_cast<InterfaceId>(info->ipi_ifindex);
      return {};
    }
    case IP_TTL:
      return read_octet(result.hops, read_int_option(data, 1, 255));
    case IP_TOS:
      return read_octet(result.traffic_class, read_ip_int(data, 0, 255));
    default:
      return fail(EINVAL);
  }
}

Outcome<void> read_ipv6_control(SendControl& result, int type, Bytes data) {
  switch (type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
      return read_ipv6_source(result, data);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
      return read_octet(result.hops, read_int_option(data, -1, 255));
    case IPV6_TCLASS:
      return read_octet(result.traffic_class, read_int_option(data, -1, 255));
    case IPV6_DONTFRAG: {
      const auto on = read_int_option(data, 0, 1);
      if (!on) return std::unexpected(on.error());
      result.dont_fragment = *on != 0;
      return {};
    }
    default: {
      auto headers =
          result.extension_headers ? result.extension_headers : std::make_shared<ip::ExtensionHeaders>();
      const auto is_header = read_extension_control(*headers, type, data);
      if (!is_header) return std::unexpected(is_header.error());
      if (!*is_header) return fail(EINVAL);
      result.extension_headers = std::move(headers);
      return {};
    }
  }
}

Outcome<void> read_one(SendControl& result, const SocketKind& kind, int level, int type, Bytes data) {
  if (level == SOL_SOCKET) return read_socket_control(type);
  // As Linux: TCP and packet sockets look at no other level.
  if (kind.type == SOCK_STREAM || kind.domain == AF_PACKET) return {};
  if (level == IPPROTO_UDP && kind.protocol == IPPROTO_UDP) {
    const auto size = type == UDP_SEGMENT && data.size() == sizeof(std::uint16_t)
                          ? read_option<std::uint16_t>(data)
                          : fail(EINVAL);
    if (!size) return std::unexpected(size.error());
    result.segment = *size;
    return {};
  }
  // An AF_INET6 socket that speaks to IPv4 may use those of IPv4.
  if (level == IPPROTO_IP) return read_ipv4_control(result, type, data);
  if (level == IPPROTO_IPV6 && kind.domain == AF_INET6) return read_ipv6_control(result, type, data);
  return {};  // of a level that the socket does not have
}

}  // namespace

Outcome<SendControl> read_control(const SocketKind& kind, Bytes control) {
  SendControl result;
  while (control.size() >= sizeof(cmsghdr)) {
    cmsghdr header;
    std::memcpy(&header, control.data(), sizeof header);
    if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > control.size()) return fail(EINVAL);
    const Bytes data = control.subspan(CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0));
    if (const auto one = read_one(result, kind, header.cmsg_level, header.cmsg_type, data); !one)
      return std::unexpected(one.error());
    control = control.subspan(std::min(control.size(), CMSG_ALIGN(header.cmsg_len)));
  }
  return result;
}

// ---------------------------------------------------------------- of recvmsg

void put_control(Incoming& message, int level, int type, Bytes value) {
  const MutableBytes rest = message.control.subspan(message.control_size);
  cmsghdr header{};
  if (rest.size() < sizeof header) {
    message.result_flags |= MSG_CTRUNC;
    return;
  }
  header.cmsg_len = CMSG_LEN(value.size());
  header.cmsg_level = level;
  header.cmsg_type = type;
  if (header.cmsg_len > rest.size()) {
    header.cmsg_len = rest.size();
    message.result_flags |= MSG_CTRUNC;
  }
  std::memcpy(rest.data(), &header, sizeof header);
  std::memcpy(rest.data() + CMSG_LEN(0), value.data(), header.cmsg_len - CMSG_LEN(0));
  message.control_size += std::min(rest.size(), CMSG_SPACE(value.size()));
}

void put_all_control(Incoming& message, Bytes complete) {
  while (complete.size() >= sizeof(cmsghdr)) {
    cmsghdr header;
    std::memcpy(&header, complete.data(), sizeof header);
    if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > complete.size()) return;
    put_control(message, header.cmsg_level, header.cmsg_type,
                complete.subspan(CMSG_LEN(0), header.cmsg_len - CMSG_LEN(0)));
    complete = complete.subspan(std::min(complete.size(), CMSG_ALIGN(header.cmsg_len)));
  }
}

namespace {

// The stack knows how long ago it was; what o'clock it is, the machine knows.
timespec wall_time(Session& session, Instant then) {
  const Duration wall = std::chrono::system_clock::now().time_since_epoch() - (session.loop().now() - then);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall);
  return {seconds.count(), (wall - seconds).count()};
}

}  // namespace

void write_timestamps(Session& session, const SocketSettings& settings, Instant arrival,
                      bool with_timestamping, Incoming& message) {
  if (settings.timestamps == Timestamps::kNone && !with_timestamping) return;
  const timespec time = wall_time(session, arrival);
  constexpr long kMicrosecond = 1000;
  if (settings.timestamps == Timestamps::kNanoseconds)
    put_control(message, SOL_SOCKET, SCM_TIMESTAMPNS, time);
  if (settings.timestamps == Timestamps::kMicroseconds)
    put_control(message, SOL_SOCKET, SCM_TIMESTAMP, timeval{time.tv_sec, time.tv_nsec / kMicrosecond});
  if (with_timestamping) {
    const scm_timestamping all{.ts = {time, {}, {}}};  // no hardware has one
    put_control(message, SOL_SOCKET, SCM_TIMESTAMPING, all);
  }
}

namespace {

in6_pktinfo packet_info_v6(const ReceiveControl& from) {
  in6_pktinfo info{};
  info.ipi6_ifindex = static_cast<unsigned>(from.interface);
  info.ipi6_addr = to_in6_addr(from.destination);
  return info;
}

}  // namespace

// The order is that of Linux.
void write_control(Session& session, const SocketKind& kind, const SocketSettings& settings,
                   const ReceiveControl& from, Incoming& message) {
  const IpSettings::Family& ipv4 = settings.ip.ipv4;
  const IpSettings::Family& ipv6 = settings.ip.ipv6;
  const bool is_ipv4 = from.destination.is_v4();
  constexpr unsigned kReceived = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  write_timestamps(session, settings, from.arrival, (settings.timestamping & kReceived) == kReceived,
                   message);
  if (settings.receive_overflow && from.dropped > 0)
    put_control(message, SOL_SOCKET, SO_RXQ_OVFL, static_cast<std::uint32_t>(from.dropped));
  if (from.segment != 0) put_control(message, IPPROTO_UDP, UDP_GRO, from.segment);
  if (kind.domain == AF_INET6 && ipv6.receive_packet_info)
    put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, packet_info_v6(from));
  if (is_ipv4 && ipv4.receive_packet_info) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(from.interface);
    info.ipi_spec_dst = info.ipi_addr = to_in_addr(from.destination);
    put_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  if (is_ipv4 && ipv4.receive_hops) put_control(message, IPPROTO_IP, IP_TTL, int{from.hops});
  if (is_ipv4 && ipv4.receive_traffic_class) put_control(message, IPPROTO_IP, IP_TOS, from.traffic_class);
  if (is_ipv4 && settings.ip.receive_ipv4_options && !from.ip_options.empty())
    put_control(message, IPPROTO_IP, IP_RECVOPTS, from.ip_options);
  if (is_ipv4 && ipv4.receive_original_destination) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to_number(from.port));
    address.sin_addr = to_in_addr(from.destination);
    put_control(message, IPPROTO_IP, IP_ORIGDSTADDR, address);
  }
  if (!is_ipv4 && ipv6.receive_hops) put_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, int{from.hops});
  if (!is_ipv4 && ipv6.receive_traffic_class)
    put_control(message, IPPROTO_IPV6, IPV6_TCLASS, int{from.traffic_class});
  if (!is_ipv4 && !from.ip_options.empty())
    write_extension_control(settings.ip.receive_extensions, from.ip_options, from.first_header, message);
  if (kind.domain == AF_INET6 && ipv6.receive_old_packet_info)
    put_control(message, IPPROTO_IPV6, IPV6_2292PKTINFO, packet_info_v6(from));
  if (!is_ipv4 && ipv6.receive_old_hops)
    put_control(message, IPPROTO_IPV6, IPV6_2292HOPLIMIT, int{from.hops});
  if (!is_ipv4 && !from.ip_options.empty())
    write_old_extension_control(settings.ip.receive_extensions, from.ip_options, from.first_header, message);
  if (!is_ipv4 && ipv6.receive_original_destination) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(to_number(from.port));
    address.sin6_addr = to_in6_addr(from.destination);
    put_control(message, IPPROTO_IPV6, IPV6_ORIGDSTADDR, address);
  }
}

}  // namespace transom::sockets
