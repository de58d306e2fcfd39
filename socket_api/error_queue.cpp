#include "socket_api/error_queue.h"

#include <linux/net_tstamp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <array>

#include "socket_api/datagram.h"

namespace transom::sockets {

namespace {

// By code of "destination unreachable": icmp(7).
constexpr std::array kUnreachable{ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED,
                                  EMSGSIZE,     EOPNOTSUPP,   ENETUNREACH,  EHOSTDOWN,
                                  ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
                                  EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH};
constexpr std::array kUnreachableV6{ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                    ECONNREFUSED, EACCES, EACCES};

struct Ipv4Report {
  sock_extended_err error;
  sockaddr_in offender;
};
struct Ipv6Report {
  sock_extended_err error;
  sockaddr_in6 offender;
};

}  // namespace

int icmp_errno(bool is_v4, std::uint8_t type, std::uint8_t code) {
  if (is_v4) {
    if (type == ICMP_PARAMETERPROB) return EPROTO;
    const bool is_known = type == ICMP_DEST_UNREACH && code < kUnreachable.size();
    return is_known ? kUnreachable[code] : EHOSTUNREACH;
  }
  switch (type) {
    case ICMP6_DST_UNREACH:
      return code < kUnreachableV6.size() ? kUnreachableV6[code] : EPROTO;
    case ICMP6_PACKET_TOO_BIG:
      return EMSGSIZE;
    case ICMP6_TIME_EXCEEDED:
      return EHOSTUNREACH;
    default:
      return EPROTO;
  }
}

void ErrorQueue::push(Entry entry) {
  const std::size_t memory = memory_of(entry);
  if (memory_ + memory > kMaxMemory) return;
  memory_ += memory;
  entries_.push_back(std::move(entry));
}

void ErrorQueue::push(const ip::IcmpError& error, Port port, std::size_t header_size, Instant now) {
  const bool is_v4 = error.destination.is_v4();
  const Bytes datagram = error.transport.subspan(std::min(header_size, error.transport.size()));
  push({.error = {.ee_errno = static_cast<std::uint32_t>(icmp_errno(is_v4, error.type, error.code)),
                  .ee_origin = is_v4 ? std::uint8_t{SO_EE_ORIGIN_ICMP} : std::uint8_t{SO_EE_ORIGIN_ICMP6},
                  .ee_type = error.type,
                  .ee_code = error.code,
                  .ee_pad = 0,
                  .ee_info = error.mtu,
                  .ee_data = 0},
        .offender = error.reporter,
        .destination = {{error.destination, port}},
        .datagram = std::vector<std::uint8_t>(datagram.begin(), datagram.end()),
        .arrival = now});
}

void ErrorQueue::push_too_long(const SocketAddress& destination, std::uint32_t mtu, Instant now) {
  push({.error = {.ee_errno = EMSGSIZE,
                  .ee_origin = SO_EE_ORIGIN_LOCAL,
                  .ee_type = 0,
                  .ee_code = 0,
                  .ee_pad = 0,
                  .ee_info = mtu,
                  .ee_data = 0},
        .offender = {},
        .destination = destination,
        .datagram = {},
        .arrival = now});
}

void ErrorQueue::push_timestamp(std::uint32_t type, std::uint32_t key, Instant when) {
  push({.error = {.ee_errno = ENOMSG,
                  .ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
                  .ee_type = 0,
                  .ee_code = 0,
                  .ee_pad = 0,
                  .ee_info = type,
                  .ee_data = key},
        .offender = {},
        .destination = {},
        .datagram = {},
        .arrival = when});
}

// As Linux: numbers that follow each other share a report, from ee_info to ee_data.
void ErrorQueue::push_copied(std::uint32_t number, Instant now) {
  if (!entries_.empty()) {
    sock_extended_err& last = entries_.back().error;
    if (last.ee_origin == SO_EE_ORIGIN_ZEROCOPY && last.ee_data + 1 == number) {
      last.ee_data = number;
      return;
    }
  }
  push({.error = {.ee_errno = 0,
                  .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
                  .ee_type = 0,
                  .ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
                  .ee_pad = 0,
                  .ee_info = number,
                  .ee_data = number},
        .offender = {},
        .destination = {},
        .datagram = {},
        .arrival = now});
}

Outcome<std::size_t> ErrorQueue::receive(Session& session, const SocketKind& kind,
                                         const SocketSettings& settings, Incoming& message) {
  if (entries_.empty()) return fail(EAGAIN);
  const Entry entry = std::move(entries_.front());
  entries_.pop_front();
  memory_ -= memory_of(entry);

  if (entry.destination.endpoint.address != IpAddress()) message.from = entry.destination;
  message.result_flags |= MSG_ERRQUEUE;
  const bool is_timestamp = entry.error.ee_origin == SO_EE_ORIGIN_TIMESTAMPING;
  const bool is_local = is_timestamp || entry.error.ee_origin == SO_EE_ORIGIN_LOCAL ||
                        entry.error.ee_origin == SO_EE_ORIGIN_ZEROCOPY;
  write_timestamps(session, settings, entry.arrival,
                   is_timestamp && (settings.timestamping & SOF_TIMESTAMPING_SOFTWARE) != 0, message);
  if (kind.domain == AF_INET) {
    Ipv4Report report{.error = entry.error, .offender = {}};
    if (!is_local) {
      report.offender.sin_family = AF_INET;
      report.offender.sin_addr = to_in_addr(entry.offender);
    }
    put_control(message, IPPROTO_IP, IP_RECVERR, report);
  } else {
    Ipv6Report report{.error = entry.error, .offender = {}};
    if (!is_local) {
      report.offender.sin6_family = AF_INET6;
      report.offender.sin6_addr = to_in6_addr(entry.offender);
    }
    put_control(message, IPPROTO_IPV6, IPV6_RECVERR, report);
  }
  // As Linux: the length is that of what was copied, with or without MSG_TRUNC.
  message.flags &= ~MSG_TRUNC;
  return scatter(message, entry.datagram, Packet());
}

}  // namespace transom::sockets
