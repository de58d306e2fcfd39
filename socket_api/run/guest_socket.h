// One socket of a supervised program: the stack's socket on one side, our end of the program's pair on the
// other, and what flows between them. StreamGuest and DatagramGuest are the kinds there are.
//
//   program ══ its end │ our end ── GuestSocket ── Socket ── stack
//
// Everything happens in the supervisor's thread within its Session. The stack's socket is non-blocking; a
// call of the program that has to wait is held, not answered, until it can be.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "socket_api/run/pair.h"
#include "socket_api/run/trapped_call.h"
#include "socket_api/socket.h"

namespace transom::sockets::run {

class GuestSocket;

// What a guest needs of the supervisor.
class GuestOwner {
 public:
  // Look at it again soon: its socket may have become ready. Called under the lock, perhaps from within the
  // stack.
  virtual void note(GuestSocket& guest) = 0;
  // It has begun to hold calls, or has a deadline.
  virtual void waits(GuestSocket& guest) = 0;
  // A connection that was accepted, or a guest with a new pair: known from now on.
  virtual void adopt(std::shared_ptr<GuestSocket> guest, std::uint64_t former_cookie = 0) = 0;
  // It has closed its end to tell the program of an error, so nobody will tell when the program closes its
  // own.
  virtual void is_broken(GuestSocket& guest) = 0;

 protected:
  ~GuestOwner() = default;
};

// A call that waits for its answer.
struct HeldCall {
  TrappedCall call;
  Instant deadline = kNever;
  int late_error = 0;  // what it says after that; 0: as the others
};

class GuestSocket : public std::enable_shared_from_this<GuestSocket> {
 public:
  // `theirs`: the program's end, which is not kept.
  GuestSocket(GuestOwner& owner, std::shared_ptr<Socket> socket, drivers::FileDescriptor end, int theirs);
  virtual ~GuestSocket();
  GuestSocket(const GuestSocket&) = delete;
  GuestSocket& operator=(const GuestSocket&) = delete;

  std::uint64_t cookie() const { return cookie_; }
  std::uint64_t inode() const { return inode_; }  // of the program's end
  int end() const { return end_.get(); }
  Socket& socket() { return *socket_; }
  bool is_noted = false;    // the owner's
  bool is_waiting = false;  // the owner's

  // Before each of its calls.
  virtual void prepare(Session&, const TrappedCall&) {}
  // The program's end becomes what the descriptor of `call` is, which is an end of a former pair.
  void move_to(const TrappedCall& call);

  // --- calls of the program; each answers `call`, or holds it
  virtual void connect(Session& session, const TrappedCall& call);
  virtual void listen(Session& session, const TrappedCall& call);
  virtual void accept(Session& session, const TrappedCall& call);
  virtual void send(Session& session, const TrappedCall& call) = 0;     // sendto, sendmsg, sendmmsg
  virtual void receive(Session& session, const TrappedCall& call) = 0;  // recvfrom, recvmsg, recvmmsg
  virtual void shutdown(Session& session, const TrappedCall& call) = 0;
  virtual void query(const TrappedCall& call);  // ioctl
  // SO_SNDBUF or SO_RCVBUF (`name`) of the socket now is `size`.
  virtual void buffer_is(int /*name*/, int /*size*/) {}
  virtual int pending_error() { return 0; }  // of SO_ERROR, once
  // What the program has written goes out before anything is changed.
  virtual void flush(Session&) {}

  // --- what makes things move
  // Our end has news: epoll(7) events. Edge-triggered.
  virtual void on_end(Session& session, std::uint32_t events) = 0;
  // The stack's socket has, or a held call may have come of age.
  virtual void on_socket(Session& session) = 0;
  bool holds_calls() const { return !held_.empty(); }
  // When on_socket() wants to be called although nothing has happened.
  virtual Instant next_deadline() const;
  // The program has closed it and the stack has what was written.
  bool is_over() const { return is_over_; }
  void close_socket(Session& session);

  // Where the program's end was seen last, to get at it when it is needed.
  void remember(pid_t thread, int number) { hint_ = {thread, number}; }
  // Its process is known, and not its number.
  void remember_process_of(pid_t thread) { hint_ = {thread, -1}; }
  // A duplicate of it has a number of which not every call is asked.
  void remember_elsewhere() { is_elsewhere_ = true; }

 protected:
  struct Hint {
    pid_t thread = 0;
    int number = -1;
  };
  // Where it was seen last, the program's end is still.
  bool is_where_it_was() const;
  // All that is done with the program's end is asked of the supervisor, as far as is known.
  bool is_asked_everywhere() const;
  // The program's end, for a moment. Empty when it cannot be found.
  drivers::FileDescriptor borrow_their_end() const;
  // `theirs`, a descriptor of ours, takes all the places that the descriptor of `call` has in its process.
  static Outcome<void> replace_end(const TrappedCall& call, int theirs);
  // O_NONBLOCK of the program's descriptor that the call names.
  static bool may_block(const TrappedCall& call, int flags = 0);
  void hold(Session& session, const TrappedCall& call, Duration timeout, int late_error = 0);
  // The pair is another. Returns the former cookie.
  std::uint64_t change_pair(drivers::FileDescriptor end, int theirs);
  // Answers those that have waited too long, with `error`, and forgets those that nobody waits for.
  void expire_held(Session& session, int error);
  void finish_held(const Outcome<void>& outcome);

  GuestOwner& owner_;
  std::shared_ptr<Socket> socket_;
  drivers::FileDescriptor end_;
  std::uint64_t cookie_;  // changes with the pair
  std::uint64_t inode_;
  std::vector<HeldCall> held_;
  bool is_over_ = false;

 private:
  class ReadinessNote;

  Hint hint_;
  bool is_elsewhere_ = false;
  std::unique_ptr<ReadinessNote> note_;
};

// sockaddr arguments of trapped calls.
struct AddressArgument {
  alignas(8) std::array<std::uint8_t, 128> octets{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(octets.data()); }
};
Outcome<AddressArgument> read_address_argument(const TrappedCall& call, std::uint64_t address,
                                               std::uint64_t length);
// As getsockname(2): `length` is the address of the value-result argument. Nothing when `address` is 0.
Outcome<void> write_address_argument(const TrappedCall& call, int domain, const SocketAddress& from,
                                     std::uint64_t address, std::uint64_t length);

}  // namespace transom::sockets::run
