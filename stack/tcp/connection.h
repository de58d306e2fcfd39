// One TCP connection (RFC 9293), from SYN-SENT or SYN-RECEIVED to CLOSED. This header is what its user may call.
#pragma once

#include <span>

#include "stack/base/bytes.h"
#include "stack/base/readiness.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

struct SendFlags {
  bool urgent = false;  // MSG_OOB: the last octet is urgent
  bool more = false;    // MSG_MORE: as if corked for this call
};

struct ReceiveFlags {
  bool peek = false;
};

class Connection {
 public:
  State state() const;
  const FourTuple& tuple() const;
  Info info() const;

  // Copies what fits into the send queue and sends what may be sent. kWouldBlock when nothing fits, kNotConnected before
  // and kBrokenPipe after; a pending error is returned once, first.
  Result<std::size_t> send(std::span<const Bytes> pieces, SendFlags flags = {});

  // Moves received octets, in order, to `out`; stops at the urgent mark. 0 at the end of the stream. kWouldBlock when there is
  // nothing yet, kNotConnected before the handshake; a pending error is returned once, after the data.
  Result<std::size_t> receive(MutableBytes out, ReceiveFlags flags = {});
  // The urgent octet, when it is not in line (MSG_OOB). kInvalidArgument when there is none, kWouldBlock when it has not arrived.
  Result<std::uint8_t> receive_urgent(ReceiveFlags flags = {});
  bool at_urgent_mark() const;          // SIOCATMARK
  std::size_t readable_octets() const;  // SIOCINQ
  std::size_t unsent_octets() const;    // SIOCOUTQNSD
  std::size_t unacked_octets() const;   // SIOCOUTQ

  void shutdown_send();     // FIN after what is queued
  void shutdown_receive();  // later receives give the end of the stream
  // The user lets go: FIN after what is queued, or a reset when octets were left unread (RFC 9293 §3.6.1) or with linger 0. The
  // pointer is invalid afterwards; the stack finishes the connection by itself.
  void close();
  void abort();  // reset now, and let go

  const Options& options() const;
  void set_options(const Options& options);
  Error take_error();       // the pending error, once (SO_ERROR)
  Readiness readiness() const;
  void set_listener(ReadinessListener* listener);
};

}  // namespace transom::tcp
