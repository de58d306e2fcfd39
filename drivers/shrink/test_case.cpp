#include "drivers/shrink/test_case.h"

#include <fmt/format.h>

#include <cctype>

namespace transom::drivers {

namespace {

std::string camel_case(const std::string& words) {
  std::string name;
  bool is_start = true;
  for (const char letter : words) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    if (is_word)
      name += is_start ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
    is_start = !is_word;
  }
  return name;
}

std::string as_literal(const CapturedPacket& packet) {
  std::string text = fmt::format("      {{{}, transom::Duration({}), LinkType{{{}}}, {{", packet.number,
                                 packet.time.count(), static_cast<unsigned>(packet.link_type));
  for (std::size_t i = 0; i < packet.octets.size(); ++i)
    text += fmt::format("{}{:#04x}", i == 0 ? "" : i % 16 == 0 ? ",\n        " : ", ", packet.octets[i]);
  return text + (packet.is_cut() ? fmt::format("}}, {}}},\n", packet.original_length) : "}},\n");
}

}  // namespace

std::string to_source(const TestCase& test, std::span<const KeptPacket> packets) {
  std::string text = fmt::format(
      "// clang-format off\n// {}\n// Made by transom shrink.\n#include <gtest/gtest.h>\n\n#include "
      "\"{}\"\n\nTEST(Shrunk, {}) {{\n  using namespace transom::drivers;\n"
      "  const std::vector<KeptPacket> packets{{\n",
      test.comment, test.header, camel_case(test.name));
  for (const KeptPacket& kept : packets) text += as_literal(kept.packet());
  return text + "  };\n" + test.body + "}\n";
}

}  // namespace transom::drivers
