#include "socket_api/run/stream_guest.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include <linux/sockios.h>

namespace transom::sockets::run {

namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr std::size_t kRounds = 16;  // chunks of one guest before others have their turn
// Through which everything goes, one guest at a time: the supervisor is one thread.
using Chunk = std::array<std::uint8_t, kChunk>;
Chunk& chunk() {
  thread_local Chunk the_chunk;
  return the_chunk;
}

ssize_t write_end(int end, Bytes data, int flags = 0) {
  return ::send(end, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL | flags);
}

}  // namespace

StreamGuest::StreamGuest(GuestOwner& owner, std::shared_ptr<Socket> socket, drivers::FileDescriptor end,
                         std::uint64_t cookie, Gate gate)
    : GuestSocket(owner, std::move(socket), std::move(end), cookie),
      phase_(gate.is_closed() ? Phase::kFresh : Phase::kConnected),
      gate_(gate) {}

StreamGuest::~StreamGuest() = default;

// ---------------------------------------------------------------- connect

void StreamGuest::connect(Session& session, const TrappedCall& call) {
  const auto argument = read_address_argument(call, call.argument(1), call.argument(2));
  if (!argument) return call.finish(argument.error());
  if (is_unspecified_family(argument->get(), argument->length)) {
    if (phase_ == Phase::kConnected) {
      reset(end_, borrow_their_end().get());
      phase_ = Phase::kBroken;
    }
    return call.finish(socket_->disconnect(session));
  }
  if (phase_ == Phase::kConnecting && may_block(call)) {  // again after a signal, or another thread
    return hold(session, call, socket_->send_timeout());
  }
  const auto address = read_address(socket_->domain(), argument->get(), argument->length);
  if (!address) return call.finish(address.error());
  if (phase_ == Phase::kBroken) {
    if (const auto renewed = renew_pair(call); !renewed) return call.finish(renewed.error());
  }
  const auto connected = socket_->connect(session, *address);
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
  gate_.open(end_.get(), theirs.get());
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
  reset(end_, -1);  // the gate's junk is unread
  owner_.is_broken(*this);
}

// The old pair has told of the failure by being closed.
Outcome<void> StreamGuest::renew_pair(const TrappedCall& call) {
  auto pair = make_pair(SOCK_STREAM | (may_block(call) ? 0 : SOCK_NONBLOCK));
  if (!pair) return std::unexpected(pair.error());
  Gate gate;
  gate.close(*pair);
  if (const auto replaced = call.replace(call.int_argument(0), pair->theirs.get()); !replaced)
    return replaced;
  cookie_ = cookie_of(pair->theirs.get());
  end_ = std::move(pair->ours);
  gate_ = gate;
  error_ = 0;
  phase_ = Phase::kFresh;
  owner_.adopt(shared_from_this());
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
  if (phase_ != Phase::kListening) return call.finish(Errno{EINVAL});
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
    const auto guest = std::make_shared<StreamGuest>(
        owner_, std::move(accepted->socket), std::move(pair->ours), cookie_of(pair->theirs.get()), Gate{});
    owner_.adopt(guest);
    owner_.note(*guest);
    accepted_.push_back({std::move(pair->theirs), accepted->from});
  }
}

// When the thread that called is gone, the connection is there for the next.
void StreamGuest::give(const TrappedCall& call) {
  Accepted& next = accepted_.front();
  const int flags = call.number() == SYS_accept4 ? call.int_argument(3) : 0;
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0) return call.finish(Errno{EINVAL});
  const auto named =
      write_address_argument(call, socket_->domain(), next.from, call.argument(1), call.argument(2));
  if (!named) return call.finish(named.error());
  if ((flags & SOCK_NONBLOCK) != 0) (void)fcntl(next.theirs.get(), F_SETFL, O_NONBLOCK);
  if (!call.give(next.theirs.get(), (flags & SOCK_CLOEXEC) != 0)) {
    (void)fcntl(next.theirs.get(), F_SETFL, 0);
    return;
  }
  accepted_.pop_front();
  if (tokens_ <= accepted_.size()) return;
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

// ---------------------------------------------------------------- messages that are not left to the kernel

