#include "socket_api/outcome.h"

namespace transom::sockets {

Errno errno_of(Error error) {
  switch (error) {
    case Error::kNone:
      return Errno{0};
    case Error::kWouldBlock:
      return Errno{EAGAIN};
    case Error::kInProgress:
      return Errno{EINPROGRESS};
    case Error::kAlreadyInProgress:
      return Errno{EALREADY};
    case Error::kIsConnected:
      return Errno{EISCONN};
    case Error::kNotConnected:
      return Errno{ENOTCONN};
    case Error::kConnectionRefused:
      return Errno{ECONNREFUSED};
    case Error::kConnectionReset:
      return Errno{ECONNRESET};
    case Error::kConnectionAborted:
      return Errno{ECONNABORTED};
    case Error::kBrokenPipe:
      return Errno{EPIPE};
    case Error::kTimedOut:
      return Errno{ETIMEDOUT};
    case Error::kNetworkUnreachable:
      return Errno{ENETUNREACH};
    case Error::kHostUnreachable:
      return Errno{EHOSTUNREACH};
    case Error::kProtocolUnreachable:
      return Errno{ENOPROTOOPT};
    case Error::kAddressInUse:
      return Errno{EADDRINUSE};
    case Error::kAddressNotAvailable:
      return Errno{EADDRNOTAVAIL};
    case Error::kAddressFamily:
      return Errno{EAFNOSUPPORT};
    case Error::kAccessDenied:
      return Errno{EACCES};
    case Error::kInvalidArgument:
      return Errno{EINVAL};
    case Error::kMessageTooLong:
      return Errno{EMSGSIZE};
    case Error::kDestinationRequired:
      return Errno{EDESTADDRREQ};
    case Error::kNoBuffers:
      return Errno{ENOBUFS};
    case Error::kNotSupported:
      return Errno{EOPNOTSUPP};
    case Error::kNoSuchDevice:
      return Errno{ENODEV};
  }
  return Errno{EIO};
}

}  // namespace transom::sockets
