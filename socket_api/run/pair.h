// The two ends by which a program and the stack share a socket.
//
// The program's descriptor is one end of an AF_UNIX socketpair, made when it asks for a socket and never
// replaced while the socket works; the supervisor holds the other end. So the kernel itself does dup, fork,
// exec, poll, epoll, descriptor passing, splice, sendfile, O_NONBLOCK, timeouts and signals on it. A stream
// socket is a SOCK_STREAM pair; sockets of datagrams are SOCK_SEQPACKET pairs, which keep record boundaries
// and tell when the other end has gone.
//
// Three tricks make a pair behave as a socket of the internet:
// - The gate. A fresh pair is writable, a socket that is not connected is not. So the program's send buffer
// is
//   filled with junk. When the connection is there, exactly as much is taken out again; taking "all" would
//   take what the program writes as soon as there is room.
// - The reset. When an end is closed with unread octets in it, the kernel gives the other ECONNRESET, behind
// the
//   data that it has yet to read: as TCP does.
// - The token. For each connection that waits to be accepted there is one octet in the listener's pair, which
//   is so readable, with an edge for each.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "drivers/file_descriptor.h"
#include "socket_api/outcome.h"

namespace transom::sockets::run {

struct Pair {
  drivers::FileDescriptor ours;    // non-blocking
  drivers::FileDescriptor theirs;  // goes to the program; the supervisor must not keep it
};

// `type` is SOCK_STREAM or SOCK_SEQPACKET, perhaps with SOCK_NONBLOCK for the program's end. EMFILE, ENOMEM.
Outcome<Pair> make_pair(int type);

// Enough to keep both sides busy. What waits in a pair the peer believes to be read: the receive buffer of
// the stack is what is meant to be large.
constexpr int kPairBuffer = 256 << 10;

// How many octets of this end's may wait for the other. As SO_SNDBUF has it; at most kPairBuffer.
void set_send_buffer(int descriptor, int size);

// The kernel's unchangeable name of a socket: the same through dup, fork, exec and passing. 0 for what is
// not a socket.
std::uint64_t cookie_of(int descriptor);
// The number by which /proc/PID/fd names a socket. 0 for what is not one.
std::uint64_t inode_of(int descriptor);

class Gate {
 public:
  bool is_closed() const { return junk_ > 0; }
  void close(const Pair& pair);
  // From now on what the program writes arrives. `theirs`: a descriptor of the program's end for the moment,
  // which gets a send buffer of `send_room`; -1 when there is none to be had.
  void open(int ours, int theirs, int send_room = kPairBuffer);

 private:
  std::size_t junk_ = 0;
};

// Closes `ours` so that the program gets ECONNRESET when it has read what is there. `theirs` as for
// Gate::open(): without it, and with no junk in the gate, the program sees the end of the stream instead.
void reset(drivers::FileDescriptor& ours, int theirs);

}  // namespace transom::sockets::run
