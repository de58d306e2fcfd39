// Serves the socket calls of unmodified programs from a Stack: the other side of seccomp_filter.h or
// preload.c.
//
//   program: socket() ──seccomp──► Supervisor ──► makes a pair and a Socket, gives one end to the program
//            connect(), bind(), getsockopt(), ... ──► the Socket, found by the cookie of the program's end
//            read(), write(), poll(), ... ──kernel──► the pair ──► GuestSocket ──► Socket
//
// One thread does everything, and drives the device while it waits. Several programs may be supervised by one
// stack, each by a Supervisor of its own.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <unordered_map>

#include "socket_api/run/call_source.h"
#include "socket_api/run/guest_socket.h"

namespace transom::sockets::run {

class Supervisor final : private GuestOwner {
 public:
  // Starts the thread.
  Supervisor(Stack& stack, std::unique_ptr<CallSource> calls);
  // Stops, and resets what is still open.
  ~Supervisor();

  // What the programs have, by the inode under which /proc/PID/fd shows it.
  struct ProgramSocket {
    SocketKind kind;
    Endpoint local;
    std::optional<Endpoint> remote;
    std::uint64_t inode = 0;
  };
  std::vector<ProgramSocket> sockets(Session& session) const;

 private:
  void note(GuestSocket& guest) override;
  void waits(GuestSocket& guest) override;
  void adopt(std::shared_ptr<GuestSocket> guest, std::uint64_t former_cookie) override;
  void is_broken(GuestSocket& guest) override;

  void serve();
  void take_events(Session& session);
  bool take_news(Session& session, bool& has_call);
  void work(Session& session);
  Instant next_deadline();
  void remove_if_over(const std::shared_ptr<GuestSocket>& guest);
  void forget_oldest_broken(Session& session);

  std::shared_ptr<GuestSocket> find(const TrappedCall& call);
  void handle(Session& session, const TrappedCall& call);
  void make_socket(Session& session, const TrappedCall& call);
  static void duplicate(GuestSocket& guest, const TrappedCall& call);
  void handle_on(Session& session, GuestSocket& guest, const TrappedCall& call);

  Stack& stack_;
  std::unique_ptr<CallSource> calls_;
  drivers::FileDescriptor events_;  // an epoll: the calls, stop_ and our ends
  drivers::FileDescriptor stop_;    // an eventfd
  bool is_stopping_ = false;
  Waiter* waiter_ = nullptr;
  std::unordered_map<std::uint64_t, std::shared_ptr<GuestSocket>> guests_;
  // By the cookies of pairs that they had: another process may have an end still.
  std::unordered_map<std::uint64_t, std::weak_ptr<GuestSocket>> former_;
  std::deque<std::uint64_t> former_order_;  // the oldest first
  std::vector<std::shared_ptr<GuestSocket>> noted_;
  std::vector<std::shared_ptr<GuestSocket>> waiting_;  // hold calls or have a deadline, or did a moment ago
  std::deque<std::uint64_t> broken_;                   // cookies, the oldest first
  Instant next_look_{};
  std::thread thread_;
};

}  // namespace transom::sockets::run
