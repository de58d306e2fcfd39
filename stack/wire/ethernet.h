// Ethernet II framing (RFC 894, RFC 2464) with at most one IEEE 802.1Q tag.
//
//   | destination 6 | source 6 | [0x8100 2 | tag control 2] | type 2 | payload ...
#pragma once

#include <expected>
#include <optional>

#include "stack/base/address.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

enum class EtherType : std::uint16_t {
  kIpv4 = 0x0800,
  kArp = 0x0806,
  kVlan = 0x8100,
  kIpv6 = 0x86dd,
};

struct VlanTag {
  std::uint8_t priority = 0;  // 0..7
  bool drop_eligible = false;
  std::uint16_t id = 0;  // 0..4095; 0 is a priority tag

  friend bool operator==(const VlanTag&, const VlanTag&) = default;
};

struct EthernetHeader {
  static constexpr std::size_t kSize = 14;
  static constexpr std::size_t kTagSize = 4;
  static constexpr std::size_t kMinFrame = 60;  // without the frame check sequence

  MacAddress destination;
  MacAddress source;
  std::optional<VlanTag> tag;
  EtherType type{};  // after the tag, if there is one; a second tag is left in place as kVlan

  std::size_t size() const { return kSize + (tag ? kTagSize : 0); }
  friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;

  static std::expected<EthernetHeader, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;
};

MacAddress read_mac(Reader& reader);
void write_mac(Writer& writer, const MacAddress& mac);
// 01:00:5e and the low 23 bits (RFC 1112 §6.4), or 33:33 and the low 32 bits (RFC 2464 §7).
MacAddress multicast_mac(const IpAddress& group);

}  // namespace transom::wire