// sendto() with an address, which a connected stream socket ignores; MSG_FASTOPEN.
void StreamGuest::send(Session& session, const TrappedCall& call) {
  if (call.number() != SYS_sendto) return call.resume();
  const int flags = call.int_argument(3);
  if (phase_ == Phase::kFresh || phase_ == Phase::kConnecting) {
    (void)session;
    return call.finish(Errno{(flags & MSG_FASTOPEN) != 0 ? EOPNOTSUPP : EPIPE});
  }
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return call.finish(theirs.error());
  Chunk& octets = chunk();
  const std::size_t size = std::min<std::size_t>(call.argument(2), octets.size());
  const auto copied = call.read(call.argument(1), MutableBytes(octets).first(size));
  if (!copied) return call.finish(copied.error());
  const ssize_t sent = write_end(theirs->get(), Bytes(octets).first(size), flags & (MSG_OOB | MSG_MORE));
  sent < 0 ? call.finish(Errno{errno}) : call.finish(std::int64_t{sent});
}

// MSG_ERRQUEUE is empty for a stream; MSG_TRUNC throws octets away (tcp(7)).
void StreamGuest::receive(Session&, const TrappedCall& call) {
  if (call.number() == SYS_recvmsg || call.number() == SYS_recvmmsg) {
    const int flags = call.int_argument(call.number() == SYS_recvmsg ? 2 : 3);
    return (flags & MSG_ERRQUEUE) != 0 ? call.finish(Errno{EAGAIN}) : call.resume();
  }
  const int flags = call.int_argument(3);
  if ((flags & MSG_ERRQUEUE) != 0) return call.finish(Errno{EAGAIN});
  if ((flags & MSG_TRUNC) == 0) return call.resume();
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return call.finish(theirs.error());
  Chunk& discarded = chunk();
  const std::size_t size = std::min<std::size_t>(call.argument(2), discarded.size());
  const ssize_t got = recv(theirs->get(), discarded.data(), size, MSG_DONTWAIT | (flags & MSG_PEEK));
  got < 0 ? call.finish(Errno{errno}) : call.finish(std::int64_t{got});
}

// ---------------------------------------------------------------- what flows

void StreamGuest::on_end(Session& session, std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) end_readable_ = true;
  if ((events & EPOLLOUT) != 0) end_writable_ = true;
  if ((events & EPOLLPRI) != 0) end_urgent_ = true;
  if ((events & EPOLLHUP) != 0) end_closed_ = true;
  switch (phase_) {
    case Phase::kConnected:
      move_out(session);
      move_in(session);
      break;
    case Phase::kListening:
      if (end_closed_) {
        close_socket(session);
      } else if ((events & EPOLLRDHUP) != 0) {
        (void)socket_->shutdown(session, SHUT_RD);
        finish_held(fail(EINVAL));
      }
      break;
    default:
      if (end_closed_) close_socket(session);
      break;
  }
}

void StreamGuest::on_socket(Session& session) {
  expire_held(session, phase_ == Phase::kListening ? EAGAIN : EINPROGRESS);
  switch (phase_) {
    case Phase::kConnecting:
      on_connecting(session);
      break;
    case Phase::kConnected:
      move_in(session);
      if (phase_ == Phase::kConnected) move_out(session);
      break;
    case Phase::kListening:
      answer_accepts(session);
      break;
    default:
      break;
  }
}

