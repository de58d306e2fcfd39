#include "socket_api/run/datagram_guest.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <climits>

#include "socket_api/run/end_io.h"

namespace transom::sockets::run {

namespace {

constexpr std::size_t kMaxDatagram = 65535 + 18;  // a frame of a packet socket has its header too
constexpr std::size_t kMaxControl = 8192;         // extension headers are up to 2 KiB each
constexpr std::size_t kMaxWaiting = 64;  // in the pair; more wait in the stack, whose buffer is bounded

// SO_PEEK_OFF is the pair's, for recv() that nobody is asked about; negative: off.
int peek_offset_of(int theirs) {
  int offset = -1;
  socklen_t size = sizeof offset;
  return getsockopt(theirs, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) == 0 ? offset : -1;
}

void set_peek_offset(int theirs, int offset) {
  (void)setsockopt(theirs, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset);
}

// Whether the first record of the pair is there and empty. The program's MSG_PEEK notices nothing of it.
bool first_is_empty(int theirs) {
  const int offset = peek_offset_of(theirs);
  if (offset >= 0) set_peek_offset(theirs, -1);
  char octet = 0;
  const ssize_t size = recv(theirs, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (offset >= 0) set_peek_offset(theirs, offset);
  return size == 0;
}

}  // namespace

void DatagramGuest::connect(Session& session, const TrappedCall& call) {
  const auto argument = read_address_argument(call, call.argument(1), call.argument(2));
  if (!argument) return call.finish(argument.error());
  move_out(session);
  if (is_unspecified_family(argument->get(), argument->length))
    return call.finish(socket_->disconnect(session));
  const auto address = read_destination(socket_->domain(), argument->get(), argument->length);
  if (!address) return call.finish(address.error());
  call.finish(socket_->connect(session, *address));
}

// Without a peer it is an error, and wakes who is reading all the same: as Linux.
void DatagramGuest::shutdown(Session&, const TrappedCall& call) {
  const int how = call.int_argument(1);
  if (how < SHUT_RD || how > SHUT_RDWR) return call.finish(Errno{EINVAL});
  if (how != SHUT_WR) {
    is_read_shut_ = true;
    finish_held({});
  }
  if (how != SHUT_RD) is_write_shut_ = socket_->remote_address().has_value();
  if (socket_->remote_address()) return call.resume();
  if (const auto theirs = call.take_descriptor(call.int_argument(0)); theirs && how != SHUT_WR)
    (void)::shutdown(theirs->get(), SHUT_RD);
  call.finish(Errno{ENOTCONN});
}

// FIONREAD tells the size of the first datagram; the pair would tell that of all.
void DatagramGuest::query(const TrappedCall& call) {
  if (call.argument(1) != FIONREAD) return GuestSocket::query(call);
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return call.finish(theirs.error());
  forget_taken(theirs->get());
  const int size = waiting_.empty() ? 0 : static_cast<int>(waiting_.front().size);
  call.finish(call.write_value(call.argument(2), size));
}

// ---------------------------------------------------------------- sending

void DatagramGuest::send(Session& session, const TrappedCall& call) {
  move_out(session);  // what was written before goes before
  if (error_ != 0 && socket_->send_tells_error()) return call.finish(Errno{pending_error()});
  const auto sent = call.number() == SYS_sendmmsg ? send_many(session, call) : send_one(session, call);
  sent ? call.finish(*sent) : call.finish(sent.error());
}

Outcome<std::int64_t> DatagramGuest::send_one(Session& session, const TrappedCall& call) {
  const auto message = read_message(call);
  if (!message) return std::unexpected(message.error());
  const auto sent = send_from(session, call, *message, flags_of(call));
  if (!sent) return std::unexpected(sent.error());
  return static_cast<std::int64_t>(*sent);
}

Outcome<std::int64_t> DatagramGuest::send_many(Session& session, const TrappedCall& call) {
  const std::size_t count = std::min<std::size_t>(static_cast<std::uint32_t>(call.argument(2)), IOV_MAX);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = call.argument(1) + i * sizeof(mmsghdr);
    const auto message = read_message(call, at);
    Outcome<std::size_t> sent = message ? send_from(session, call, *message, call.int_argument(3))
                                        : Outcome<std::size_t>(std::unexpected(message.error()));
    if (sent) {
      const auto told = call.write_value(at + offsetof(mmsghdr, msg_len), static_cast<unsigned>(*sent));
      if (!told) sent = std::unexpected(told.error());
    }
    if (!sent)
      return i > 0 ? Outcome<std::int64_t>(static_cast<std::int64_t>(i)) : std::unexpected(sent.error());
  }
  return static_cast<std::int64_t>(count);
}

Outcome<std::size_t> DatagramGuest::send_from(Session& session, const TrappedCall& call,
                                              const MessageArgument& message, int flags) {
  if (message.room() > kMaxDatagram) return fail(EMSGSIZE);
  if (is_write_shut_) return fail(EPIPE);
  const MutableBytes octets = chunk();
  std::size_t size = 0;
  for (const iovec& piece : message.pieces) {
    const auto copied =
        call.read(reinterpret_cast<std::uint64_t>(piece.iov_base), octets.subspan(size, piece.iov_len));
    if (!copied) return std::unexpected(copied.error());
    size += piece.iov_len;
  }
  const Bytes data = octets.first(size);
  Outgoing outgoing{.pieces = {&data, 1}, .flags = flags | MSG_DONTWAIT};
  if (message.header.msg_name != nullptr && message.header.msg_namelen > 0) {
    const auto argument = read_address_argument(
        call, reinterpret_cast<std::uint64_t>(message.header.msg_name), message.header.msg_namelen);
    if (!argument) return std::unexpected(argument.error());
    const auto to = read_destination(socket_->domain(), argument->get(), argument->length);
    if (!to) return std::unexpected(to.error());
    outgoing.to = *to;
  }
  alignas(cmsghdr) std::array<std::uint8_t, kMaxControl> control{};
  if (message.header.msg_control != nullptr && message.header.msg_controllen > 0) {
    if (message.header.msg_controllen > control.size()) return fail(ENOBUFS);
    const MutableBytes part = MutableBytes(control).first(message.header.msg_controllen);
    const auto copied = call.read(reinterpret_cast<std::uint64_t>(message.header.msg_control), part);
    if (!copied) return std::unexpected(copied.error());
    const auto parsed = read_control(socket_->kind(), part);
    if (!parsed) return std::unexpected(parsed.error());
    outgoing.control = *parsed;
  }
  return socket_->send(session, outgoing);
}

// What the program has sent with write() or send(), on a connected socket.
void DatagramGuest::move_out(Session& session) {
  if (is_shown_) return;
  const MutableBytes octets = chunk();
  while (true) {
    const ssize_t size = recv(end_.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    if (size < 0) return;
    if (size == 0) {  // an empty datagram, unless it is the end
      pollfd look{.fd = end_.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
      if (poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP)) != 0) return;
    }
    last_heard_ = session.now();
    const Bytes data = octets.first(static_cast<std::size_t>(size));
    (void)socket_->send(session,
                        {.pieces = {&data, 1}, .flags = MSG_DONTWAIT});  // an error is for a later call
  }
}

// ---------------------------------------------------------------- receiving

void DatagramGuest::receive(Session& session, const TrappedCall& call) {
  const auto received = try_receive(session, call);
  if (received) return *received ? call.finish(**received) : call.finish(received->error());
  const int flags = flags_of(call);
  if ((flags & MSG_ERRQUEUE) != 0 || !may_block(call, flags)) return call.finish(Errno{EAGAIN});
  if (is_read_shut_) return call.finish(std::int64_t{0});
  hold(session, call, socket_->receive_timeout());
}

std::optional<Outcome<std::int64_t>> DatagramGuest::try_receive(Session& session, const TrappedCall& call) {
  const auto theirs = call.take_descriptor(call.int_argument(0));
  if (!theirs) return std::unexpected(theirs.error());
  move_in(session);
  forget_taken(theirs->get());
  const bool wants_reports = (flags_of(call) & MSG_ERRQUEUE) != 0;
  const bool is_next = waiting_.empty() || waiting_.front().is_error;
  if (error_ != 0 && (is_next || wants_reports)) {
    const int error = take_error(theirs->get());
    if (!wants_reports) return fail(error);  // else the queue tells more of it
  }
  const auto without_wait = [](const auto& outcome) -> std::optional<Outcome<std::int64_t>> {
    if (!outcome && outcome.error() == Errno{EAGAIN}) return std::nullopt;
    if (!outcome) return std::unexpected(outcome.error());
    return static_cast<std::int64_t>(*outcome);
  };
  if (call.number() == SYS_recvmmsg) return without_wait(receive_many(session, call, theirs->get()));
  auto message = read_message(call);
  if (!message) return std::unexpected(message.error());
  if (is_read(call) && message->room() == 0) return 0;
  const bool has_name = message->header.msg_name != nullptr;
  if (has_name && call.number() == SYS_recvfrom) {
    const auto room = call.read_value<socklen_t>(call.argument(5));
    if (!room) return std::unexpected(room.error());
    message->header.msg_namelen = *room;
  }
  if (has_name && static_cast<int>(message->header.msg_namelen) < 0) return fail(EINVAL);
  const auto size = receive_into(session, call, *message, flags_of(call), theirs->get());
  Outcome<void> told;
  if (size && call.number() == SYS_recvmsg) told = call.write_value(call.argument(1), message->header);
  if (size && call.number() == SYS_recvfrom && has_name)
    told = call.write_value(call.argument(5), message->header.msg_namelen);
  if (!told) return std::unexpected(told.error());
  return without_wait(size);
}

Outcome<std::int64_t> DatagramGuest::receive_many(Session& session, const TrappedCall& call, int theirs) {
  if (call.argument(4) != 0) {
    const auto timeout = call.read_value<timespec>(call.argument(4));
    if (!timeout) return std::unexpected(timeout.error());
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1'000'000'000) return fail(EINVAL);
  }
  const std::size_t count = std::min<std::size_t>(static_cast<std::uint32_t>(call.argument(2)), IOV_MAX);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = call.argument(1) + i * sizeof(mmsghdr);
    auto message = read_message(call, at);
    Outcome<std::size_t> size = message ? receive_into(session, call, *message, call.int_argument(3), theirs)
                                        : Outcome<std::size_t>(std::unexpected(message.error()));
    if (size) {
      const mmsghdr told{.msg_hdr = message->header, .msg_len = static_cast<unsigned>(*size)};
      if (const auto done = call.write_value(at, told); !done) size = std::unexpected(done.error());
    }
    if (!size)
      return i > 0 ? Outcome<std::int64_t>(static_cast<std::int64_t>(i)) : std::unexpected(size.error());
  }
  return static_cast<std::int64_t>(count);
}

