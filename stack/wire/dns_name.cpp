#include "stack/wire/dns_name.h"

namespace transom::wire {

namespace {

constexpr std::size_t kMaxName = 253;  // RFC 1035 §2.3.4: 255 octets with lengths and the last empty label
constexpr std::size_t kMaxLabel = 63;

bool is_plain(std::uint8_t octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') ||
         octet == '-' || octet == '_';
}

char lower(std::uint8_t octet) {
  return static_cast<char>(octet >= 'A' && octet <= 'Z' ? octet - 'A' + 'a' : octet);
}

}  // namespace

std::expected<std::string, ParseError> read_dns_name(Bytes octets, std::size_t& position,
                                                     bool may_be_compressed) {
  std::string name;
  std::size_t at = position;
  std::size_t bound = octets.size();  // pointers lead before this
  bool has_jumped = false;
  for (;;) {
    if (at >= octets.size()) return std::unexpected(ParseError::kTruncated);
    const std::size_t length = octets[at];
    if (length >= 0xc0) {
      if (!may_be_compressed) return std::unexpected(ParseError::kBadValue);
      if (at + 1 >= octets.size()) return std::unexpected(ParseError::kTruncated);
      const std::size_t target = (length & 0x3fU) << 8 | octets[at + 1];
      if (!has_jumped) position = at + 2;
      if (target >= std::min(bound, at)) return std::unexpected(ParseError::kBadValue);
      has_jumped = true;
      at = bound = target;
      continue;
    }
    if (length > kMaxLabel) return std::unexpected(ParseError::kBadValue);
    if (length == 0) break;
    if (length > octets.size() - at - 1) return std::unexpected(ParseError::kTruncated);
    if (!name.empty()) name += '.';
    if (name.size() + length > kMaxName) return std::unexpected(ParseError::kBadLength);
    for (const std::uint8_t octet : octets.subspan(at + 1, length)) {
      if (!is_plain(octet)) return std::unexpected(ParseError::kBadValue);
      name += lower(octet);
    }
    at += 1 + length;
  }
  if (!has_jumped) position = at + 1;
  if (name.empty()) return std::unexpected(ParseError::kBadValue);
  return name;
}

void write_dns_name(Writer& writer, std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    writer.u8(static_cast<std::uint8_t>(label.size()));
    for (const char c : label) writer.u8(static_cast<std::uint8_t>(c));
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  writer.u8(0);
}

}  // namespace transom::wire