void StreamGuest::move_out(Session& session) {
  if (is_over() || phase_ != Phase::kConnected) return;
  std::size_t rounds = 0;
  while (true) {
    if (!outgoing_.empty()) {
      const Bytes piece = outgoing_.view();
      const auto sent = socket_->send(session, {.pieces = {&piece, 1}, .flags = MSG_DONTWAIT});
      if (sent) {
        outgoing_.drop(*sent);
      } else if (sent.error() != Errno{EAGAIN}) {
        return break_connection(session, to_number(sent.error()));
      }
      if (!outgoing_.empty()) return;  // until the socket is writable
    }
    if (!end_readable_ || end_shut_) break;
    if (++rounds > kRounds) {  // others wait
      owner_.note(*this);
      return;
    }
    if (end_urgent_ && move_urgent_out(session)) continue;
    Chunk& octets = chunk();
    const ssize_t size = recv(end_.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    if (size > 0) {
      const Bytes piece = Bytes(octets).first(static_cast<std::size_t>(size));
      const auto sent = socket_->send(session, {.pieces = {&piece, 1}, .flags = MSG_DONTWAIT});
      if (!sent && sent.error() != Errno{EAGAIN}) return break_connection(session, to_number(sent.error()));
      if (sent.value_or(0) < piece.size()) outgoing_.keep(piece.subspan(sent.value_or(0)));
      continue;
    }
    if (size < 0 && errno == EAGAIN) {
      end_readable_ = false;
    } else if (size < 0 && errno == ECONNRESET) {  // closed with octets unread: TCP resets (RFC 2525 §2.17)
      return break_connection(session, 0);
    } else if (size <= 0) {
      end_shut_ = true;
      if (!end_closed_) (void)socket_->shutdown(session, SHUT_WR);
    }
  }
  end_if_done(session);
}

void StreamGuest::end_if_done(Session& session) {
  if (end_closed_ && end_shut_ && outgoing_.empty()) {
    if (!incoming_.empty()) return break_connection(session, 0);  // unread
    close_socket(session);
  }
}

// One octet at the mark. False when the mark is further on.
bool StreamGuest::move_urgent_out(Session& session) {
  int is_at_mark = 0;
  if (ioctl(end_.get(), SIOCATMARK, &is_at_mark) != 0 || is_at_mark == 0) return false;
  std::uint8_t octet = 0;
  if (recv(end_.get(), &octet, 1, MSG_OOB | MSG_DONTWAIT) != 1) return false;
  end_urgent_ = false;
  const Bytes piece(&octet, 1);
  if (const auto sent = socket_->send(session, {.pieces = {&piece, 1}, .flags = MSG_DONTWAIT | MSG_OOB});
      !sent)
    outgoing_.keep(piece);  // no room: in line then
  return true;
}

void StreamGuest::move_in(Session& session) {
  if (is_over() || phase_ != Phase::kConnected || end_closed_) return;
  std::size_t rounds = 0;
  while (!socket_ended_) {
    if (!incoming_.empty()) {
      const ssize_t sent = write_end(end_.get(), incoming_.view());
      if (sent > 0) incoming_.drop(static_cast<std::size_t>(sent));
      if (!incoming_.empty()) {
        end_writable_ = false;
        return;
      }
    }
    if (!end_writable_) return;
    if (++rounds > kRounds) {
      owner_.note(*this);
      return;
    }
    if (socket_->readiness().priority) move_urgent_in(session);
    Chunk& octets = chunk();
    const MutableBytes room(octets);
    Incoming message{.buffers = {&room, 1}, .flags = MSG_DONTWAIT};
    const auto size = socket_->receive(session, message);
    if (!size) {
      if (size.error() != Errno{EAGAIN}) break_connection(session, to_number(size.error()));
      return;
    }
    if (*size == 0) {
      socket_ended_ = true;
      (void)shutdown(end_.get(), SHUT_WR);
      return;
    }
    const Bytes data = Bytes(octets).first(*size);
    const ssize_t sent = write_end(end_.get(), data);
    if (sent < 0 && errno == EPIPE) {  // the program has shut down reading
      (void)socket_->shutdown(session, SHUT_RD);
      continue;
    }
    const auto taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    if (taken < data.size()) incoming_.keep(data.subspan(taken));
  }
}

void StreamGuest::move_urgent_in(Session& session) {
  const auto at_mark = socket_->query(SIOCATMARK);
  if (!at_mark || *at_mark == 0) return;
  std::uint8_t octet = 0;
  const MutableBytes room(&octet, 1);
  Incoming message{.buffers = {&room, 1}, .flags = MSG_DONTWAIT | MSG_OOB};
  if (socket_->receive(session, message).value_or(0) == 1)
    (void)write_end(end_.get(), Bytes(&octet, 1), MSG_OOB);
}

// The connection has ended for the program: reset, timed out (`error`), or given up by ourselves (0).
void StreamGuest::break_connection(Session& session, int error) {
  error_ = error;
  phase_ = Phase::kBroken;
  outgoing_.clear();
  incoming_.clear();
  const drivers::FileDescriptor theirs = end_closed_ ? drivers::FileDescriptor() : borrow_their_end();
  reset(end_, theirs.get());
  if (error == 0) {
    const linger none{.l_onoff = 1, .l_linger = 0};
    (void)socket_->set_option(session, SOL_SOCKET, SO_LINGER,
                              Bytes(reinterpret_cast<const std::uint8_t*>(&none), sizeof none));
    close_socket(session);
  } else if (end_closed_) {
    close_socket(session);
  } else {
    owner_.is_broken(*this);
  }
}

}  // namespace transom::sockets::run
