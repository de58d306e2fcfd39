// Octets in and out of our end of a pair.
#pragma once

#include <sys/types.h>

#include "stack/base/bytes.h"

namespace transom::sockets::run {

// Room through which everything goes, one guest at a time: a supervisor is one thread. 64 KiB, which is more
// than the largest datagram.
MutableBytes chunk();

// send(2) that neither waits nor raises SIGPIPE.
ssize_t write_end(int end, Bytes data, int flags = 0);

}  // namespace transom::sockets::run
