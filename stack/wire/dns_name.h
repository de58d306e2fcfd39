// Domain names as the DNS writes them (RFC 1035 §3.1, §4.1.4): labels, each behind its length, ended by an
// empty one. Options of DHCP and router advertisements use the same.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "stack/wire/cursor.h"

namespace transom::wire {

// The name that starts at `position` of `octets`, which is moved behind it: "example.org", in lower case,
// without a dot at its end. Labels of letters, digits, hyphens and underscores only; anything else would be
// trouble for who prints it or looks it up. With `may_be_compressed`, a pointer is followed when it leads
// back to before the place where it stands, each one further than the last.
std::expected<std::string, ParseError> read_dns_name(Bytes octets, std::size_t& position,
                                                     bool may_be_compressed);

// Uncompressed. `name` is one that read_dns_name() may give.
void write_dns_name(Writer& writer, std::string_view name);
inline std::size_t dns_name_size(std::string_view name) { return name.size() + 2; }

}  // namespace transom::wire
