// The options of an IPv4 header (RFC 791 §3.1, RFC 1122 §3.2.1.8): whether they may come in or go out.
#pragma once

#include <cstdint>

#include "stack/base/bytes.h"

namespace transom::ip {

enum class Ipv4OptionsVerdict : std::uint8_t {
  kLegal,
  kSourceRoute,  // refused both ways: RFC 7126 §4.3
  kMalformed,    // a length or a pointer that cannot be
};

// Unknown options are legal (RFC 1122 §3.2.1.8).
Ipv4OptionsVerdict judge_ipv4_options(Bytes options);

// Whether a sender may ask for them: legal, in whole words of 32 bits, and no longer than a header has room.
bool may_send_ipv4_options(Bytes options);

}  // namespace transom::ip
