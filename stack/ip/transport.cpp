#include "stack/ip/transport.h"

namespace transom::ip {

Error error_of(IcmpErrorKind kind) {
  switch (kind) {
    case IcmpErrorKind::kNetworkUnreachable:
      return Error::kNetworkUnreachable;
    case IcmpErrorKind::kProtocolUnreachable:
      return Error::kProtocolUnreachable;
    case IcmpErrorKind::kPortUnreachable:
      return Error::kConnectionRefused;
    case IcmpErrorKind::kPacketTooBig:
      return Error::kMessageTooLong;
    default:
      return Error::kHostUnreachable;
  }
}

}  // namespace transom::ip
