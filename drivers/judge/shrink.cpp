#include "drivers/judge/shrink.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::judge {

namespace {

std::vector<Finding> judged(const std::vector<KeptPacket>& packets, const std::vector<std::size_t>& chosen,
                            const JudgeOptions& options) {
  Judge judge(options);
  for (const std::size_t place : chosen) judge.take(packets[place].view());
  judge.end();
  return judge.findings();
}

bool is_between(const PacketView& view, const Finding& finding) {
  const auto is = [&](const IpAddress& address) {
    return address == finding.from.address || address == finding.to.address;
  };
  if (!is(view.source) || !is(view.destination)) return false;
  if (!view.tcp || finding.from.port == Port::kNone) return true;
  const std::pair ports = std::minmax(view.tcp->source_port, view.tcp->destination_port);
  return ports == std::pair(std::minmax(finding.from.port, finding.to.port));
}

}  // namespace

KeptPacket::KeptPacket(const CapturedPacket& kept)
    : packet(kept), octets(kept.octets.begin(), kept.octets.end()) {
  packet.octets = {};
}

CapturedPacket KeptPacket::view() const {
  CapturedPacket view = packet;
  view.octets = octets;
  return view;
}

Signature Signature::of(const Finding& finding) {
  return {.rule = finding.rule, .verdict = finding.verdict, .from = finding.from, .state = finding.state};
}

bool Signature::is_in(const std::vector<Finding>& findings) const {
  return std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.rule == rule && finding.verdict == verdict && finding.from == from &&
           finding.state == state;
  });
}

std::vector<std::size_t> minimise(std::vector<std::size_t> all,
                                  const std::function<bool(const std::vector<std::size_t>&)>& still_shows) {
  std::size_t piece = std::max<std::size_t>(all.size() / 2, 1);
  while (!all.empty()) {
    bool has_shrunk = false;
    for (std::size_t at = 0; at < all.size();) {
      std::vector<std::size_t> without = all;
      const auto begin = without.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t size = std::min(piece, all.size() - at);
      without.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (still_shows(without)) {
        all = std::move(without);
        has_shrunk = true;
      } else {
        at += size;
      }
    }
    if (piece == 1 && !has_shrunk) break;
    piece = std::max<std::size_t>(piece / 2, 1);
  }
  return all;
}

std::vector<std::size_t> shrink(const std::vector<KeptPacket>& packets, const Signature& wanted,
                                const JudgeOptions& options, std::size_t tries) {
  const auto shows = [&](const std::vector<std::size_t>& chosen) {
    if (tries == 0) return false;
    --tries;
    return wanted.is_in(judged(packets, chosen, options));
  };
  std::vector<std::size_t> chosen(packets.size());
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = i;
  const std::vector<Finding> findings = judged(packets, chosen, options);
  if (!wanted.is_in(findings)) return {};
  for (const Finding& finding : findings) {
    if (!wanted.is_in({finding})) continue;
    std::vector<std::size_t> of_connection;
    for (const std::size_t place : chosen) {
      const auto view = PacketView::parse(packets[place].view());
      if (view && is_between(*view, finding)) of_connection.push_back(place);
    }
    if (shows(of_connection)) {
      chosen = std::move(of_connection);
      break;
    }
  }
  return minimise(std::move(chosen), shows);
}

std::string as_test_case(const std::vector<KeptPacket>& packets, const std::vector<std::size_t>& chosen,
                         const Signature& wanted) {
  std::string name;
  bool is_start = true;
  for (const char letter : wanted.rule->id) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    if (is_word)
      name += is_start ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
    is_start = !is_word;
  }
  std::string text = fmt::format(
      "#include <gtest/gtest.h>\n\n#include \"drivers/judge/judge.h\"\n\n// {} [{}]\nTEST(Judged, {}) {{\n"
      "  using namespace transom::drivers;\n  struct Packet {{\n    std::int64_t time_ns;\n    LinkType "
      "link_type;\n"
      "    std::vector<std::uint8_t> octets;\n  }};\n  const std::vector<Packet> packets{{\n",
      wanted.rule->title, wanted.rule->section, name);
  for (const std::size_t place : chosen) {
    const KeptPacket& packet = packets[place];
    text += fmt::format("      {{{}, LinkType{{{}}}, {{", packet.packet.time.count(),
                        static_cast<unsigned>(packet.packet.link_type));
    for (std::size_t i = 0; i < packet.octets.size(); ++i)
      text += fmt::format("{}{:#04x}", i == 0 ? "" : i % 16 == 0 ? ",\n        " : ", ", packet.octets[i]);
    text += "}},\n";
  }
  text += fmt::format(
      "  }};\n  judge::Judge judge;\n  std::uint64_t number = 0;\n  for (const Packet& packet : packets) {{\n"
      "    CapturedPacket captured;\n    captured.number = ++number;\n    captured.time = "
      "transom::Duration(packet.time_ns);\n"
      "    captured.link_type = packet.link_type;\n    captured.octets = packet.octets;\n"
      "    captured.original_length = static_cast<std::uint32_t>(packet.octets.size());\n    "
      "judge.take(captured);\n"
      "  }}\n  judge.end();\n  bool is_found = false;\n  for (const auto& finding : judge.findings())\n"
      "    is_found = is_found || finding.rule->id == \"{}\";\n  EXPECT_TRUE(is_found);\n}}\n",
      wanted.rule->id);
  return text;
}

}  // namespace transom::drivers::judge
