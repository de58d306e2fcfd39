// The control messages of sendmsg(2) and recvmsg(2): cmsg(3).
#pragma once

#include <memory>
#include <optional>

#include "socket_api/outcome.h"
#include "socket_api/stack_instance.h"
#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/ip/extension_headers.h"

namespace transom::sockets {

struct Incoming;
struct SocketKind;
struct SocketSettings;

// What control messages say about one datagram to be sent.
struct SendControl {
  std::optional<IpAddress> source;
  InterfaceId interface = InterfaceId::kAny;
  std::optional<std::uint8_t> hops;
  std::optional<std::uint8_t> traffic_class;
  std::optional<bool> dont_fragment;
  std::optional<std::uint16_t> segment;                     // UDP_SEGMENT
  std::shared_ptr<ip::ExtensionHeaders> extension_headers;  // of IPv6, in place of those of the socket
};

// What control messages say about one that was received.
struct ReceiveControl {
  IpAddress destination;
  Port port = Port::kNone;  // that it was sent to
  InterfaceId interface = InterfaceId::kAny;
  std::uint8_t hops = 0;
  std::uint8_t traffic_class = 0;
  Instant arrival{};
  std::uint64_t dropped = 0;  // SO_RXQ_OVFL
  Bytes ip_options = {};      // see ip::Received::options
  IpProtocol first_header{};
  int segment = 0;  // UDP_GRO: the size of the datagrams that were joined; 0: it is one
};

// EINVAL for a malformed message, or an unknown one of a level that the socket has.
Outcome<SendControl> read_control(const SocketKind& kind, Bytes control);
// Writes those that the settings ask for to `message`.
void write_control(Session& session, const SocketKind& kind, const SocketSettings& settings,
                   const ReceiveControl& from, Incoming& message);

// Those of SO_TIMESTAMP, SO_TIMESTAMPNS and, where `with_timestamping`, SO_TIMESTAMPING.
void write_timestamps(Session& session, const SocketSettings& settings, Instant arrival,
                      bool with_timestamping, Incoming& message);

// Appends control messages to those of `message`, as put_cmsg() of Linux does: what does not fit is cut, and
// MSG_CTRUNC says so.
void put_control(Incoming& message, int level, int type, Bytes value);
template <typename T>
void put_control(Incoming& message, int level, int type, const T& value) {
  put_control(message, level, type, Bytes(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
}

// Appends all that `complete` has, cut where it does not fit.
void put_all_control(Incoming& message, Bytes complete);

}  // namespace transom::sockets
