#include "socket_api/tcp_socket.h"

#include <algorithm>
#include <vector>

#include "socket_api/limits.h"

namespace transom::sockets {

namespace {

IpAddress any_for(int domain) { return IpAddress::any(family_of(domain)); }

std::size_t total_size(std::span<const Bytes> pieces) {
  std::size_t total = 0;
  for (const Bytes& piece : pieces) total += piece.size();
  return total;
}

// What is left of `pieces` behind the first `taken` octets.
std::vector<Bytes> rest_of(std::span<const Bytes> pieces, std::size_t taken) {
  std::vector<Bytes> rest;
  for (const Bytes& piece : pieces) {
    const std::size_t skipped = std::min(taken, piece.size());
    taken -= skipped;
    if (skipped < piece.size()) rest.push_back(piece.subspan(skipped));
  }
  return rest;
}

}  // namespace

TcpSocket::TcpSocket(const TcpSocket& listener, tcp::Connection& connection)
    : Socket({listener.domain(), SOCK_STREAM, IPPROTO_TCP}),
      phase_(Phase::kConnected),
      options_(connection.options()) {
  settings_ = listener.settings_;
  settings_.is_non_blocking = false;  // Linux does not inherit it
  settings_.ip.groups.reset();
  tells_queued_ = listener.tells_queued_;
  clock_ = listener.clock_;
  set_connection(&connection);
}

Readiness TcpSocket::readiness() const {
  if (connection_ != nullptr) {
    Readiness ready = connection_->readiness();
    ready.error |= has_reports();
    const bool may_wait = settings_.receive_low_water > 1 && !ready.error && !ready.read_hang_up;
    if (may_wait && connection_->readable_octets() < low_water() && !connection_->at_urgent_mark())
      ready.readable = false;
    return ready;
  }
  if (listener_ != nullptr) return listener_->readiness();
  return {.writable = true, .error = error_ != Error::kNone, .hang_up = true};
}

// ---------------------------------------------------------------- binding and listening

Outcome<void> TcpSocket::claim_port(Session& session, const tcp::BindRequest& request) {
  auto hold = session.host().tcp().bind(request);
  if (!hold) return fail(hold.error());
  hold_ = std::move(*hold);
  bound_ = request;
  bound_->local = hold_.local();
  return {};
}

Outcome<void> TcpSocket::bind(Session& session, const SocketAddress& address) {
  if (phase_ != Phase::kFresh || bound_) return fail(EINVAL);
  const auto interface = check_bind(address);
  if (!interface) return std::unexpected(interface.error());
  const IpAddress& ip = address.endpoint.address;
  return claim_port(session, {.local = address.endpoint,
                              .dual_stack = dual_stack() && ip.is_v6() && ip.is_unspecified(),
                              .reuse_address = settings_.reuse_address,
                              .reuse_port = settings_.reuse_port,
                              .may_be_foreign = settings_.ip.free_bind,
                              .interface = *interface});
}

Outcome<void> TcpSocket::listen(Session& session, int backlog) {
  const int limit = backlog < 0 ? kMaxBacklog : std::min(backlog, kMaxBacklog);
  if (listener_ != nullptr) {
    listener_->set_backlog(static_cast<std::size_t>(limit));
    return {};
  }
  if (phase_ != Phase::kFresh) return fail(EINVAL);
  if (!bound_) {
    const auto done = bind(session, {{any_for(domain()), Port::kNone}});
    if (!done) return done;
  }
  const auto listener = session.host().tcp().listen(hold_, static_cast<std::size_t>(limit), options_);
  if (!listener) return fail(listener.error());
  listener_ = *listener;
  listener_->set_listener(this);
  options_.fast_open_queue = listener_->options().fast_open_queue;
  if (fast_open_keys_) listener_->set_fast_open_keys(*fast_open_keys_);
  phase_ = Phase::kListening;
  return {};
}

Outcome<Socket::Accepted> TcpSocket::accept(Session& session) {
  const auto attempt = [this]() -> Outcome<Accepted> {
    if (listener_ == nullptr) return fail(EINVAL);
    const auto connection = listener_->accept();
    if (!connection) return fail(connection.error());
    const SocketAddress from{(*connection)->tuple().remote, (*connection)->info().interface};
    return Accepted{std::shared_ptr<Socket>(new TcpSocket(*this, **connection)), from};
  };
  return repeat(session, POLLIN, deadline(session, settings_.receive_timeout, 0), attempt);
}

// ---------------------------------------------------------------- connecting

bool TcpSocket::is_handshaking() const {
  if (connection_ == nullptr) return false;
  const tcp::State state = connection_->state();
  return state == tcp::State::kSynSent || state == tcp::State::kSynReceived;
}

bool TcpSocket::has_ended() const {
  return connection_->state() == tcp::State::kClosed || connection_->state() == tcp::State::kTimeWait;
}

Outcome<void> TcpSocket::start_connecting(Session& session, const SocketAddress& address, bool fast_open) {
  const auto interface = check_destination(address);
  if (!interface) return std::unexpected(interface.error());
  if (!hold_ && *interface != InterfaceId::kAny) {
    // Only a claim says which interface a connection is for.
    auto hold = session.host().tcp().bind(
        {.local = {IpAddress::any(address.endpoint.address.family()), Port::kNone}, .interface = *interface});
    if (!hold) return fail(hold.error());
    hold_ = std::move(*hold);
  }
  const IpFamily family = address.endpoint.address.family();
  tcp::Options options = options_;
  options.ttl = settings_.ip.hops_or_default(family);
  options.traffic_class = static_cast<std::uint8_t>(settings_.ip.of(family).traffic_class);
  options.min_hops = static_cast<std::uint8_t>(settings_.ip.of(family).min_hops);
  options.fast_open_connect |= fast_open;
  const auto connection = session.host().tcp().connect(hold_, address.endpoint, options);
  if (!connection) return fail(connection.error());
  set_connection(*connection);
  phase_ = Phase::kConnecting;
  error_ = Error::kNone;
  return {};
}

// As inet_stream_connect() of Linux: what a second call says depends on how far the first has come.
Outcome<void> TcpSocket::connect(Session& session, const SocketAddress& address) {
  if (phase_ == Phase::kListening || phase_ == Phase::kConnected) return fail(EISCONN);
  int unfinished = EALREADY;
  if (phase_ == Phase::kFresh) {
    const auto started = start_connecting(session, address, false);
    if (!started) return started;
    if (connection_->waits_for_data()) return {};
    unfinished = EINPROGRESS;
  }
  if (connection_ != nullptr && connection_->waits_for_data()) return fail(EISCONN);
  return finish_connecting(session, deadline(session, settings_.send_timeout, 0), unfinished);
}

Outcome<void> TcpSocket::finish_connecting(Session& session, Instant limit, int unfinished) {
  while (is_handshaking()) {
    if (!wait_for(session, POLLOUT, limit)) return fail(unfinished);
    if (is_closed()) return fail(EBADF);
  }
  if (phase_ == Phase::kConnected) return {};  // another thread's call has seen it first
  if (connection_ == nullptr)
    return std::unexpected(error_or(ECONNABORTED));  // another thread has shut it down
  if (connection_->state() == tcp::State::kClosed) {
    const Errno reason = error_or(ECONNABORTED);
    become_fresh(session);
    return std::unexpected(reason);
  }
  phase_ = Phase::kConnected;
  return {};
}

Error TcpSocket::take_error() {
  return connection_ != nullptr ? connection_->take_error() : std::exchange(error_, Error::kNone);
}

Errno TcpSocket::error_or(int otherwise) {
  const Error error = take_error();
  return error == Error::kNone ? Errno{otherwise} : errno_of(error);
}

void TcpSocket::become_fresh(Session& session, Error error) {
  error_ = error;
  if (connection_ != nullptr) {
    tcp::Connection* const gone = connection_;
    set_connection(nullptr);
    gone->abort();
  }
  if (listener_ != nullptr) std::exchange(listener_, nullptr)->close();
  phase_ = Phase::kFresh;
  hold_ = {};
  if (bound_) {
    // A socket that was bound stays so. Should another have taken the port meanwhile, it is unbound.
    const tcp::BindRequest request = *std::exchange(bound_, std::nullopt);
    (void)claim_port(session, request);
  }
  on_readiness();
}

Outcome<void> TcpSocket::disconnect(Session& session) {
  const bool was_in_use = connection_ != nullptr && !has_ended();
  become_fresh(session, was_in_use ? Error::kConnectionReset : Error::kNone);  // as tcp_disconnect() of Linux
  return {};
}

// ---------------------------------------------------------------- sending

Outcome<std::size_t> TcpSocket::send(Session& session, const Outgoing& message) {
  const bool opens = connection_ != nullptr && connection_->waits_for_data();
  const bool is_fast = opens || (message.flags & MSG_FASTOPEN) != 0;
  const auto sent = is_fast ? send_fast(session, message) : send_octets(session, message, 0);
  if (sent && *sent > 0) note_copied(session, message);
  return sent;
}

Outcome<std::size_t> TcpSocket::send_octets(Session& session, const Outgoing& message, std::size_t sent) {
  const std::size_t wanted = total_size(message.pieces);
  const tcp::SendFlags flags{.urgent = (message.flags & MSG_OOB) != 0,
                             .more = (message.flags & MSG_MORE) != 0};
  const Instant limit = deadline(session, settings_.send_timeout, message.flags);
  std::vector<Bytes> rest;
  std::span<const Bytes> pieces = message.pieces;
  if (sent > 0) {
    rest = rest_of(message.pieces, sent);
    pieces = rest;
  }
  while (true) {
    const auto attempt = [&]() -> Outcome<std::size_t> {
      if (connection_ == nullptr) return std::unexpected(error_or(EPIPE));
      if (sent > 0 && connection_->readiness().error)
        return fail(EPIPE);  // the error itself is for the next call
      const auto taken = connection_->send(pieces, flags);
      if (!taken) return fail(taken.error());
      return *taken;
    };
    const auto taken = repeat(session, POLLOUT, limit, attempt);
    if (taken && settings_.timestamping != 0) note_write(*taken);
    if (!taken) return sent > 0 ? Outcome<std::size_t>(sent) : taken;
    sent += *taken;
    if (sent == wanted) return sent;
    rest = rest_of(message.pieces, sent);
    pieces = rest;
  }
}

// ---------------------------------------------------------------- receiving

bool TcpSocket::may_read_more() const {
  return connection_ != nullptr && !connection_->readiness().read_hang_up && !connection_->readiness().error;
}

std::size_t TcpSocket::low_water() const {
  // More than fits could never come.
  constexpr std::uint32_t kMaxBuffer = 6 << 20;  // of a socket whose buffer is not fixed
  const std::uint32_t most = std::max(settings_.receive_buffer.value_or(kMaxBuffer) / 2, 1U);
  return std::min(static_cast<std::uint32_t>(settings_.receive_low_water), most);
}

Outcome<std::size_t> TcpSocket::receive_urgent(Incoming& message) {
  if (connection_ == nullptr) return fail(is_listening() ? ENOTCONN : EINVAL);
  const auto octet = connection_->receive_urgent({.peek = (message.flags & MSG_PEEK) != 0});
  if (!octet) return fail(octet.error());
  message.result_flags |= MSG_OOB;
  for (const MutableBytes& buffer : message.buffers) {
    if (buffer.empty()) continue;
    buffer.front() = *octet;
    return 1;
  }
  message.result_flags |= MSG_TRUNC;
  return 0;
}

// Fills the buffers from `offset` on with what is there.
Outcome<std::size_t> TcpSocket::read_once(Incoming& message, std::size_t offset) {
  if (connection_ == nullptr) return std::unexpected(error_or(ENOTCONN));
  std::size_t taken = 0;
  for (const MutableBytes& buffer : message.buffers) {
    const std::size_t skipped = std::min(offset, buffer.size());
    offset -= skipped;
    MutableBytes room = buffer.subspan(skipped);
    while (!room.empty()) {
      const auto here = connection_->receive(room);
      if (!here) return taken > 0 ? Outcome<std::size_t>(taken) : fail(here.error());
      if (*here == 0) return taken;
      taken += *here;
      room = room.subspan(*here);
      // A pending error or the end is for the next call; and the urgent mark must be noticed.
      if (connection_->readable_octets() == 0 || connection_->at_urgent_mark()) return taken;
    }
  }
  return taken;
}

Outcome<std::size_t> TcpSocket::discard_once(std::size_t wanted) {
  if (connection_ == nullptr) return std::unexpected(error_or(ENOTCONN));
  std::array<std::uint8_t, 4096> discarded;
  std::size_t taken = 0;
  do {
    const auto here =
        connection_->receive(MutableBytes(discarded).first(std::min(wanted - taken, discarded.size())));
    if (!here) return taken > 0 ? Outcome<std::size_t>(taken) : fail(here.error());
    taken += *here;
  } while (taken < wanted && connection_->readable_octets() > 0 && !connection_->at_urgent_mark());
  return taken;
}

Outcome<std::size_t> TcpSocket::peek_once(Incoming& message) {
  if (connection_ == nullptr) return std::unexpected(error_or(ENOTCONN));
  const auto skipped = static_cast<std::size_t>(std::max(settings_.peek_offset, 0));
  if (message.buffers.size() == 1 && skipped == 0) {
    const auto seen = connection_->receive(message.buffers.front(), {.peek = true});
    if (!seen) return fail(seen.error());
    return *seen;
  }
  std::size_t room = 0;
  for (const MutableBytes& buffer : message.buffers) room += buffer.size();
  std::vector<std::uint8_t> copy(std::min(skipped + room, connection_->readable_octets()));
  const auto seen = connection_->receive(copy, {.peek = true});
  if (!seen) return fail(seen.error());
  if (*seen <= skipped && skipped > 0) return may_read_more() ? fail(EAGAIN) : Outcome<std::size_t>(0);
  auto from = copy.begin() + static_cast<std::ptrdiff_t>(skipped);
  auto left = static_cast<std::ptrdiff_t>(*seen - skipped);
  for (const MutableBytes& buffer : message.buffers) {
    const std::ptrdiff_t part = std::min(left, static_cast<std::ptrdiff_t>(buffer.size()));
    std::copy_n(from, part, buffer.begin());
    from += part;
    left -= part;
  }
  return *seen - skipped;
}

Outcome<std::size_t> TcpSocket::receive(Session& session, Incoming& message) {
  if ((message.flags & MSG_ERRQUEUE) != 0) return receive_report(session, message);
  const auto received = receive_octets(session, message);
  if (received && (message.flags & (MSG_PEEK | MSG_OOB)) == 0) peek_back(*received);
  if (received && *received > 0 && !message.control.empty()) write_stream_control(session, message);
  return received;
}

Outcome<std::size_t> TcpSocket::receive_octets(Session& session, Incoming& message) {
  if ((message.flags & MSG_OOB) != 0) return receive_urgent(message);
  std::size_t wanted = 0;
  for (const MutableBytes& buffer : message.buffers) wanted += buffer.size();
  const bool wait_all = (message.flags & MSG_WAITALL) != 0;
  const Instant limit = deadline(session, settings_.receive_timeout, message.flags);

  if (wanted == 0 && connection_ != nullptr) {  // waits all the same
    return repeat(session, POLLIN, limit, [&]() -> Outcome<std::size_t> {
      return (events() & POLLIN) != 0 ? Outcome<std::size_t>(0) : fail(EAGAIN);
    });
  }
  if ((message.flags & MSG_PEEK) != 0) {
    const auto attempt = [&]() -> Outcome<std::size_t> {
      const auto seen = peek_once(message);
      if (seen && wait_all && *seen < wanted && may_read_more() && limit > session.now()) return fail(EAGAIN);
      return seen;
    };
    const auto seen = repeat(session, POLLIN, limit, attempt);
    if (seen) peek_on(*seen);
    return seen;
  }

  const std::size_t target = wait_all ? wanted : std::min(wanted, low_water());
  std::size_t received = 0;
  while (true) {
    // tcp(7): with MSG_TRUNC the octets are taken and thrown away.
    const bool discards = (message.flags & MSG_TRUNC) != 0;
    const auto attempt = [&]() -> Outcome<std::size_t> {
      // An error, or the end, is for the next call.
      if (received > 0 && connection_->readable_octets() == 0 && !may_read_more()) return 0;
      return discards ? discard_once(wanted - received) : read_once(message, received);
    };
    const auto taken = repeat(session, POLLIN, limit, attempt);
    if (!taken) return received > 0 ? Outcome<std::size_t>(received) : taken;
    received += *taken;
    const bool is_end = *taken == 0 || connection_->at_urgent_mark();
    if (received >= target || is_end) return received;
  }
}

// ---------------------------------------------------------------- ending

Outcome<void> TcpSocket::shutdown(Session& session, int how) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return fail(EINVAL);
  if (phase_ == Phase::kListening || phase_ == Phase::kConnecting) {
    // As Linux: to stop reading is to give up. Sending has not begun.
    const bool gives_up = how != SHUT_WR;
    if (gives_up && (listener_ != nullptr || is_handshaking())) {
      become_fresh(session, listener_ == nullptr ? Error::kConnectionReset : Error::kNone);
      return {};
    }
    if (listener_ != nullptr) return {};
  }
  if (connection_ == nullptr || has_ended()) return fail(ENOTCONN);
  if (how != SHUT_RD) connection_->shutdown_send();
  if (how != SHUT_WR) connection_->shutdown_receive();
  on_readiness();
  return {};
}

