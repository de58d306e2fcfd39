// Address Resolution Protocol for IPv4 over Ethernet (RFC 826): 28 octets.
#pragma once

#include <expected>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

struct ArpPacket {
  static constexpr std::size_t kSize = 28;
  enum class Operation : std::uint16_t { kRequest = 1, kReply = 2 };

  Operation operation = Operation::kRequest;
  MacAddress sender_mac;
  IpAddress sender_ip = IpAddress::v4(0);
  MacAddress target_mac;
  IpAddress target_ip = IpAddress::v4(0);

  friend bool operator==(const ArpPacket&, const ArpPacket&) = default;

  // kBadValue unless hardware type 1, protocol 0x0800, lengths 6 and 4 and a known operation.
  static std::expected<ArpPacket, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
};

}  // namespace transom::wire
