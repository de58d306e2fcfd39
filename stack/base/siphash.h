// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit hash that an attacker who does not know the key
// can neither predict nor steer. It keys every table reachable from the wire, the initial sequence numbers
// (RFC 6528), the ephemeral ports (RFC 6056), the SYN cookies and the random source.
#pragma once

#include <array>
#include <cstdint>

#include "stack/base/bytes.h"

namespace transom {

using SipKey = std::array<std::uint64_t, 2>;

std::uint64_t siphash(const SipKey& key, Bytes message);

// The same function over a few 64-bit words, equal to hashing their little-endian octets.
std::uint64_t siphash_words(const SipKey& key, std::span<const std::uint64_t> words);

}  // namespace transom
