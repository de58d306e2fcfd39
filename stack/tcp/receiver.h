// The receiving half of a connection: what is acceptable, what is held, what window is offered, when an
// acknowledgment is due (RFC 9293 §3.4, §3.8.6; RFC 7323; RFC 2018, 2883).
//
//           read position        rcv_nxt              right edge
//    read        |   in order, unread  |   holes and runs  |   not acceptable
//    ------------|=====================|.....===...==......|------------
//
// The right edge never moves left (SHLD-14), whatever the user does to the buffer.
#pragma once

#include <memory>
#include <optional>

#include "stack/base/error.h"
#include "stack/base/seq_num.h"
#include "stack/base/time.h"
#include "stack/tcp/delayed_ack.h"
#include "stack/tcp/reassembly_queue.h"
#include "stack/tcp/receive_queue.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

class Receiver {
 public:
  // What a segment's text changed.
  struct Accepted {
    std::uint32_t delivered = 0;  // octets that became readable
    bool fin_reached = false;     // the peer's FIN is next in order: consumed now
    bool out_of_order = false;    // the text lies beyond a hole
  };

  // `irs`: the peer's initial sequence number. `scale`: our window shift. `buffer`: octets. `mss`: what we
  // advertised.
  void start(SeqNum irs, std::uint8_t scale, std::uint32_t buffer, std::uint32_t mss);
  void set_buffer(std::uint32_t buffer) { buffer_ = buffer; }
  std::uint32_t buffer() const { return buffer_; }

  SeqNum nxt() const { return nxt_; }
  std::uint32_t window() const;  // octets still acceptable
  std::uint8_t scale() const { return scale_; }
  std::uint32_t peer_segment() const { return peer_segment_; }  // octets of the largest that came

  // RFC 9293 §3.10.7.4, first check: the four cases, and an empty segment at the right edge of the window.
  bool is_acceptable(SeqNum sequence, std::uint32_t length) const;
  // RFC 5961 §3: exactly at rcv_nxt, and merely inside the window.
  bool is_in_window(SeqNum sequence) const;

  // Queues the text of an acceptable segment, trimmed to the window. `segment_size` is the size of the peer's
  // segments if the payload came as a super-segment, else 0.
  Accepted accept(BufferPool& pool, SeqNum sequence, Payload payload, bool fin, std::uint32_t segment_size);
  // Text of an unacceptable segment, for D-SACK: it lay before rcv_nxt.
  void note_duplicate(SeqNum sequence, std::uint32_t octets);
  bool has_sack_blocks() const { return has_duplicate_ || reassembly_ != nullptr; }
  bool fin_received() const { return fin_received_; }

  // --- acknowledgments
  enum class AckNeed : std::uint8_t { kNone, kDelayed, kNow };
  AckNeed ack_need() const { return ack_need_; }
  void need_ack(AckNeed need) { ack_need_ = std::max(ack_need_, need); }
  // A segment with text is about to be accepted, `gap` after the one before.
  void on_text(Duration gap, Duration rto) { delayed_ack_.on_arrival(gap, rto, useful_quick_acks()); }
  // Data was sent, `gap` after the latest text arrived.
  void on_data_sent(Duration gap) { delayed_ack_.on_data_sent(gap); }
  Duration ack_delay(Duration srtt) const { return delayed_ack_.delay(srtt); }
  void on_ack_delay_expired(Duration rto) {
    delayed_ack_.on_expired(rto);
    need_ack(AckNeed::kNow);
  }
  // The window to put into the next segment, in octets; commits the right edge.
  std::uint32_t offer_window();
  void ack_sent();
  // After a read: is the new window worth a segment of its own?
  bool window_update_due() const;

  // The SACK blocks of the next acknowledgment, a duplicate's first (RFC 2883 §4).
  std::size_t sack_blocks(std::span<wire::SackBlock> out);

  // --- timestamps (RFC 7323 §4.3, §5)
  void start_timestamps(std::uint32_t value, Instant now) {
    ts_recent_ = value;
    ts_recent_time_ = now;
  }
  void update_timestamp(std::uint32_t value, SeqNum sequence, Instant now);
  bool is_too_old(std::uint32_t value, Instant now) const;
  std::uint32_t ts_recent() const { return ts_recent_; }

  // --- the user's side
  std::uint32_t readable() const { return queue_.size(); }
  // Without the urgent octet, if that is next and not in line: no read gives it.
  std::uint32_t readable(bool urgent_in_line) const;
  std::uint32_t out_of_order() const { return reassembly_ ? reassembly_->size() : 0; }
  std::size_t read(MutableBytes out, bool peek, bool urgent_in_line);
  // The same without a copy: the octets themselves. They take room in the buffer until they are released.
  std::size_t take(std::vector<Slice>& out, std::size_t limit, bool urgent_in_line);
  void release(std::uint32_t octets) { taken_ -= octets; }
  // Nobody will read what is in order. What lies beyond a hole stays: the peer has been told that it came.
  void discard();

  // --- urgent data (RFC 9293 §3.8.5)
  // True when the urgent mark moved forward: tell the user (MUST-32).
  bool on_urgent(SeqNum sequence, std::uint16_t pointer);
  // Urgent data is announced and not read, whether its octet has arrived or not: also a peer whose octet
  // finds the window closed gets through with its pointer (MUST-66).
  bool has_urgent() const { return urgent_ == Urgent::kExpected || urgent_ == Urgent::kReady; }
  bool at_urgent_mark() const;
  Result<std::uint8_t> read_urgent(bool peek, bool urgent_in_line);

 private:
  enum class Urgent : std::uint8_t { kNone, kExpected, kReady, kTaken };

  SeqNum read_position() const;
  // What the next read gives: up to `end` of the queue, without the first `skipped` octets.
  struct NextRead {
    std::uint32_t skipped = 0;
    std::uint32_t end = 0;
    std::size_t octets() const { return end - skipped; }
  };
  NextRead next_read(bool urgent_in_line) const;
  void forget_urgent_passed();
  void on_in_order(std::uint32_t octets, std::uint32_t segment_size);
  void hold(BufferPool& pool, SeqNum sequence, Payload payload);
  std::uint32_t release(BufferPool& pool);
  void capture_urgent();
  std::uint32_t free_space() const;
  std::uint32_t useful_quick_acks() const { return window() / (2 * peer_segment_); }

  SeqNum nxt_;
  SeqNum right_edge_;
  SeqNum last_ack_sent_;
  std::uint32_t buffer_ = 0;
  std::uint32_t mss_ = 536;
  std::uint32_t peer_segment_ = 536;  // the largest segment that the peer was seen to send
  std::uint32_t unacked_octets_ = 0;  // received in order since the last ACK
  std::uint32_t taken_ = 0;           // out of the queue and not released
  std::uint8_t scale_ = 0;
  DelayedAck delayed_ack_;
  AckNeed ack_need_ = AckNeed::kNone;
  bool fin_received_ = false;
  bool has_pending_fin_ = false;  // a FIN was seen beyond a hole
  bool has_duplicate_ = false;
  Urgent urgent_ = Urgent::kNone;
  std::uint8_t urgent_octet_ = 0;
  SeqNum pending_fin_;
  SeqNum urgent_position_;  // of the urgent octet itself
  wire::SackBlock duplicate_;
  std::uint32_t ts_recent_ = 0;
  Instant ts_recent_time_{};

  ReceiveQueue queue_;
  std::unique_ptr<ReassemblyQueue> reassembly_;  // while something lies beyond a hole
};

}  // namespace transom::tcp
