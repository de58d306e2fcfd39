#include "drivers/capture/text/hex_text.h"

#include <fmt/format.h>

namespace transom::drivers {

namespace {
bool is_graphic(std::uint8_t octet) { return octet > 0x20 && octet < 0x7f; }
}  // namespace

std::string hex_text(Bytes octets, bool with_characters) {
  constexpr std::size_t kLine = 16;
  constexpr std::size_t kHexWidth = kLine / 2 * 5;  // " 4500" for two octets
  std::string text;
  for (std::size_t start = 0; start < octets.size(); start += kLine) {
    const Bytes line = octets.subspan(start, std::min(kLine, octets.size() - start));
    std::string hex, characters;
    for (std::size_t i = 0; i < line.size(); ++i) {
      hex += fmt::format("{}{:02x}", i % 2 == 0 ? " " : "", line[i]);
      characters += is_graphic(line[i]) ? static_cast<char>(line[i]) : '.';
    }
    text += fmt::format("\n\t0x{:04x}: ", start);
    if (with_characters)
      text += fmt::format("{:<{}}  {}", hex, kHexWidth, characters);
    else
      text += hex;
  }
  return text;
}

std::string character_text(Bytes octets) {
  std::string text = "\n";
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const std::uint8_t octet = octets[i];
    // A carriage return is left out before a line end and at the end, where it says nothing.
    if (octet == '\r' && (i + 1 == octets.size() || octets[i + 1] == '\n')) continue;
    text +=
        octet == '\n' || octet == '\t' || octet == ' ' || is_graphic(octet) ? static_cast<char>(octet) : '.';
  }
  return text;
}

}  // namespace transom::drivers
