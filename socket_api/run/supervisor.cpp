#include "socket_api/run/supervisor.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <system_error>
#include <utility>

#include "drivers/clock.h"
#include "socket_api/interface_query.h"
#include "socket_api/run/asked_numbers.h"
#include "socket_api/run/datagram_guest.h"
#include "socket_api/run/socket_calls.h"
#include "socket_api/run/stream_guest.h"

namespace transom::sockets::run {

namespace {

// Whose program cannot tell us any more that it has closed them.
constexpr std::size_t kMaxBroken = 1024;
// Of pairs that others have taken the place of.
constexpr std::size_t kMaxFormer = 1024;
// How often it is looked whether somebody still waits for the calls that are held.
constexpr Duration kLook = std::chrono::seconds(1);

drivers::FileDescriptor checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return drivers::FileDescriptor(descriptor);
}

void watch(int events, int descriptor, std::uint32_t what, std::uint64_t data) {
  epoll_event event{.events = what, .data = {.u64 = data}};
  if (epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

// In place of a cookie.
constexpr std::uint64_t kCalls = 0;
constexpr std::uint64_t kStop = UINT64_MAX;

}  // namespace

Supervisor::Supervisor(Stack& stack, std::unique_ptr<CallSource> calls)
    : stack_(stack),
      calls_(std::move(calls)),
      events_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      stop_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  watch(events_.get(), calls_->descriptor(), EPOLLIN, kCalls);
  watch(events_.get(), stop_.get(), EPOLLIN, kStop);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Supervisor::~Supervisor() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  Session session(stack_);
  for (const auto& [cookie, guest] : guests_) guest->close_socket(session);
}

std::vector<Supervisor::ProgramSocket> Supervisor::sockets(Session&) const {
  std::vector<ProgramSocket> list;
  for (const auto& [cookie, guest] : guests_) {
    Socket& socket = guest->socket();
    const auto local = socket.local_address();
    if (!local) continue;
    const auto remote = socket.remote_address();
    list.push_back({.kind = socket.kind(),
                    .local = local->endpoint,
                    .remote = remote ? std::optional(remote->endpoint) : std::nullopt,
                    .inode = guest->inode()});
  }
  return list;
}

// ---------------------------------------------------------------- the thread

void Supervisor::serve() {
  constexpr Duration kNoTime = std::chrono::microseconds(5);  // a look at the devices, between other work
  Session session(stack_);
  Waiter waiter(session.loop());
  const KernelWatch watch(waiter, events_.get());
  waiter_ = &waiter;
  while (!is_stopping_) {
    waiter.reset();
    take_events(session);
    work(session);
    if (!noted_.empty()) waiter.reset();
    session.wait(waiter, noted_.empty() ? next_deadline() : drivers::monotonic_now() + kNoTime);
  }
  waiter_ = nullptr;
}

void Supervisor::take_events(Session& session) {
  bool has_call = false;
  take_news(session, has_call);
  if (!has_call) return;
  const auto call = calls_->next();
  if (!call) return;
  // What the program did before this call is news by now: a port that it has closed is free for bind().
  while (take_news(session, has_call)) {
  }
  handle(session, *call);
}

// Of the ends; true when there may be more of it. `has_call` is set when a call waits.
bool Supervisor::take_news(Session& session, bool& has_call) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(events_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const std::uint64_t key = event.data.u64;  // the structure is packed: no reference to a member
    if (key == kStop) {
      is_stopping_ = true;
    } else if (key == kCalls) {
      has_call = (event.events & EPOLLIN) != 0;
      // Without a call: the last process is gone.
      if (!has_call) epoll_ctl(events_.get(), EPOLL_CTL_DEL, calls_->descriptor(), nullptr);
    } else if (const auto found = guests_.find(key); found != guests_.end()) {
      const std::shared_ptr<GuestSocket> guest = found->second;
      guest->on_end(session, event.events);
      remove_if_over(guest);
    }
  }
  return count == static_cast<int>(events.size());
}

void Supervisor::work(Session& session) {
  for (const std::shared_ptr<GuestSocket>& guest : std::exchange(noted_, {})) {
    guest->is_noted = false;
    if (!guest->is_over()) guest->on_socket(session);
    remove_if_over(guest);
  }
  while (broken_.size() > kMaxBroken) forget_oldest_broken(session);
  const Instant now = session.now();
  const bool is_time_to_look = now >= next_look_;
  if (is_time_to_look) next_look_ = now + kLook;
  for (const std::shared_ptr<GuestSocket>& guest : waiting_) {
    if (is_time_to_look || guest->next_deadline() <= now) note(*guest);
  }
}

void Supervisor::forget_oldest_broken(Session& session) {
  const auto found = guests_.find(broken_.front());
  broken_.pop_front();
  if (found == guests_.end()) return;
  found->second->close_socket(session);
  guests_.erase(found);
}

Instant Supervisor::next_deadline() {
  std::erase_if(waiting_, [](const std::shared_ptr<GuestSocket>& guest) {
    guest->is_waiting = guest->holds_calls() || guest->next_deadline() != kNever;
    return !guest->is_waiting;
  });
  Instant earliest = kNever;
  for (const std::shared_ptr<GuestSocket>& guest : waiting_)
    earliest = std::min(earliest, guest->next_deadline());
  return earliest;
}

void Supervisor::remove_if_over(const std::shared_ptr<GuestSocket>& guest) {
  if (guest->is_over()) guests_.erase(guest->cookie());
}

