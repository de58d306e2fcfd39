#include "socket_api/run/guest_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "socket_api/run/asked_numbers.h"
#include "socket_api/run/file_places.h"

namespace transom::sockets::run {

// Tells the owner when the socket is ready for anything.
class GuestSocket::ReadinessNote final : public Watcher {
 public:
  ReadinessNote(GuestSocket& guest, GuestOwner& owner)
      : Watcher(*guest.socket_, POLLIN | POLLOUT | POLLPRI | POLLRDHUP), guest_(guest), owner_(owner) {}
  void on_ready(short) override { owner_.note(guest_); }

 private:
  GuestSocket& guest_;
  GuestOwner& owner_;
};

GuestSocket::GuestSocket(GuestOwner& owner, std::shared_ptr<Socket> socket, drivers::FileDescriptor end,
                         int theirs)
    : owner_(owner),
      socket_(std::move(socket)),
      end_(std::move(end)),
      cookie_(cookie_of(theirs)),
      inode_(inode_of(theirs)),
      note_(std::make_unique<ReadinessNote>(*this, owner)) {
  socket_->set_non_blocking(true);
}

GuestSocket::~GuestSocket() = default;

std::uint64_t GuestSocket::change_pair(drivers::FileDescriptor end, int theirs) {
  end_ = std::move(end);
  inode_ = inode_of(theirs);
  return std::exchange(cookie_, cookie_of(theirs));
}

void GuestSocket::connect(Session&, const TrappedCall& call) { call.finish(Errno{EOPNOTSUPP}); }
void GuestSocket::listen(Session&, const TrappedCall& call) { call.finish(Errno{EOPNOTSUPP}); }
void GuestSocket::accept(Session&, const TrappedCall& call) { call.finish(Errno{EOPNOTSUPP}); }

void GuestSocket::query(const TrappedCall& call) {
  const auto value = socket_->query(call.argument(1));
  if (!value) return call.finish(value.error());
  call.finish(call.write_value(call.argument(2), *value));
}

void GuestSocket::close_socket(Session& session) {
  if (std::exchange(is_over_, true)) return;
  finish_held(fail(EBADF));
  note_.reset();
  end_.reset();
  socket_->do_not_linger();  // close(2) of the program returned long ago
  socket_->close(session);
}

// ---------------------------------------------------------------- the program's end

namespace {

// The descriptor of `process` that is the socket `cookie`, as one of ours.
drivers::FileDescriptor find_descriptor(pid_t process, std::uint64_t cookie) {
  drivers::FileDescriptor found;
  DIR* const directory = opendir(fmt::format("/proc/{}/fd", process).c_str());
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory)) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (end == entry->d_name) continue;
    auto taken = take_descriptor(process, static_cast<int>(number));
    if (taken && cookie_of(taken->get()) == cookie) {
      found = std::move(*taken);
      break;
    }
  }
  closedir(directory);
  return found;
}

}  // namespace

drivers::FileDescriptor GuestSocket::borrow_their_end() const {
  if (hint_.thread == 0) return {};
  if (hint_.number >= 0) {
    auto taken = take_descriptor(hint_.thread, hint_.number);
    if (taken && cookie_of(taken->get()) == cookie_) return std::move(*taken);
  }
  // It was moved (dup2) or passed on: the process that had it is the likeliest to have it still.
  return find_descriptor(hint_.thread, cookie_);
}

namespace {

// What is kept in the pair itself: see is_of_pair() and concerns_pair().
void copy_kept_options(int from, int to) {
  for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_OOBINLINE, SO_PEEK_OFF}) {
    std::array<char, sizeof(timeval)> value{};
    socklen_t size = value.size();
    if (getsockopt(from, SOL_SOCKET, name, value.data(), &size) == 0)
      (void)setsockopt(to, SOL_SOCKET, name, value.data(), size);
  }
}

}  // namespace

