// One event in words, as a person would say it:
//
//   lost 1461:2921, 1460 octets: RACK: segments sent later were delivered [RFC 8985 6.2]
//
// The words come from the reason that the code path itself gave. Sequence numbers are relative to the first
// that was seen of each direction of a connection.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "stack/base/observer.h"

namespace transom::drivers {

// Of a TCP event; the names of the connection's ends.
struct ConnectionName {
  Endpoint local, remote;
  friend auto operator<=>(const ConnectionName&, const ConnectionName&) = default;
};

std::optional<ConnectionName> connection_of(const Event& event);
// "tcp_loss", "packet", ...: the `event` field of the JSON lines.
std::string_view name_of(const Event& event);

class EventText {
 public:
  // Without time and connection. Empty for packets and for what has no words.
  std::string text(const Event& event);

 private:
  struct Words;

  std::map<ConnectionName, SeqNum> first_;  // the number of the first data octet that was sent
};

// "IP 10.0.0.1.80 > 10.0.0.2.4000: Flags [S.], seq 7, ack 9, win 65535, length 0": the line of PacketText,
// with the sequence numbers as they are. `frame`: what an interface of this type carries.
std::string describe_frame(Bytes frame, bool has_ethernet_header);

}  // namespace transom::drivers
