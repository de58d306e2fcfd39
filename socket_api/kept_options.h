// Options of level SOL_SOCKET that a stack in user space has no use for: they are checked, kept and shown as
// Linux does it, so that programs that set them go on, and have no effect.
#pragma once

#include <array>

#include "socket_api/outcome.h"
#include "stack/base/bytes.h"

namespace transom::sockets {

class KeptOptions {
 public:
  KeptOptions();

  // ENOPROTOOPT for one that is not of this kind.
  Outcome<void> set(int name, Bytes value);
  Outcome<std::size_t> get(int name, MutableBytes out) const;

 private:
  static constexpr std::size_t kCount = 9;

  std::array<int, kCount> values_{};
};

}  // namespace transom::sockets
