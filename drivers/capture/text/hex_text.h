// The octets of a packet, as tcpdump prints them with -x, -X and -A.
#pragma once

#include <string>

#include "stack/base/bytes.h"

namespace transom::drivers {

// Lines of 16 octets, each begun with a line end, a tab and the offset; -X: with their characters.
std::string hex_text(Bytes octets, bool with_characters);
// One line end, then the characters: those that cannot be printed as '.', line ends as they are.
std::string character_text(Bytes octets);

}  // namespace transom::drivers
