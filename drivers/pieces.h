// Octets as readv(), writev() and their kin take them.
#pragma once

#include <sys/uio.h>

#include "stack/base/bytes.h"

namespace transom::drivers {

inline iovec piece(MutableBytes octets) { return {octets.data(), octets.size()}; }
// To be written only: the kernel's struct is the same for both directions.
inline iovec piece(Bytes octets) { return {const_cast<std::uint8_t*>(octets.data()), octets.size()}; }

}  // namespace transom::drivers
