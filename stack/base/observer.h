// What the stack tells whoever looks on. An observer sees every event as it happens, in order; it may not
// call back into the stack. Without an observer the cost is one test of a pointer.
//
// Each event has an id and the id of what caused it: the packet that had come in, or the timer that had
// fired; 0 when the application called.
#pragma once

#include <cstdint>
#include <variant>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/drop_reason.h"
#include "stack/base/packet.h"
#include "stack/base/reason.h"
#include "stack/base/seq_num.h"
#include "stack/base/time.h"

namespace transom {

enum class Direction : std::uint8_t { kIn, kOut };

// A frame entered or left an interface. The packet is valid during the call only.
struct PacketEvent {
  Direction direction;
  InterfaceId interface;
  bool has_ethernet_header;  // else a bare IP packet
  const Packet& packet;
};

struct DropEvent {
  DropReason reason;
};

// An address was found to be in use by another node, or the owner of a neighbour's address changed.
struct AddressConflictEvent {
  InterfaceId interface;
  IpAddress address;
  MacAddress other;
};

// ---------------------------------------------------------------- TCP: `local` and `remote` name the
// connection

// The state changed. The names are those of RFC 9293 §3.3.2.
struct TcpStateEvent {
  Endpoint local, remote;
  std::string_view from;
  std::string_view to;
  Reason reason;
};

// What the two SYNs agreed on.
struct TcpNegotiatedEvent {
  Endpoint local, remote;
  std::uint32_t mss;
  std::uint8_t send_scale, receive_scale;
  bool timestamps, sack, ecn;
  bool fast_open;  // data in a SYN was acknowledged
};

// Fast open was used, or why it was not. `octets` of data are with the SYN, or were acknowledged or ignored.
struct TcpFastOpenEvent {
  Endpoint local, remote;
  Reason reason;
  std::uint32_t octets;
};

// Data or a FIN is handed down; kNewData, kRetransmission or kTailLossProbe.
struct TcpSendEvent {
  Endpoint local, remote;
  SeqNum begin, end;
  Reason reason;
};

// Nothing more is sent, because of `reason`. Told when it changes.
struct TcpLimitEvent {
  Endpoint local, remote;
  Reason reason;
  std::uint32_t unsent;  // octets that wait
};

struct TcpRttEvent {
  Endpoint local, remote;
  Duration sample, srtt, rttvar, rto;
};

// The congestion window or the slow start threshold, in octets, is another than before (`before`: the
// window).
struct TcpCongestionEvent {
  Endpoint local, remote;
  std::uint64_t before, cwnd, ssthresh, in_flight;
  Reason reason;
};

// `octets` between `begin` and `end` were declared lost.
struct TcpLossEvent {
  Endpoint local, remote;
  SeqNum begin, end;
  std::uint32_t octets;
  Reason reason;
};

enum class RecoveryPhase : std::uint8_t { kEntered, kLeft, kUndone };

struct TcpRecoveryEvent {
  Endpoint local, remote;
  RecoveryPhase phase;
  SeqNum until;  // it ends when this is acknowledged
  Reason reason;
};

// The peer's window, in octets, is another than before.
struct TcpPeerWindowEvent {
  Endpoint local, remote;
  std::uint32_t before, window;
};

// A timer fired; kRetransmit, kLossDetection, kPersist, kDelayedAck, kKeepAlive or kPacing.
struct TcpTimerEvent {
  Endpoint local, remote;
  Reason timer;
};

// A timer was set to another time than before.
struct TcpTimerSetEvent {
  Endpoint local, remote;
  Reason timer;
  Instant deadline;
};

// The congestion control wants what TCP does not do, and gets the nearest instead. Told when it begins.
struct TcpClampEvent {
  Endpoint local, remote;
  std::uint64_t wanted_cwnd, cwnd;                // octets
  std::uint64_t wanted_pacing_rate, pacing_rate;  // octets per second; 0: not paced
  Reason reason;
};

struct Event {
  Instant time;
  std::variant<PacketEvent, DropEvent, AddressConflictEvent, TcpStateEvent, TcpNegotiatedEvent,
               TcpFastOpenEvent, TcpSendEvent, TcpLimitEvent, TcpRttEvent, TcpCongestionEvent, TcpLossEvent,
               TcpRecoveryEvent, TcpPeerWindowEvent, TcpTimerEvent, TcpTimerSetEvent, TcpClampEvent>
      what;
  std::uint64_t id = 0;     // 1, 2, 3, ... within one Host
  std::uint64_t cause = 0;  // the id of another event
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace transom
