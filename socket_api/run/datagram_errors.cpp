// How a DatagramGuest tells of errors.
#include <fcntl.h>
#include <sys/socket.h>

#include "drivers/descriptor_message.h"
#include "socket_api/run/datagram_guest.h"
#include "socket_api/run/end_io.h"

namespace transom::sockets::run {

namespace {

// Who has not been heard of for so long waits.
constexpr Duration kQuiet = std::chrono::milliseconds(2);

}  // namespace

// ---------------------------------------------------------------- by breaking

// A plain error too can be shown so where the program has its descriptor under a number of which all is
// asked. Elsewhere read() and send() would fail for good.
bool DatagramGuest::may_break() const { return may_show_ && is_asked_everywhere(); }

// Breaks the pair as a reset does. In the program's queue stays the other end of another pair, whose end
// tells that the program has closed the socket.
void DatagramGuest::show_errors(Session& session) {
  show_at_ = kNever;
  if (is_shown_ || !may_show_ || holds_calls()) return;
  if (!socket_->has_reports() && (error_ == 0 || !may_break())) return;
  if (const Instant due = last_heard_ + kQuiet; session.now() < due) {
    show_at_ = due;
    return owner_.waits(*this);
  }
  const drivers::FileDescriptor theirs = borrow_their_end();
  auto watch = make_pair(SOCK_STREAM);
  if (!theirs || !watch) return;
  move_out(session);
  forget_taken(theirs.get());
  if (drivers::send_with_descriptor(end_.get(), {}, watch->theirs.get(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return;
  reset(end_, theirs.get());
  end_ = std::move(watch->ours);
  is_shown_ = true;
  owner_.adopt(shared_from_this());
}

// The program is here, perhaps to ask for it: it gets a pair that works. What waits is moved to it.
Outcome<void> DatagramGuest::renew_pair(const TrappedCall& call) {
  const auto old = call.take_descriptor(call.int_argument(0));
  if (!old) return std::unexpected(old.error());
  const bool is_non_blocking = (fcntl(old->get(), F_GETFL) & O_NONBLOCK) != 0;
  auto pair = make_pair(SOCK_SEQPACKET | (is_non_blocking ? SOCK_NONBLOCK : 0));
  if (!pair) return std::unexpected(pair.error());
  int broken = 0;
  socklen_t size = sizeof broken;
  (void)getsockopt(old->get(), SOL_SOCKET, SO_ERROR, &broken, &size);  // else it is what recv() says
  forget_taken(old->get());
  const MutableBytes octets = chunk();
  std::erase_if(waiting_, [&](const Waiting& one) {
    const ssize_t got = recv(old->get(), octets.data(), octets.size(), MSG_DONTWAIT);
    return one.is_error || got < 0 ||
           write_end(pair->ours.get(), octets.first(static_cast<std::size_t>(got))) != got;
  });
  if (is_read_shut_) (void)::shutdown(pair->theirs.get(), SHUT_RD);
  if (is_write_shut_) (void)::shutdown(pair->theirs.get(), SHUT_WR);
  if (const auto replaced = replace_end(call, pair->theirs.get()); !replaced) return replaced;
  const std::uint64_t former_cookie = change_pair(std::move(pair->ours), pair->theirs.get());
  end_writable_ = true;
  is_shown_ = false;
  owner_.adopt(shared_from_this(), former_cookie);
  return {};
}

void DatagramGuest::prepare(Session& session, const TrappedCall& call) {
  last_heard_ = session.now();
  may_show_ = call.replaces_at_once();
  if (is_shown_) (void)renew_pair(call);
  if (socket_->has_reports() || error_ != 0) owner_.note(*this);  // what it leaves is shown again
}

// ---------------------------------------------------------------- and without

// Where breaking would do harm, whoever waits for the socket is woken by an empty record. Calls that come
// here tell the error; a read() that does not finds an empty datagram.
void DatagramGuest::tell_error() {
  if (may_break()) return owner_.note(*this);
  if (write_end(end_.get(), {}) == 0)
    waiting_.push_back({.size = 0, .from = std::nullopt, .control = {}, .is_error = true});
}

int DatagramGuest::take_error(int theirs) {
  if (theirs >= 0) forget_taken(theirs);
  if (!waiting_.empty() && waiting_.front().is_error) {
    char octet = 0;
    if (theirs >= 0) (void)recv(theirs, &octet, 1, MSG_DONTWAIT);
    waiting_.pop_front();
  }
  return std::exchange(error_, 0);
}

int DatagramGuest::pending_error() { return error_ == 0 ? 0 : take_error(borrow_their_end().get()); }

}  // namespace transom::sockets::run
