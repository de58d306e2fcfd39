// The UDP header (RFC 768): source port, destination port, length, checksum.
#pragma once

#include <expected>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

struct UdpHeader {
  static constexpr std::size_t kSize = 8;

  Port source_port{};
  Port destination_port{};
  std::uint16_t length = 0;    // header and payload, octets
  std::uint16_t checksum = 0;  // 0: none was computed

  friend bool operator==(const UdpHeader&, const UdpHeader&) = default;
  // kBadLength when length is below 8. Whether it fits the IP payload is the caller's check.
  static std::expected<UdpHeader, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
};

}  // namespace transom::wire
