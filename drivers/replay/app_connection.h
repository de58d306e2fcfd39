// The application of one end of a recorded connection, on a TCP of ours, against a peer that is alive: what
// the end said it writes in the same turns, after having read what the end had heard and thought as long.
// Segments, acknowledgments, retransmissions and windows are TCP's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "drivers/replay/live_connection.h"
#include "stack/host.h"
#include "stack/tcp/connection.h"

namespace transom::drivers::replay {

// What an application does at once.
struct AppTurn {
  std::uint64_t number = 0;     // of the packet in the capture
  std::int64_t end = 0;         // writes its stream up to here
  std::int64_t awaits = 0;      // having read the peer's stream up to here
  bool goes_with_syn = false;   // by fast open (RFC 7413): nothing need have come
  Duration think{}, time{};     // since then, or its turn before; since the connection's first packet
  bool is_whole_write = false;  // PSH: nothing more was queued
  std::int64_t urgent_end = 0;  // the octet before it is urgent; 0: none
  bool closes = false, resets = false;
};

class AppConnection final : public ReadinessListener, public LivePart {
 public:
  using State = LiveConnection::State;

  // `wake` is called when run() has something to do. `script` and `pacing` outlive it.
  AppConnection(const TcpScript& script, const LiveOptions& options, Pacing& pacing,
                std::function<void(AppConnection&)> wake);
  ~AppConnection() override;

  // Of an opener, before it starts: where it connects from and to.
  void set_ends(Host& host, const tcp::FourTuple& tuple);

  // --- within Host::enter() and leave()
  void start(Instant now) override;
  void take(tcp::Connection& connection, Instant now);  // accepted
  void run(Instant now) override;
  Instant next_deadline() const override;

  void on_readiness() override { wake_(*this); }

  // A segment of it has passed the Host's interface.
  void note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, Instant now);
  const std::deque<std::string>& last_packets() const { return last_packets_.lines(); }

  State state() const override { return state_; }
  bool is_done() const { return state_ == State::kDone; }
  std::string awaited() const;  // in words, for a person
  const StreamCheck& received() const { return received_; }
  const tcp::FourTuple& tuple() const { return tuple_; }
  const TcpScript& script() const { return script_; }
  std::size_t turns() const { return turns_.size(); }
  std::size_t turns_done() const { return next_; }

 private:
  static std::vector<AppTurn> turns_of(const TcpScript& script);
  void connect(Instant now);
  bool is_ready(Instant now);
  void fail(Error error, Instant now);
  void read(Instant now);
  bool write_turn(const AppTurn& turn);
  bool write_up_to(std::int64_t end, const tcp::SendFlags& flags);
  void finish_if_done();
  void let_go();
  bool is_heard(const AppTurn& turn) const;
  Instant due(const AppTurn& turn) const;
  Instant stall_at() const;
  std::int64_t heard() const;

  const TcpScript& script_;
  const LiveOptions options_;
  Pacing& pacing_;
  std::function<void(AppConnection&)> wake_;
  std::vector<AppTurn> turns_;
  Host* host_ = nullptr;  // of an opener, which tries again
  tcp::FourTuple tuple_;
  tcp::Connection* connection_ = nullptr;
  State state_ = State::kRunning;
  bool is_established_ = false;
  bool has_peer_closed_ = false;
  Error error_ = Error::kNone;
  Instant retry_at_ = kNever;
  Instant anchor_ = kNever, last_step_{}, heard_at_{}, last_progress_{}, last_run_{};
  std::size_t next_ = 0;
  std::int64_t written_ = 1;
  std::uint64_t acknowledged_ = 0;
  StreamCheck received_;
  std::optional<SequenceOffsets> own_, their_;
  LastPackets last_packets_;
};

}  // namespace transom::drivers::replay
