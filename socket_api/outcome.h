// Why a socket call failed: the errno that Linux would set.
#pragma once

#include <cerrno>
#include <expected>

#include "stack/base/error.h"

namespace transom::sockets {

// Written Errno{EINVAL}.
enum class Errno : int {};

constexpr int to_number(Errno error) { return static_cast<int>(error); }

template <typename T>
using Outcome = std::expected<T, Errno>;

inline std::unexpected<Errno> fail(int number) { return std::unexpected(Errno{number}); }

Errno errno_of(Error error);
inline std::unexpected<Errno> fail(Error error) { return std::unexpected(errno_of(error)); }

}  // namespace transom::sockets
