#include "stack/base/error.h"

namespace transom {

std::string_view to_string(Error error) {
  switch (error) {
    case Error::kNone:
      return "no error";
    case Error::kWouldBlock:
      return "operation would block";
    case Error::kInProgress:
      return "operation now in progress";
    case Error::kAlreadyInProgress:
      return "operation already in progress";
    case Error::kIsConnected:
      return "already connected";
    case Error::kNotConnected:
      return "not connected";
    case Error::kConnectionRefused:
      return "connection refused";
    case Error::kConnectionReset:
      return "connection reset by peer";
    case Error::kConnectionAborted:
      return "connection aborted";
    case Error::kBrokenPipe:
      return "broken pipe";
    case Error::kTimedOut:
      return "timed out";
    case Error::kNetworkUnreachable:
      return "network is unreachable";
    case Error::kHostUnreachable:
      return "no route to host";
    case Error::kProtocolUnreachable:
      return "protocol not available";
    case Error::kAddressInUse:
      return "address already in use";
    case Error::kAddressNotAvailable:
      return "cannot assign requested address";
    case Error::kAddressFamily:
      return "address family not supported";
    case Error::kAccessDenied:
      return "permission denied";
    case Error::kInvalidArgument:
      return "invalid argument";
    case Error::kMessageTooLong:
      return "message too long";
    case Error::kDestinationRequired:
      return "destination address required";
    case Error::kNoBuffers:
      return "no buffer space available";
    case Error::kNotSupported:
      return "operation not supported";
    case Error::kNoSuchDevice:
      return "no such device";
  }
  return "unknown error";
}

}  // namespace transom