Outcome<void> GuestSocket::replace_end(const TrappedCall& call, int theirs) {
  const int number = call.int_argument(0);
  const auto old = call.take_descriptor(number);
  if (!old) return std::unexpected(old.error());
  copy_kept_options(old->get(), theirs);
  FilePlaces places = find_places(call.thread(), old->get());
  if (std::ranges::find(places.numbers, number) == places.numbers.end()) places.numbers.push_back(number);
  for (const int place : places.numbers) {
    if (const auto replaced = call.replace(place, theirs); !replaced) return replaced;
  }
  enter_epolls(places, theirs);
  return {};
}

void GuestSocket::move_to(const TrappedCall& call) {
  if (const drivers::FileDescriptor theirs = borrow_their_end()) (void)replace_end(call, theirs.get());
}

bool GuestSocket::is_where_it_was() const {
  if (hint_.number < 0) return false;
  const auto taken = take_descriptor(hint_.thread, hint_.number);
  return taken && cookie_of(taken->get()) == cookie_;
}

bool GuestSocket::is_asked_everywhere() const {
  return !is_elsewhere_ && hint_.number >= TRANSOM_ASKED_FIRST && hint_.number < TRANSOM_ASKED_END &&
         is_where_it_was();
}

bool GuestSocket::may_block(const TrappedCall& call, int flags) {
  if ((flags & MSG_DONTWAIT) != 0) return false;
  const auto theirs = call.take_descriptor(call.int_argument(0));
  return theirs && (fcntl(theirs->get(), F_GETFL) & O_NONBLOCK) == 0;
}

// ---------------------------------------------------------------- held calls

void GuestSocket::hold(Session& session, const TrappedCall& call, Duration timeout, int late_error) {
  held_.push_back({call, timeout == Duration::max() ? kNever : session.now() + timeout, late_error});
  owner_.waits(*this);
}

void GuestSocket::expire_held(Session& session, int error) {
  std::erase_if(held_, [&](const HeldCall& held) {
    if (!held.call.is_alive()) return true;
    if (session.now() < held.deadline) return false;
    held.call.finish(Errno{held.late_error != 0 ? held.late_error : error});
    return true;
  });
}

void GuestSocket::finish_held(const Outcome<void>& outcome) {
  for (const HeldCall& held : std::exchange(held_, {})) held.call.finish(outcome);
}

Instant GuestSocket::next_deadline() const {
  Instant earliest = kNever;
  for (const HeldCall& held : held_) earliest = std::min(earliest, held.deadline);
  return earliest;
}

// ---------------------------------------------------------------- addresses

Outcome<AddressArgument> read_address_argument(const TrappedCall& call, std::uint64_t address,
                                               std::uint64_t length) {
  AddressArgument argument;
  const auto size = static_cast<int>(length);
  if (size < 0 || static_cast<std::size_t>(size) > argument.octets.size()) return fail(EINVAL);
  argument.length = static_cast<socklen_t>(size);
  const auto done = call.read(address, MutableBytes(argument.octets).first(argument.length));
  if (!done) return std::unexpected(done.error());
  return argument;
}

Outcome<void> write_address_argument(const TrappedCall& call, int domain, const SocketAddress& from,
                                     std::uint64_t address, std::uint64_t length) {
  if (address == 0) return {};
  const auto room = call.read_value<socklen_t>(length);
  if (!room) return std::unexpected(room.error());
  if (static_cast<int>(*room) < 0) return fail(EINVAL);
  AddressArgument argument;
  socklen_t size = *room;
  if (static_cast<int>(size) > static_cast<int>(argument.octets.size())) size = argument.octets.size();
  const socklen_t fits = size;
  const auto written =
      write_address(domain, from, reinterpret_cast<sockaddr*>(argument.octets.data()), &size);
  if (!written) return written;
  const auto copied = call.write(address, Bytes(argument.octets).first(std::min(fits, size)));
  if (!copied) return copied;
  return call.write_value(length, size);
}

}  // namespace transom::sockets::run
