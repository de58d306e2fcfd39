// What fuzz targets promise: a broken promise aborts, which libFuzzer reports with the input.
#pragma once

#include <cstdlib>
#include <vector>

#include "stack/base/packet.h"

namespace transom {

inline void require(bool promise) {
  if (!promise) std::abort();
}

inline std::vector<std::uint8_t> octets_of(const Packet& packet) {
  std::vector<std::uint8_t> octets(packet.size());
  require(packet.copy_out(0, octets));
  return octets;
}

}  // namespace transom