// ---------------------------------------------------------------- GuestOwner

void Supervisor::note(GuestSocket& guest) {
  if (std::exchange(guest.is_noted, true)) return;
  noted_.push_back(guest.shared_from_this());
  if (waiter_ != nullptr) waiter_->wake();
}

void Supervisor::waits(GuestSocket& guest) {
  if (!std::exchange(guest.is_waiting, true)) waiting_.push_back(guest.shared_from_this());
}

void Supervisor::adopt(std::shared_ptr<GuestSocket> guest, std::uint64_t former_cookie) {
  if (former_cookie != 0) {
    guests_.erase(former_cookie);
    former_[former_cookie] = guest;
    former_order_.push_back(former_cookie);
    if (former_order_.size() > kMaxFormer) {
      former_.erase(former_order_.front());
      former_order_.pop_front();
    }
  }
  watch(events_.get(), guest->end(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, guest->cookie());
  guests_[guest->cookie()] = std::move(guest);
}

void Supervisor::is_broken(GuestSocket& guest) { broken_.push_back(guest.cookie()); }

// ---------------------------------------------------------------- calls

// Whose descriptor it is that the call names; nullptr when it is none of ours.
std::shared_ptr<GuestSocket> Supervisor::find(const TrappedCall& call) {
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return nullptr;
  const std::uint64_t cookie = cookie_of(theirs->get());
  if (const auto found = guests_.find(cookie); found != guests_.end()) return found->second;
  const auto former = former_.find(cookie);
  if (former == former_.end()) return nullptr;
  auto guest = former->second.lock();
  if (guest) guest->move_to(call);
  return guest;
}

void Supervisor::handle(Session& session, const TrappedCall& call) {
  if (call.number() == SYS_socket) return make_socket(session, call);
  const std::shared_ptr<GuestSocket> guest = find(call);
  if (!guest) return call.resume();
  guest->remember(call.thread(), call.int_argument(0));
  guest->prepare(session, call);
  handle_on(session, *guest, call);
  remove_if_over(guest);
}

void Supervisor::make_socket(Session& session, const TrappedCall& call) {
  const int type = call.int_argument(1);
  const SocketKind kind{call.int_argument(0), type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), call.int_argument(2)};
  auto socket = Socket::create(session, kind);
  if (!socket) return call.finish(socket.error());
  const bool is_stream = kind.type == SOCK_STREAM;
  auto pair = make_pair((is_stream ? SOCK_STREAM : SOCK_SEQPACKET) | (type & SOCK_NONBLOCK));
  if (!pair) {
    (*socket)->close(session);
    return call.finish(pair.error());
  }
  const int theirs = pair->theirs.get();
  GuestOwner& self = *this;
  std::shared_ptr<GuestSocket> guest;
  if (is_stream) {
    Gate gate;
    gate.close(*pair);
    guest = std::make_shared<StreamGuest>(self, *socket, std::move(pair->ours), theirs, gate);
  } else {
    guest = std::make_shared<DatagramGuest>(self, *socket, std::move(pair->ours), theirs);
  }
  // Known before the program has it: it may call with it at once. If nobody has it, our end tells.
  adopt(guest, 0);
  const bool close_on_exec = (type & SOCK_CLOEXEC) != 0;
  (void)(is_stream ? call.give(theirs, close_on_exec) : call.give_asked(theirs, close_on_exec));
}

// A duplicate gets a number of which all is asked, too, unless the program insists on another.
void Supervisor::duplicate(GuestSocket& guest, const TrappedCall& call) {
  const bool is_fcntl = call.number() == SYS_fcntl;
  const bool has_choice = call.number() == SYS_dup || (is_fcntl && call.argument(2) <= TRANSOM_ASKED_FIRST);
  const bool is_stream = guest.socket().kind().type == SOCK_STREAM;
  if (const auto theirs = call.take_descriptor(call.int_argument(0)); has_choice && !is_stream && theirs) {
    (void)call.give_asked(theirs->get(), is_fcntl && call.int_argument(1) == F_DUPFD_CLOEXEC);
    return;
  }
  guest.remember_elsewhere();
  call.resume();
}

void Supervisor::handle_on(Session& session, GuestSocket& guest, const TrappedCall& call) {
  switch (call.number()) {
    case SYS_connect:
      return guest.connect(session, call);
    case SYS_bind:
      return bind_socket(session, guest.socket(), call);
    case SYS_listen:
      return guest.listen(session, call);
    case SYS_accept:
    case SYS_accept4:
      return guest.accept(session, call);
    case SYS_getsockname:
      return write_name(guest.socket(), guest.socket().local_address(), call);
    case SYS_getpeername:
      return write_name(guest.socket(), guest.socket().remote_address(), call);
    case SYS_setsockopt:
      return set_option(session, guest, call);
    case SYS_getsockopt:
      return get_option(session, guest, call);
    case SYS_shutdown:
      return guest.shutdown(session, call);
    case SYS_ioctl:
      if (is_interface_query(call.argument(1))) return run::query_interface(session, call);
      return guest.query(call);
    case SYS_dup:
#ifdef SYS_dup2
    case SYS_dup2:
#endif
    case SYS_dup3:
    case SYS_fcntl:
      return duplicate(guest, call);
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
      return guest.send(session, call);
    default:
      return guest.receive(session, call);
  }
}

}  // namespace transom::sockets::run
