#include "socket_api/run/stream_guest.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <utility>

#include "socket_api/run/end_io.h"
#include "socket_api/run/message_argument.h"

namespace transom::sockets::run {

StreamGuest::StreamGuest(GuestOwner& owner, std::shared_ptr<Socket> socket, drivers::FileDescriptor end,
                         int theirs, Gate gate)
    : GuestSocket(owner, std::move(socket), std::move(end), theirs),
      phase_(gate.is_closed() ? Phase::kFresh : Phase::kConnected),
      gate_(gate) {}

StreamGuest::~StreamGuest() {
  for (const Accepted& waiting : accepted_) waiting.guest->waiting_end_ = -1;
}

// ---------------------------------------------------------------- connect

void StreamGuest::connect(Session& session, const TrappedCall& call) {
  const auto argument = read_address_argument(call, call.argument(1), call.argument(2));
  if (!argument) return call.finish(argument.error());
  if (is_unspecified_family(argument->get(), argument->length)) {
    if (phase_ == Phase::kConnected) {
      reset(end_, borrow_their_end().get());
      phase_ = Phase::kBroken;
      may_connect_ = true;
    } else if (phase_ == Phase::kConnecting) {
      phase_ = Phase::kFresh;
      finish_held(fail(ECONNRESET));
    }
    return call.finish(socket_->disconnect(session));
  }
  if (phase_ == Phase::kConnecting && may_block(call)) {  // again after a signal, or another thread
    return hold(session, call, socket_->send_timeout(), EALREADY);
  }
  const auto address = read_address(socket_->domain(), argument->get(), argument->length);
  if (!address) return call.finish(address.error());
  if (phase_ == Phase::kBroken) return connect_again(session, call, *address);
  connect_to(session, call, *address);
}

// As Linux: the first connect() after one that failed without blocking tells of it, unless SO_ERROR has.
void StreamGuest::connect_again(Session& session, const TrappedCall& call, const SocketAddress& address) {
  if (!may_connect_) return call.finish(Errno{EISCONN});
  const int error = error_ != 0 ? error_ : ECONNABORTED;
  if (const auto renewed = renew_pair(call); !renewed) return call.finish(renewed.error());
  if (std::exchange(is_refused_, false)) return call.finish(Errno{error});
  connect_to(session, call, address);
}

void StreamGuest::connect_to(Session& session, const TrappedCall& call, const SocketAddress& address) {
  const auto connected = socket_->connect(session, address);
  if (connected) {
    begin_connection(session);
    return call.finish(connected);
  }
  if (connected.error() != Errno{EINPROGRESS}) return call.finish(connected.error());
  phase_ = Phase::kConnecting;
  if (may_block(call)) return hold(session, call, socket_->send_timeout());
  call.finish(connected.error());
}

void StreamGuest::on_connecting(Session& session) {
  const Readiness ready = socket_->readiness();
  if (!ready.writable && !ready.error && !ready.hang_up) return;
  if (!ready.error && !ready.hang_up) {
    if (!held_.empty()) (void)socket_->connect(session, {});  // has said so: EISCONN from now on
    begin_connection(session);
    finish_held({});
    return;
  }
  // What connect() says of it, which also makes the socket fresh again.
  const auto local = socket_->local_address();
  const auto outcome = socket_->connect(session, local.value_or(SocketAddress{}));
  if (outcome) {  // it was there, and has ended since
    begin_connection(session);
    finish_held({});
    return;
  }
  fail_connection(outcome.error());
}

void StreamGuest::begin_connection(Session& session) {
  phase_ = Phase::kConnected;
  const drivers::FileDescriptor theirs = borrow_their_end();
  gate_.open(end_.get(), theirs.get(), send_room_);
  end_readable_ = true;
  move_out(session);
  move_in(session);
}

void StreamGuest::fail_connection(Errno error) {
  if (!held_.empty()) {  // the caller is told, and may try again
    phase_ = Phase::kFresh;
    finish_held(std::unexpected(error));
    return;
  }
  error_ = to_number(error);
  phase_ = Phase::kBroken;
  is_refused_ = may_connect_ = true;
  reset(end_, -1);  // the gate's junk is unread
  owner_.is_broken(*this);
}

// The old pair has told of the failure by being closed. The new one takes its places in the process that
// calls; another that shares the socket gets it with its next call.
Outcome<void> StreamGuest::renew_pair(const TrappedCall& call) {
  auto pair = make_pair(SOCK_STREAM | (may_block(call) ? 0 : SOCK_NONBLOCK));
  if (!pair) return std::unexpected(pair.error());
  Gate gate;
  gate.close(*pair);
  if (const auto replaced = replace_end(call, pair->theirs.get()); !replaced) return replaced;
  const std::uint64_t former_cookie = change_pair(std::move(pair->ours), pair->theirs.get());
  set_send_buffer(end_.get(), receive_room_);
  gate_ = gate;
  error_ = 0;
  may_connect_ = false;
  end_readable_ = end_writable_ = program_writes_ = program_reads_ = true;
  end_urgent_ = end_closed_ = end_shut_ = socket_ended_ = false;
  phase_ = Phase::kFresh;
  owner_.adopt(shared_from_this(), former_cookie);
  return {};
}

// ---------------------------------------------------------------- listen and accept

void StreamGuest::listen(Session& session, const TrappedCall& call) {
  const int backlog = call.int_argument(1);
  const auto done = socket_->listen(session, backlog);
  if (done) {
    phase_ = Phase::kListening;
    constexpr std::size_t kMost = 1024;
    backlog_ = backlog < 0 ? kMost : std::clamp<std::size_t>(static_cast<std::size_t>(backlog), 1, kMost);
  }
  call.finish(done);
}

void StreamGuest::accept(Session& session, const TrappedCall& call) {
  const int flags = call.number() == SYS_accept4 ? call.int_argument(3) : 0;
  if (phase_ != Phase::kListening || (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0)
    return call.finish(Errno{EINVAL});
  accept_all(session);
  if (!accepted_.empty()) {
    give(call);
    write_tokens();
  } else if (may_block(call)) {
    hold(session, call, socket_->receive_timeout());
  } else {
    call.finish(Errno{EAGAIN});
  }
}

void StreamGuest::accept_all(Session& session) {
  while (accepted_.size() < backlog_) {
    auto accepted = socket_->accept(session);
    if (!accepted) break;
    auto pair = make_pair(SOCK_STREAM);
    if (!pair) {  // too many descriptors: as if it had never been accepted
      accepted->socket->do_not_linger();
      accepted->socket->close(session);
      break;
    }
    const auto guest = std::make_shared<StreamGuest>(owner_, std::move(accepted->socket),
                                                     std::move(pair->ours), pair->theirs.get(), Gate{});
    set_send_buffer(pair->theirs.get(), send_room_);
    guest->send_room_ = send_room_;
    guest->buffer_is(SO_RCVBUF, receive_room_);
    owner_.adopt(guest);
    owner_.note(*guest);
    guest->waiting_end_ = pair->theirs.get();
    guest->is_given_ = false;
    accepted_.push_back({std::move(pair->theirs), accepted->from, guest});
  }
}

// When the thread that called is gone, the connection is there for the next.
void StreamGuest::give(const TrappedCall& call) {
  Accepted& next = accepted_.front();
  const int flags = call.number() == SYS_accept4 ? call.int_argument(3) : 0;
  const auto named =
      write_address_argument(call, socket_->domain(), next.from, call.argument(1), call.argument(2));
  if (!named) return call.finish(named.error());
  if ((flags & SOCK_NONBLOCK) != 0) (void)fcntl(next.theirs.get(), F_SETFL, O_NONBLOCK);
  take_token();  // first: the program goes on at once, and may look whether there is more to accept
  if (!call.give(next.theirs.get(), (flags & SOCK_CLOEXEC) != 0)) {
    (void)fcntl(next.theirs.get(), F_SETFL, 0);
    write_tokens();
    return;
  }
  next.guest->waiting_end_ = -1;
  next.guest->is_given_ = true;
  next.guest->remember_process_of(call.thread());
  accepted_.pop_front();
}

// That of the next connection to be accepted, if it has one yet.
void StreamGuest::take_token() {
  if (tokens_ < accepted_.size()) return;
  char token = 0;
  const drivers::FileDescriptor theirs = borrow_their_end();
  if (theirs && recv(theirs.get(), &token, 1, MSG_DONTWAIT) == 1) --tokens_;
}

void StreamGuest::answer_accepts(Session& session) {
  accept_all(session);
  while (!held_.empty() && !accepted_.empty()) {
    const TrappedCall call = held_.front().call;
    held_.erase(held_.begin());
    give(call);
    accept_all(session);
  }
  write_tokens();
}

void StreamGuest::write_tokens() {
  constexpr std::uint8_t kToken = 0;
  while (tokens_ < accepted_.size() && write_end(end_.get(), Bytes(&kToken, 1)) == 1) ++tokens_;
}

void StreamGuest::buffer_is(int name, int size) {
  if (name == SO_RCVBUF) {
    receive_room_ = size;
    set_send_buffer(end_.get(), size);
    return;
  }
  send_room_ = size;
  if (phase_ != Phase::kConnected) return;  // when the gate opens
  if (const drivers::FileDescriptor theirs = borrow_their_end()) set_send_buffer(theirs.get(), size);
}

void StreamGuest::shutdown(Session& session, const TrappedCall& call) {
  const int how = call.int_argument(1);
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return call.finish(Errno{EINVAL});
  const bool has_ended = phase_ == Phase::kConnected && !socket_->remote_address();
  if (phase_ == Phase::kFresh || phase_ == Phase::kBroken || has_ended) return call.finish(Errno{ENOTCONN});
  if (phase_ == Phase::kListening) {
    if (how != SHUT_WR) stop_listening(session);
    return call.finish(std::int64_t{0});
  }
  if (phase_ == Phase::kConnecting && how != SHUT_WR) {  // gives up, and can connect again
    const auto done = socket_->shutdown(session, how);
    phase_ = Phase::kFresh;
    std::array<std::uint8_t, sizeof(int)> error{};
    if (!held_.empty()) (void)socket_->get_option(session, SOL_SOCKET, SO_ERROR, error);  // who waits is told
    finish_held(fail(ECONNRESET));
    return call.finish(done);
  }
  if (how != SHUT_RD) program_writes_ = false;
  if (how != SHUT_WR) program_reads_ = false;
  call.resume();
}

// The descriptor can listen again.
void StreamGuest::stop_listening(Session& session) {
  (void)socket_->shutdown(session, SHUT_RD);
  finish_held(fail(EINVAL));
  phase_ = Phase::kFresh;
  for (const Accepted& waiting : std::exchange(accepted_, {})) waiting.guest->waiting_end_ = -1;
  const drivers::FileDescriptor theirs = borrow_their_end();
  char token = 0;
  while (tokens_ > 0 && theirs && recv(theirs.get(), &token, 1, MSG_DONTWAIT) == 1) --tokens_;
}

// The pair knows what of the stream is in it, and the urgent octet.
void StreamGuest::query(const TrappedCall& call) {
  const auto request = call.argument(1);
  if (request == FIONREAD && phase_ == Phase::kListening) return call.finish(Errno{EINVAL});
  if (request == FIONREAD || request == SIOCATMARK) return call.resume();
  GuestSocket::query(call);
}

// ---------------------------------------------------------------- messages that are not left to the kernel

// sendto() with an address, which a connected stream socket ignores; MSG_FASTOPEN.
void StreamGuest::send(Session&, const TrappedCall& call) {
  if (call.number() != SYS_sendto) {
    const bool is_never_connected = phase_ == Phase::kFresh || phase_ == Phase::kListening;
    return is_never_connected ? call.finish(Errno{EPIPE}) : call.resume();
  }
  const int flags = call.int_argument(3);
  if (phase_ == Phase::kFresh || phase_ == Phase::kConnecting)
    return call.finish(Errno{(flags & MSG_FASTOPEN) != 0 ? EOPNOTSUPP : EPIPE});
  if (call.argument(4) == 0 && (flags & MSG_FASTOPEN) == 0) return call.resume();  // MSG_MORE
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return call.finish(theirs.error());
  const MutableBytes octets = chunk();
  const std::size_t size = std::min<std::size_t>(call.argument(2), octets.size());
  const auto copied = call.read(call.argument(1), octets.first(size));
  if (!copied) return call.finish(copied.error());
  const ssize_t sent = write_end(theirs->get(), octets.first(size), flags & (MSG_OOB | MSG_MORE));
  sent < 0 ? call.finish(Errno{errno}) : call.finish(std::int64_t{sent});
}

// MSG_ERRQUEUE is empty for a stream; MSG_TRUNC throws octets away (tcp(7)).
void StreamGuest::receive(Session&, const TrappedCall& call) {
  const bool is_simple = call.number() == SYS_recvfrom;
  const int flags = flags_of(call);
  if ((flags & MSG_ERRQUEUE) != 0) return call.finish(Errno{EAGAIN});
  if (phase_ == Phase::kFresh || phase_ == Phase::kListening)
    return call.finish(Errno{(flags & MSG_OOB) != 0 ? EINVAL : ENOTCONN});
  if (!is_simple || (flags & MSG_TRUNC) == 0) return call.resume();
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return call.finish(theirs.error());
  const MutableBytes discarded = chunk();
  const std::size_t size = std::min<std::size_t>(call.argument(2), discarded.size());
  const ssize_t got = recv(theirs->get(), discarded.data(), size, MSG_DONTWAIT | (flags & MSG_PEEK));
  got < 0 ? call.finish(Errno{errno}) : call.finish(std::int64_t{got});
}

}  // namespace transom::sockets::run