Outcome<std::size_t> DatagramGuest::receive_into(Session& session, const TrappedCall& call,
                                                 MessageArgument& message, int flags, int theirs) {
  const MutableBytes octets = chunk();
  const MutableBytes room = octets;
  Waiting came;
  std::array<std::uint8_t, kMaxControl> control{};
  int result_flags = 0;
  std::size_t whole = 0;
  const bool is_look = (flags & MSG_PEEK) != 0;
  const int ahead = peek_offset_of(theirs);
  if ((flags & MSG_ERRQUEUE) != 0 || waiting_.empty()) {
    Incoming incoming{.buffers = {&room, 1}, .control = control, .flags = flags | MSG_DONTWAIT};
    const auto size = socket_->receive(session, incoming);
    if (!size) return std::unexpected(size.error());
    came.size = *size;
    came.from = incoming.from;
    came.control.assign(control.begin(),
                        control.begin() + static_cast<std::ptrdiff_t>(incoming.control_size));
    whole = came.size;
    result_flags = incoming.result_flags;
  } else if (is_look && ahead >= 0) {
    // As Linux, for whom a look that ends with the datagram and did not begin with it is cut, too.
    const std::size_t wanted = std::min(message.room(), octets.size());
    const std::size_t place = place_ahead(static_cast<std::size_t>(ahead));
    const ssize_t size = recv(theirs, octets.data(), wanted, MSG_DONTWAIT | MSG_PEEK);
    if (size < 0) return fail(errno);
    if (place < waiting_.size()) came = waiting_[place];
    whole = std::exchange(came.size, static_cast<std::size_t>(size));
    if (came.size == wanted && wanted < whole) result_flags |= MSG_TRUNC;
  } else {
    const ssize_t size = recv(theirs, octets.data(), octets.size(), MSG_DONTWAIT | (flags & MSG_PEEK));
    if (size < 0) return fail(errno);
    came = waiting_.front();
    whole = came.size = static_cast<std::size_t>(size);
    if (!is_look) waiting_.pop_front();
  }
  std::size_t done = 0;
  for (const iovec& piece : message.pieces) {
    const std::size_t part = std::min(piece.iov_len, came.size - done);
    const auto copied =
        call.write(reinterpret_cast<std::uint64_t>(piece.iov_base), octets.subspan(done, part));
    if (!copied) return std::unexpected(copied.error());
    done += part;
  }
  if (done < came.size) result_flags |= MSG_TRUNC;
  if (message.header.msg_name != nullptr) {
    AddressArgument name;
    socklen_t length = 0;
    if (came.from) {
      length = std::min<socklen_t>(message.header.msg_namelen, name.octets.size());
      const socklen_t fits = length;
      (void)write_address(socket_->domain(), *came.from, reinterpret_cast<sockaddr*>(name.octets.data()),
                          &length);
      const auto copied = call.write(reinterpret_cast<std::uint64_t>(message.header.msg_name),
                                     Bytes(name.octets).first(std::min(fits, length)));
      if (!copied) return std::unexpected(copied.error());
    }
    message.header.msg_namelen = length;
  }
  const std::size_t control_room = message.header.msg_control == nullptr ? 0 : message.header.msg_controllen;
  Incoming cut{.buffers = {}, .control = MutableBytes(control).first(std::min(control.size(), control_room))};
  put_all_control(cut, came.control);
  result_flags |= cut.result_flags;
  if (const auto copied = call.write(reinterpret_cast<std::uint64_t>(message.header.msg_control),
                                     Bytes(control).first(cut.control_size));
      !copied)
    return std::unexpected(copied.error());
  message.header.msg_controllen = cut.control_size;
  message.header.msg_flags = result_flags;
  const std::size_t told = (flags & MSG_TRUNC) != 0 ? whole : done;
  // UDP of Linux goes on, and back, by what it tells; the pair by what was copied.
  if (ahead >= 0 && (flags & MSG_ERRQUEUE) == 0)
    set_peek_offset(theirs,
                    is_look ? ahead + static_cast<int>(told) : std::max(ahead - static_cast<int>(told), 0));
  return told;
}

