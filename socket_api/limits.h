// Limits that Linux has as settings of the system.
#pragma once

namespace transom::sockets {

inline constexpr int kMaxBacklog = 4096;  // net.core.somaxconn

}  // namespace transom::sockets
