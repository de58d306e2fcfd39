// A UDP or ping socket of a supervised program.
//
// The pair keeps the boundaries of datagrams but knows no addresses. Those of the datagrams that wait in it
// are remembered here in the same order; read() and recv() may take datagrams without a word, so
// how many are left is asked of the pair itself.
//
// A pair can show POLLERR only by breaking, which is done when the program is likely to wait: its next call
// gets a new pair. Where that call may be one that nobody is asked about (asked_numbers.h), an error wakes
// with an empty record instead, unless it waits for MSG_ERRQUEUE, which a call of ours has to ask for:
// datagram_errors.cpp.
#pragma once

#include <deque>

#include "socket_api/run/guest_socket.h"
#include "socket_api/run/message_argument.h"

namespace transom::sockets::run {

class DatagramGuest final : public GuestSocket {
 public:
  using GuestSocket::GuestSocket;

  void prepare(Session& session, const TrappedCall& call) override;
  void connect(Session& session, const TrappedCall& call) override;
  void send(Session& session, const TrappedCall& call) override;
  void receive(Session& session, const TrappedCall& call) override;
  void shutdown(Session& session, const TrappedCall& call) override;
  void query(const TrappedCall& call) override;
  void flush(Session& session) override { move_out(session); }
  int pending_error() override;

  void on_end(Session& session, std::uint32_t events) override;
  void on_socket(Session& session) override;
  Instant next_deadline() const override { return std::min(GuestSocket::next_deadline(), show_at_); }

 private:
  // What came with a datagram that waits in the pair.
  struct Waiting {
    std::size_t size = 0;
    std::optional<SocketAddress> from;
    std::vector<std::uint8_t> control;
    bool is_error = false;  // an empty record that only wakes: error_ is what it means
    bool was_seen = false;  // by a look with SO_PEEK_OFF, of an empty one
  };
  void move_out(Session& session);
  void move_in(Session& session);
  bool relay_one(Session& session);
  bool may_break() const;
  void show_errors(Session& session);
  Outcome<void> renew_pair(const TrappedCall& call);
  void tell_error();
  int take_error(int theirs);
  void forget_taken(int theirs);
  // nullopt: there is nothing, and the call may wait.
  std::optional<Outcome<std::int64_t>> try_receive(Session& session, const TrappedCall& call);
  Outcome<std::size_t> receive_into(Session& session, const TrappedCall& call, MessageArgument& message,
                                    int flags, int theirs);
  std::size_t place_ahead(std::size_t offset);
  Outcome<std::int64_t> receive_many(Session& session, const TrappedCall& call, int theirs);
  Outcome<std::int64_t> send_one(Session& session, const TrappedCall& call);
  Outcome<std::int64_t> send_many(Session& session, const TrappedCall& call);
  Outcome<std::size_t> send_from(Session& session, const TrappedCall& call, const MessageArgument& message,
                                 int flags);

  std::deque<Waiting> waiting_;
  bool end_writable_ = true;
  bool is_read_shut_ = false;
  bool is_write_shut_ = false;
  bool is_shown_ = false;     // the pair is broken for it; end_ tells when the program has closed its own
  Instant show_at_ = kNever;  // if nothing is heard of the program until then
  Instant last_heard_{};
  bool may_show_ = false;  // and can be replaced
  int error_ = 0;          // of the socket, for the next call that can be told
};

}  // namespace transom::sockets::run
