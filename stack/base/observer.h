// What the stack tells whoever looks on. An observer sees every event as it happens, in order; it may not
// call back into the stack. Without an observer the cost is one test of a pointer.
#pragma once

#include <cstdint>
#include <variant>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/drop_reason.h"
#include "stack/base/packet.h"
#include "stack/base/time.h"

namespace transom {

enum class Direction : std::uint8_t { kIn, kOut };

// A frame entered or left an interface. The packet is valid during the call only.
struct PacketEvent {
  Direction direction;
  InterfaceId interface;
  const Packet& packet;
};

struct DropEvent {
  DropReason reason;
};

// A TCP connection changed state. The names are those of RFC 9293 §3.3.2.
struct TcpStateEvent {
  Endpoint local;
  Endpoint remote;
  std::string_view from;
  std::string_view to;
};

// An address was found to be in use by another node, or the owner of a neighbour's address changed.
struct AddressConflictEvent {
  InterfaceId interface;
  IpAddress address;
  MacAddress other;
};

struct Event {
  Instant time;
  std::variant<PacketEvent, DropEvent, TcpStateEvent, AddressConflictEvent> what;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace transom