// SO_LINGER: until the peer has acknowledged everything, our FIN included, or the time is over.
void TcpSocket::linger(Session& session) {
  if (settings_.linger <= 0 || connection_->readable_octets() > 0) return;
  connection_->shutdown_send();
  const Instant limit = session.now() + std::chrono::seconds(settings_.linger);
  const auto is_done = [this] { return has_ended() || connection_->state() == tcp::State::kFinWait2; };
  // The arrival of the last acknowledgment need not change readiness, so it is also looked for.
  constexpr Duration kLook = std::chrono::milliseconds(5);
  while (!is_done() && session.now() < limit) {
    Waiter waiter(session.loop());
    session.wait(waiter, std::min(limit, session.now() + kLook));
  }
}

void TcpSocket::on_close(Session& session) {
  if (listener_ != nullptr) std::exchange(listener_, nullptr)->close();
  if (connection_ != nullptr) {
    connection_->set_listener(nullptr);
    linger(session);
    tcp::Connection* const gone = connection_;
    set_connection(nullptr);
    gone->close();
  }
  hold_ = {};
}

// ---------------------------------------------------------------- addresses

Outcome<SocketAddress> TcpSocket::local_address() const {
  if (connection_ != nullptr) return SocketAddress{connection_->tuple().local, connection_->info().interface};
  if (bound_) return SocketAddress{bound_->local, bound_->interface};
  return SocketAddress{{any_for(domain()), Port::kNone}};
}

Outcome<SocketAddress> TcpSocket::remote_address() const {
  if (connection_ == nullptr || connection_->state() == tcp::State::kSynSent || has_ended())
    return fail(ENOTCONN);
  return SocketAddress{connection_->tuple().remote, connection_->info().interface};
}

QueuedMemory TcpSocket::queued_memory() const {
  if (connection_ == nullptr) return {};
  return {.received = connection_->readable_octets(), .unsent = connection_->unacked_octets()};
}

}  // namespace transom::sockets
