// Plays one end of a recorded connection against a peer that is alive. It has no TCP of the stack's: what is
// sent is what was recorded, at the same places of the stream, with the numbers of now.
//
// A step is due when the octets that it acknowledged have really come, in whatever segments, plus the time
// that the recorded end thought. What is lost on the way is sent again after a timeout or three duplicate
// ACKs; what comes out of order, or twice, or waits too long, is acknowledged at once, with SACK blocks.
#pragma once

#include <functional>
#include <map>

#include "drivers/replay/last_packets.h"
#include "drivers/replay/live_part.h"
#include "drivers/replay/live_setup.h"
#include "drivers/replay/stream_check.h"
#include "drivers/replay/tcp_script.h"
#include "stack/ip/transport.h"
#include "stack/tcp/rtt_estimator.h"
#include "stack/tcp/types.h"

namespace transom::drivers::replay {

// Cookies of fast open (RFC 7413) that live peers have given.
using FastOpenCookies = std::map<IpAddress, wire::FastOpenCookie>;

class LiveConnection final : public LivePart {
 public:
  // `fragments`: to be sent so; none: in one packet.
  using Send = std::function<void(const wire::TcpHeader& header, Bytes payload,
                                  std::span<const FragmentRange> fragments)>;
  using State = LiveState;

  LiveConnection(const TcpScript& script, const LiveOptions& options, Pacing& pacing, tcp::FourTuple tuple,
                 SeqNum initial, std::uint32_t max_segment, Send send);

  // `message`: of ICMP, to the peer; its checksum is to be filled in.
  using SendError = std::function<void(std::vector<std::uint8_t> message)>;
  void set_error_way(SendError send) { send_error_ = std::move(send); }
  // Shared with the other connections of the replay; they outlive it.
  void share_cookies(FastOpenCookies& cookies) { cookies_ = &cookies; }
  void start(Instant anchor) override;
  void receive(const wire::TcpHeader& header, Bytes payload, Instant now);
  // What somebody says of a segment that was sent, whose sequence number it quotes. True when it is about
  // something that is not acknowledged yet.
  bool take_error(const ip::IcmpError& error, SeqNum sequence, Instant now);
  void run(Instant now) override;
  Instant next_deadline() const override;

  State state() const override { return state_; }
  // All steps are done, all is acknowledged, and the peer has said all.
  bool is_done() const { return state_ == State::kDone; }
  std::string awaited() const;  // in words, for a person
  const std::deque<std::string>& last_packets() const { return last_packets_.lines(); }
  const StreamCheck& received() const { return received_; }
  const tcp::FourTuple& tuple() const { return tuple_; }
  const TcpScript& script() const { return script_; }
  std::size_t steps_done() const { return next_; }
  std::uint64_t sent() const { return sent_packets_; }
  std::uint64_t retransmitted() const { return retransmitted_; }
  std::uint64_t recut() const { return recut_; }  // recorded segments that did not fit

 private:
  struct Arrival {
    std::int64_t end;
    std::uint32_t timestamp;
  };

  void refuse_old(const wire::TcpHeader& header, Instant now);
  void take_syn(const wire::TcpHeader& header, Instant now);
  void take_ack(const wire::TcpHeader& header, bool has_text, Instant now);
  void take_text(const wire::TcpHeader& header, Bytes payload, Instant now);
  void on_reset(Instant now);
  bool is_heard(const ScriptStep& step) const;
  bool fits_window(const ScriptStep& step) const;
  bool says_nothing_new(const ScriptStep& step) const;
  Instant due(const ScriptStep& step) const;
  void play(const ScriptStep& step, Instant now);
  void play_error(const ScriptStep& step, Instant now);
  void begin_again(Instant now);
  void send_range(std::int64_t begin, std::int64_t end, const wire::TcpFlags& flags, const ScriptStep* step,
                  Instant now);
  void send_ack(Instant now);
  void retransmit(Instant now);
  void on_timeout(Instant now);
  wire::TcpHeader header_at(std::int64_t begin, wire::TcpFlags flags, const ScriptStep* step, Instant now);
  void add_fast_open(wire::TcpOptions& options, const wire::FastOpenCookie& recorded) const;
  void add_sack_blocks(wire::TcpOptions& options) const;
  void send(const wire::TcpHeader& header, Bytes payload, Instant now,
            std::span<const FragmentRange> fragments = {});
  void note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, Instant now);
  void finish_if_done();
  Instant stall_at() const;
  std::int64_t stream_end() const { return 1 + static_cast<std::int64_t>(script_.stream.size()); }

  const TcpScript& script_;
  LiveOptions options_;
  Pacing& pacing_;
  tcp::FourTuple tuple_;
  Send send_;
  SendError send_error_;
  State state_ = State::kRunning;
  Instant anchor_ = kNever;
  Instant last_progress_{};
  Instant last_step_{};  // when the step before was done
  Instant heard_at_{};   // when the peer's stream last grew

  // --- ours
  std::size_t next_ = 0;  // step
  SequenceOffsets own_;
  std::int64_t una_ = 0, sent_end_ = 0;
  std::int64_t peer_edge_ = 1;  // of the peer's window; the SYN always fits
  std::uint8_t peer_scale_ = 0;
  std::uint32_t mss_, peer_mss_ = 536;  // what the path takes, too, and what the peer takes
  FastOpenCookies* cookies_ = nullptr;
  bool asks_for_cookie_ = false;  // the peer's SYN
  bool timestamps_ = false, sack_ = false, scaling_ = false;
  std::uint8_t duplicate_acks_ = 0;
  std::int64_t recover_ = 0;  // while una_ is below, every partial ACK draws the next hole
  Instant retransmit_at_ = kNever;
  std::int64_t timed_end_ = 0;  // a round trip is measured up to here
  Instant timed_at_ = kNever;
  tcp::RttEstimator rtt_{std::chrono::milliseconds(200)};

  // --- theirs
  SequenceOffsets their_;
  bool has_syn_ = false;
  bool was_refused_ = false;  // a SYN of ours, and tries again
  bool peer_has_closed_ = false;
  std::int64_t heard_ = 0;                       // in order
  std::int64_t fin_at_ = -1;                     // offset of their FIN
  std::int64_t acked_ = 0;                       // that we have said
  std::int64_t right_edge_ = 0;                  // that we have offered
  std::map<std::int64_t, std::int64_t> beyond_;  // behind gaps: begin, end
  std::deque<Arrival> arrivals_;
  std::uint32_t echo_ = 0;
  Instant ack_at_ = kNever;
  StreamCheck received_;

  LastPackets last_packets_;
  std::uint64_t sent_packets_ = 0, retransmitted_ = 0, recut_ = 0;
};

}  // namespace transom::drivers::replay
