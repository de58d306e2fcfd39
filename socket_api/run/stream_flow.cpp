// What flows through a StreamGuest when it is connected, and how that ends.
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "socket_api/run/end_io.h"
#include "socket_api/run/stream_guest.h"
#include "socket_api/tcp_socket.h"

namespace transom::sockets::run {

namespace {

constexpr std::size_t kRounds = 16;           // chunks of one guest before others have their turn
constexpr std::size_t kLeastRoom = 16 << 10;  // octets: less is not worth a read

}  // namespace

void StreamGuest::on_end(Session& session, std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) end_readable_ = true;
  if ((events & EPOLLOUT) != 0) end_writable_ = true;
  if ((events & EPOLLPRI) != 0) end_urgent_ = true;
  if ((events & EPOLLHUP) != 0) end_closed_ = !is_open_though_shut();
  switch (phase_) {
    case Phase::kConnected:
      // The listener was closed before anybody accepted it: reset, as Linux.
      if (end_closed_ && !is_given_) return break_connection(session, 0);
      move_out(session);
      move_in(session);
      break;
    default:
      if (end_closed_) close_socket(session);
      break;
  }
}

// A hang-up says that the program has closed its end, or that both directions are shut.
bool StreamGuest::is_open_though_shut() const {
  return !program_writes_ && (socket_ended_ || !program_reads_) && is_where_it_was();
}

void StreamGuest::on_socket(Session& session) {
  expire_held(session, phase_ == Phase::kListening ? EAGAIN : EINPROGRESS);
  switch (phase_) {
    case Phase::kConnecting:
      on_connecting(session);
      break;
    case Phase::kConnected:
      move_in(session);
      // A reset behind the peer's end: nothing is read any more that would tell.
      if (socket_ended_ && socket_->readiness().error) break_connection(session, EPIPE);
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
  Slice buffer;  // that the send queue keeps without a copy
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
    // An urgent octet may have come behind what was just read, and its event not yet: reading on would pass
    // over it.
    const bool may_be_at_mark = end_urgent_ || rounds > 1;
    if (may_be_at_mark && move_urgent_out(session)) continue;
    if (buffer.room() < kLeastRoom)
      buffer = session.host().context().pool.allocate_slice(BufferSize::kSuperFrame);
    const MutableBytes room = buffer.writable();
    if (room.empty()) {  // until others have given some back
      owner_.note(*this);
      return;
    }
    const ssize_t size = recv(end_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (size > 0) {
      const auto octets = static_cast<std::size_t>(size);
      buffer.claim(octets);
      Slice piece = buffer.subslice(0, octets);
      buffer.trim_front(octets);
      const auto sent = static_cast<TcpSocket&>(*socket_).send_slice(session, piece, MSG_DONTWAIT);
      if (!sent && sent.error() != Errno{EAGAIN}) return break_connection(session, to_number(sent.error()));
      if (!piece.empty()) outgoing_.keep(piece.bytes());
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
    const MutableBytes room = chunk();
    Incoming message{.buffers = {&room, 1}, .flags = MSG_DONTWAIT};
    const auto size = socket_->receive(session, message);
    if (!size) {
      if (size.error() != Errno{EAGAIN}) break_connection(session, to_number(size.error()));
      return;
    }
    if (*size == 0) {
      socket_ended_ = true;
      (void)::shutdown(end_.get(), SHUT_WR);
      return;
    }
    const Bytes data = room.first(*size);
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

// Nothing unread must be left in it: the program would be told of a reset.
void StreamGuest::forget_end() {
  const MutableBytes octets = chunk();
  while (recv(end_.get(), octets.data(), octets.size(), MSG_DONTWAIT) > 0) {
  }
  end_.reset();
}

// The connection has ended for the program: reset, timed out (`error`), or given up by ourselves (0).
void StreamGuest::break_connection(Session& session, int error) {
  error_ = error;
  phase_ = Phase::kBroken;
  outgoing_.clear();
  incoming_.clear();
  if (waiting_end_ >= 0) {
    reset(end_, waiting_end_);
  } else if (socket_ended_) {  // the end of the stream was told: no error for who reads
    forget_end();
  } else {
    const drivers::FileDescriptor theirs = end_closed_ ? drivers::FileDescriptor() : borrow_their_end();
    reset(end_, theirs.get());
  }
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
