// Views of raw octets. All parsing and writing goes through wire::Reader and wire::Writer over these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace transom {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

}  // namespace transom
