#include "socket_api/zero_copy.h"

#include "socket_api/cxx.h"
#include "socket_api/tcp_socket.h"

namespace transom::sockets {

// ---------------------------------------------------------------- OutgoingBuffer

Outcome<OutgoingBuffer> OutgoingBuffer::allocate(Stack& stack) {
  Session session(stack);
  BufferPool& pool = session.host().context().pool;
  if (pool.is_scarce()) return fail(ENOBUFS);  // what is left is for the stack itself
  Slice octets = pool.allocate_slice(BufferSize::kSuperFrame);
  if (octets.room() == 0) return fail(ENOBUFS);
  return OutgoingBuffer(stack, std::move(octets));
}

OutgoingBuffer::OutgoingBuffer(OutgoingBuffer&& other) noexcept
    : stack_(std::exchange(other.stack_, nullptr)),
      octets_(std::move(other.octets_)),
      is_shared_(other.is_shared_) {}

OutgoingBuffer& OutgoingBuffer::operator=(OutgoingBuffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  stack_ = std::exchange(other.stack_, nullptr);
  octets_ = std::move(other.octets_);
  is_shared_ = other.is_shared_;
  return *this;
}

MutableBytes OutgoingBuffer::room() { return is_shared_ ? MutableBytes() : octets_.writable(); }

OutgoingBuffer OutgoingBuffer::share() {
  if (stack_ == nullptr) return {};
  Session session(*stack_);
  OutgoingBuffer other(*stack_, octets_);
  other.is_shared_ = is_shared_ = true;
  return other;
}

void OutgoingBuffer::release() {
  if (stack_ == nullptr) return;
  Session session(*std::exchange(stack_, nullptr));
  octets_ = Slice();
}

// ---------------------------------------------------------------- ReceivedOctets

ReceivedOctets::ReceivedOctets(ReceivedOctets&& other) noexcept { take_from(other); }

ReceivedOctets& ReceivedOctets::operator=(ReceivedOctets&& other) noexcept {
  if (this == &other) return *this;
  release();
  take_from(other);
  return *this;
}

void ReceivedOctets::take_from(ReceivedOctets& other) {
  stack_ = std::exchange(other.stack_, nullptr);
  socket_ = std::move(other.socket_);
  connection_ = other.connection_;
  slices_ = std::move(other.slices_);
  pieces_ = std::move(other.pieces_);
  size_ = std::exchange(other.size_, 0);
}

void ReceivedOctets::release() {
  if (stack_ == nullptr) return;
  Session session(*stack_);
  release(session);
}

void ReceivedOctets::release(Session&) {
  if (stack_ == nullptr) return;
  slices_.clear();
  pieces_.clear();
  static_cast<TcpSocket&>(*socket_).release_slices(connection_, std::exchange(size_, 0));
  socket_.reset();
  stack_ = nullptr;
}

// ---------------------------------------------------------------- TcpStream

Outcome<std::size_t> TcpStream::write(OutgoingBuffer& buffer) {
  return handle_.with_socket([&](Session& session, Socket& socket) -> Outcome<std::size_t> {
    auto* const tcp = dynamic_cast<TcpSocket*>(&socket);
    if (tcp == nullptr) return fail(EOPNOTSUPP);
    if (buffer.stack_ != &session.stack()) return fail(EINVAL);
    const auto taken = tcp->send_slice(session, buffer.octets_);
    if (buffer.empty() && taken) {
      buffer.octets_ = Slice();
      buffer.stack_ = nullptr;
    }
    return taken;
  });
}

Outcome<void> TcpStream::write_all(OutgoingBuffer buffer) {
  while (!buffer.empty()) {
    if (const auto taken = write(buffer); !taken) return std::unexpected(taken.error());
  }
  return {};
}

Outcome<std::size_t> TcpStream::read(ReceivedOctets& octets, std::size_t limit) {
  if (!handle_.is_of(octets.stack_)) octets.release();  // under the lock of another stack
  return handle_.with_socket([&](Session& session, Socket& socket) -> Outcome<std::size_t> {
    octets.release(session);
    const std::shared_ptr<Socket> kept = handle_.socket();
    auto* const tcp = dynamic_cast<TcpSocket*>(&socket);
    if (tcp == nullptr) return fail(EOPNOTSUPP);
    if (limit == 0) return fail(EINVAL);
    const auto taken = tcp->receive_slices(session, octets.slices_, limit);
    if (!taken || *taken == 0) return taken;
    octets.stack_ = &session.stack();
    octets.socket_ = kept;
    octets.connection_ = tcp->connection_number();
    octets.size_ = *taken;
    for (const Slice& slice : octets.slices_) octets.pieces_.push_back(slice.bytes());
    return taken;
  });
}

}  // namespace transom::sockets
