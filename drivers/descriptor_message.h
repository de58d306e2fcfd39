// Descriptors for another process: SCM_RIGHTS of unix(7).
#pragma once

#include <sys/types.h>

#include "stack/base/bytes.h"

namespace transom::drivers {

// sendmsg(2) of `octets`, with `descriptor` unless it is negative. As that, -1 and errno on failure.
ssize_t send_with_descriptor(int socket, Bytes octets, int descriptor, int flags);

}  // namespace transom::drivers
