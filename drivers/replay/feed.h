// Plays one side of a capture, octet for octet, at a Host of ours that stands in the place of the other side,
// in virtual time.
//
//   capture ─► theirs: when due, into the Host ─────────────► Host ─► what it sends ─► FeedListener
//          └─► ours: what the recorded application did then ─┘
//
// The Host has the recorded addresses, ports, initial sequence numbers, timestamps and options, so that what
// the peer acknowledges and echoes fits. A packet of theirs is due at its recorded time, but not before the
// Host has sent what it acknowledges: the rest of its flow is then as much later. Where the Host's congestion
// window is smaller than the recorded one was, acknowledgments of what it has sent are put in between, and
// counted.
#pragma once

#include <functional>

#include "drivers/replay/cast.h"
#include "drivers/replay/packet_record.h"
#include "drivers/replay/stream_check.h"
#include "stack/base/error.h"
#include "stack/base/observer.h"

namespace transom::drivers::replay {

// Is told of every packet, in the order of the virtual time.
class FeedListener {
 public:
  // Recorded, of either side; the flow is nullopt for what is in none.
  virtual void recorded(std::optional<std::size_t> flow, const PacketRecord& record) = 0;
  // What happened: theirs as it was fed, and ours as the Host sent it. `packet.time` is that of the run.
  virtual void happened(std::optional<std::size_t> flow, const PacketRecord& record,
                        const CapturedPacket& packet, const PacketView* view) = 0;

 protected:
  ~FeedListener() = default;
};

struct FeedOptions {
  std::uint64_t seed = 1;
  Duration stall = std::chrono::seconds(5);         // virtual: what is awaited for longer ends its flow
  Duration linger = std::chrono::milliseconds(50);  // after the last packet
  std::string congestion_control;                   // empty: the standard one
  Observer* observer = nullptr;
  std::function<void(std::uint64_t packets)> progress = nullptr;
};

struct TcpOutcome {
  StreamCheck received;            // what the peer sent, as the application read it
  std::int64_t recorded_sent = 0;  // octets in sequence space: SYN, data and FIN
  std::int64_t actual_sent = 0;
  std::uint64_t partial_acks = 0;
  std::uint64_t made_up = 0;        // octets that the capture does not have, written as zeros
  bool is_playable = false;         // there was a handshake
  std::uint64_t not_delivered = 0;  // packets of theirs that a stalled flow left
  std::string stall;                // what was awaited; empty when it did not stall
  Error error = Error::kNone;
};

struct FeedOutcome {
  std::map<std::size_t, TcpOutcome> tcp;  // by flow, of those that have one of our ends
  std::uint64_t fed = 0, sent = 0;        // packets into and out of the Host
  std::uint64_t between_others = 0;       // packets that neither end of ours sent nor got
  std::uint64_t vouched = 0;  // packets of theirs whose checksum the capture did not have yet, taken as good
  std::uint64_t datagrams_sent = 0, datagrams_received = 0;
  Duration duration{};  // virtual
};

std::expected<FeedOutcome, CaptureError> feed(CaptureReader& reader, const Scene& scene, const Cast& cast,
                                              const FeedOptions& options, FeedListener& listener);

}  // namespace transom::drivers::replay
