// What an operation on the stack can fail with. The socket API turns each into the errno of Linux.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace transom {

enum class Error : std::uint8_t {
  kNone = 0,
  kWouldBlock,           // EAGAIN: nothing to read, no room to write, no connection to accept
  kInProgress,           // EINPROGRESS: a connect has been started
  kAlreadyInProgress,    // EALREADY
  kIsConnected,          // EISCONN
  kNotConnected,         // ENOTCONN
  kConnectionRefused,    // ECONNREFUSED
  kConnectionReset,      // ECONNRESET
  kConnectionAborted,    // ECONNABORTED
  kBrokenPipe,           // EPIPE: written after the sending side was shut down
  kTimedOut,             // ETIMEDOUT
  kNetworkUnreachable,   // ENETUNREACH: no route
  kHostUnreachable,      // EHOSTUNREACH: no neighbour, or ICMP said so
  kProtocolUnreachable,  // ENOPROTOOPT
  kAddressInUse,         // EADDRINUSE
  kAddressNotAvailable,  // EADDRNOTAVAIL: not ours, or no port left
  kAddressFamily,        // EAFNOSUPPORT
  kAccessDenied,         // EACCES: broadcast without SO_BROADCAST
  kInvalidArgument,      // EINVAL
  kMessageTooLong,       // EMSGSIZE
  kDestinationRequired,  // EDESTADDRREQ
  kNoBuffers,            // ENOBUFS: a limit of the stack was reached
  kNotSupported,         // EOPNOTSUPP
  kNoSuchDevice,         // ENODEV
};

template <typename T>
using Result = std::expected<T, Error>;

// A short lower-case phrase, for messages to a person.
std::string_view to_string(Error error);

}  // namespace transom
