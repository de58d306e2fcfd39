// A TCP socket of a supervised program.
//
//   FRESH ──connect──► CONNECTING ──► CONNECTED        FRESH ──listen──► LISTENING ──accept──► CONNECTED
//   (another)
//     ▲                     │ failed, the call was held
//     └─────────────────────┘
//
// FRESH, CONNECTING and LISTENING have a closed gate: the program's end is not writable. When a non-blocking
// connect() has failed, the program has learnt it from the reset of its end: the next connect() gets a new
// pair, under the same numbers and in the same epolls.
#pragma once

#include <cstddef>
#include <deque>

#include "socket_api/run/guest_socket.h"

namespace transom::sockets::run {

// Octets on their way that the next one would not take.
class Leftover {
 public:
  bool empty() const { return at_ == octets_.size(); }
  Bytes view() const { return Bytes(octets_).subspan(at_); }
  void drop(std::size_t octets) {
    at_ += octets;
    if (empty()) clear();
  }
  void keep(Bytes octets) {
    octets_.assign(octets.begin(), octets.end());
    at_ = 0;
  }
  void clear() {
    octets_.clear();
    at_ = 0;
  }

 private:
  std::vector<std::uint8_t> octets_;
  std::size_t at_ = 0;
};

class StreamGuest final : public GuestSocket {
 public:
  // A fresh one, whose pair has `gate`; or, with an open gate, one that a listener has accepted.
  StreamGuest(GuestOwner& owner, std::shared_ptr<Socket> socket, drivers::FileDescriptor end, int theirs,
              Gate gate);
  ~StreamGuest() override;

  void connect(Session& session, const TrappedCall& call) override;
  void listen(Session& session, const TrappedCall& call) override;
  void accept(Session& session, const TrappedCall& call) override;
  void send(Session& session, const TrappedCall& call) override;
  void receive(Session& session, const TrappedCall& call) override;
  void shutdown(Session& session, const TrappedCall& call) override;
  void query(const TrappedCall& call) override;
  void buffer_is(int name, int size) override;
  int pending_error() override { return std::exchange(error_, 0); }

  void on_end(Session& session, std::uint32_t events) override;
  void on_socket(Session& session) override;

 private:
  enum class Phase : std::uint8_t { kFresh, kConnecting, kConnected, kListening, kBroken };

  void begin_connection(Session& session);
  void on_connecting(Session& session);
  void fail_connection(Errno error);
  Outcome<void> renew_pair(const TrappedCall& call);
  void connect_to(Session& session, const TrappedCall& call, const SocketAddress& address);
  void connect_again(Session& session, const TrappedCall& call, const SocketAddress& address);
  void accept_all(Session& session);
  void answer_accepts(Session& session);
  void give(const TrappedCall& call);
  void write_tokens();
  void take_token();
  void stop_listening(Session& session);
  // --- stream_flow.cpp
  void move_out(Session& session);  // from the program to the stack
  void move_in(Session& session);   // from the stack to the program
  bool move_urgent_out(Session& session);
  void move_urgent_in(Session& session);
  void break_connection(Session& session, int error);
  void forget_end();
  bool is_open_though_shut() const;
  void end_if_done(Session& session);

  struct Accepted {  // by us, and not yet by the program
    drivers::FileDescriptor theirs;
    SocketAddress from;
    std::shared_ptr<StreamGuest> guest;
  };

  Phase phase_ = Phase::kFresh;
  Gate gate_;
  int error_ = 0;
  bool is_refused_ = false;     // broken by a connect() that failed, and the program has not asked again
  bool may_connect_ = false;    // broken, and not for good
  bool program_writes_ = true;  // it has not shut that down
  bool program_reads_ = true;
  int waiting_end_ = -1;  // the program's end, while it waits to be accepted
  bool is_given_ = true;  // the program has it, or had
  bool end_readable_ = true;
  bool end_writable_ = true;
  bool end_urgent_ = false;
  bool end_closed_ = false;    // the program has closed it
  bool end_shut_ = false;      // the program will write no more, and all that it wrote is in
  bool socket_ended_ = false;  // the peer will write no more, and the program knows
  Leftover outgoing_;
  Leftover incoming_;
  // What the pair holds is on top of what the stack's buffers hold: where they are small, so is it.
  int send_room_ = kPairBuffer;
  int receive_room_ = kPairBuffer;
  std::deque<Accepted> accepted_;
  std::size_t backlog_ = 1;
  std::size_t tokens_ = 0;  // octets in the listener's pair, one for each that is accepted_: it is readable
};

}  // namespace transom::sockets::run
