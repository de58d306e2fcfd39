// Buffers of a Stack in the hands of a program: what TcpStream sends and receives without a copy.
//
//   auto buffer = OutgoingBuffer::allocate(stack);        ReceivedOctets octets;
//   buffer->fill(make_text(buffer->room()));              while (auto size = stream.read(octets)) {
//   stream.write_all(std::move(*buffer));                   if (*size == 0) break;
//                                                           for (Bytes piece : octets.pieces()) use(piece);
//                                                         }
//
// The memory is that of the Stack's pool, so that it is the device that first copies what is sent, and was
// the last to copy what is received. A buffer goes back to the pool when nobody refers to it any more:
// neither the program nor, until the peer has acknowledged them, the send queue. All of them must be gone
// before the Stack is. None may be shared, let go of or assigned to within a Session, which holds the lock
// that this takes.
#pragma once

#include <memory>
#include <vector>

#include "socket_api/outcome.h"
#include "stack/base/packet.h"

namespace transom::sockets {

class Session;
class Socket;
class Stack;

// Octets to be sent, in one buffer of some 64 KiB. Movable; for one thread at a time. One that is filled less
// than a quarter is copied when it is sent, so that short texts do not hold large buffers.
class OutgoingBuffer {
 public:
  // ENOBUFS while the Stack is short of buffers.
  static Outcome<OutgoingBuffer> allocate(Stack& stack);

  OutgoingBuffer() = default;
  OutgoingBuffer(OutgoingBuffer&& other) noexcept;
  OutgoingBuffer& operator=(OutgoingBuffer&& other) noexcept;
  ~OutgoingBuffer() { release(); }

  // Where octets may be written, behind those that are there; empty once the buffer has been shared.
  MutableBytes room();
  // The first `octets` of room() are written: at most its size.
  void fill(std::size_t octets) { octets_.claim(octets); }
  // What is to be sent. It must not be changed any more once any of it was sent or shared.
  Bytes bytes() const { return octets_.bytes(); }
  bool empty() const { return octets_.empty(); }

  // The same octets once more, to be sent again or to another peer.
  OutgoingBuffer share();
  void release();

 private:
  friend class TcpStream;
  OutgoingBuffer(Stack& stack, Slice octets) : stack_(&stack), octets_(std::move(octets)) {}

  Stack* stack_ = nullptr;
  Slice octets_;
  bool is_shared_ = false;
};

// Octets that were received, in the buffers they came in. What is held takes room in the socket's receive
// buffer as if it had not been read: the peer is offered a larger window once it is let go of, and who holds
// a whole receive buffer gets no more. It may be held longer than the connection, or its socket, lasts.
class ReceivedOctets {
 public:
  ReceivedOctets() = default;
  ReceivedOctets(ReceivedOctets&& other) noexcept;
  ReceivedOctets& operator=(ReceivedOctets&& other) noexcept;
  ~ReceivedOctets() { release(); }

  std::span<const Bytes> pieces() const { return pieces_; }  // in order
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void release();

 private:
  friend class TcpStream;
  void release(Session& session);
  void take_from(ReceivedOctets& other);

  Stack* stack_ = nullptr;
  std::shared_ptr<Socket> socket_;
  std::uint32_t connection_ = 0;  // of the socket: which
  std::vector<Slice> slices_;
  std::vector<Bytes> pieces_;
  std::size_t size_ = 0;
};

}  // namespace transom::sockets