// In which datagram of the pair a look goes on: as Linux, an empty one is seen once.
std::size_t DatagramGuest::place_ahead(std::size_t offset) {
  std::size_t place = 0;
  for (; place < waiting_.size(); ++place) {
    Waiting& one = waiting_[place];
    const bool is_behind = offset >= one.size && (offset > 0 || one.was_seen);
    if (!is_behind) {
      one.was_seen |= one.size == 0;
      break;
    }
    offset -= one.size;
  }
  return place;
}

// Drops from `waiting_` what the program has taken by itself. What is left in the pair is the end of it.
void DatagramGuest::forget_taken(int theirs) {
  int left = 0;
  if (ioctl(theirs, FIONREAD, &left) != 0) return;
  std::size_t remembered = 0;
  for (const Waiting& one : waiting_) remembered += one.size;
  while (!waiting_.empty() && remembered > static_cast<std::size_t>(left)) {
    remembered -= waiting_.front().size;
    waiting_.pop_front();
  }
  // Empty ones at the front may be gone or not: the pair tells whether its first is one.
  while (!waiting_.empty() && waiting_.front().size == 0) {
    if (first_is_empty(theirs)) break;
    waiting_.pop_front();
  }
}

bool DatagramGuest::relay_one(Session& session) {
  const MutableBytes octets = chunk();
  const MutableBytes room = octets;
  std::array<std::uint8_t, kMaxControl> control{};
  Incoming incoming{.buffers = {&room, 1}, .control = control, .flags = MSG_DONTWAIT | MSG_PEEK};
  const auto size = socket_->receive(session, incoming);
  if (!size) {
    if (size.error() == Errno{EAGAIN}) return false;
    if (std::exchange(error_, to_number(size.error())) == 0) tell_error();
    return false;
  }
  if (write_end(end_.get(), octets.first(*size)) < 0) {
    end_writable_ = errno != EAGAIN;
    return false;
  }
  waiting_.push_back(
      {*size, incoming.from,
       std::vector<std::uint8_t>(control.begin(),
                                 control.begin() + static_cast<std::ptrdiff_t>(incoming.control_size))});
  Incoming taken{.buffers = {}, .flags = MSG_DONTWAIT};
  (void)socket_->receive(session, taken);
  return true;
}

void DatagramGuest::move_in(Session& session) {
  if (is_shown_) return;
  if (waiting_.size() >= kMaxWaiting) {
    if (const drivers::FileDescriptor theirs = borrow_their_end()) forget_taken(theirs.get());
  }
  while (end_writable_ && waiting_.size() < kMaxWaiting && relay_one(session)) {
  }
}

// ---------------------------------------------------------------- events

void DatagramGuest::on_end(Session& session, std::uint32_t events) {
  if (is_shown_) {
    if ((events & EPOLLHUP) == 0) return;
    if (!is_where_it_was()) return close_socket(session);
    end_.reset();  // it has read by itself what would have told
    return owner_.is_broken(*this);
  }
  if ((events & EPOLLOUT) != 0) end_writable_ = true;
  move_out(session);
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return close_socket(session);
  move_in(session);
}

void DatagramGuest::on_socket(Session& session) {
  expire_held(session, EAGAIN);
  while (!held_.empty()) {
    const TrappedCall call = held_.front().call;
    const auto received = try_receive(session, call);
    if (!received) break;
    held_.erase(held_.begin());
    *received ? call.finish(**received) : call.finish(received->error());
  }
  move_in(session);
  show_errors(session);
}

}  // namespace transom::sockets::run
