#include "tools/golden_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/protocol_name.h"

namespace transom::tools {

using drivers::replay::PacketRecord;
using nlohmann::ordered_json;

namespace {

constexpr std::array<std::string_view, 7> kMaskNames{"time",   "isn",     "ports",         "addresses",
                                                     "octets", "windows", "identification"};
constexpr std::size_t kMaxFlows = 1 << 20;
constexpr std::string_view kFlagLetters = "SFRPUEW.";  // tcpdump's

std::array<bool, 8> flag_list(const wire::TcpFlags& flags) {
  return {flags.syn, flags.fin, flags.rst, flags.psh, flags.urg, flags.ece, flags.cwr, flags.ack};
}

std::string flag_text(const wire::TcpFlags& flags) {
  std::string text;
  const auto list = flag_list(flags);
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i]) text += kFlagLetters[i];
  return text;
}

std::string endpoint_text(const Endpoint& endpoint, const Masks& masked) {
  const bool hides_port = masked.contains("ports") || endpoint.port == Port::kNone;
  if (masked.contains("addresses")) return hides_port ? "" : fmt::format(":{}", to_number(endpoint.port));
  return hides_port ? to_string(endpoint.address) : to_string(endpoint);
}

ordered_json to_json(const PacketRecord& packet, std::size_t flow, const Masks& masked) {
  ordered_json line{{"flow", flow}};
  if (!packet.is_ours) line["theirs"] = true;
  if (!masked.contains("time")) line["time"] = packet.time.count();
  if (packet.protocol == IpProtocol::kTcp) {
    line["flags"] = flag_text(packet.flags);
    line["sequence"] = packet.sequence;
    if (packet.flags.ack) line["acknowledgment"] = packet.acknowledgment;
  } else {
    line["protocol"] = static_cast<unsigned>(packet.protocol);
    line["kind"] = packet.kind;
  }
  line["length"] = packet.length;
  if (packet.protocol == IpProtocol::kTcp && !masked.contains("windows")) line["window"] = packet.window;
  if (packet.sack_blocks > 0) line["sack"] = packet.sack_blocks;
  if (packet.maximum_segment_size) line["mss"] = *packet.maximum_segment_size;
  if (packet.window_scale) line["scale"] = *packet.window_scale;
  if (packet.sack_permitted) line["sack_permitted"] = true;
  if (packet.has_timestamps) line["timestamps"] = true;
  if (packet.is_fragment) line["fragment"] = true;
  if (packet.identification && !masked.contains("identification"))
    line["identification"] = *packet.identification;
  if (packet.length > 0 && !masked.contains("octets")) line["octets"] = fmt::format("{:016x}", packet.digest);
  return line;
}

// One line of the file. Every accessor throws BadLine.
class Line {
 public:
  struct BadLine {
    std::string message;
  };

  explicit Line(std::string_view text) : json_(ordered_json::parse(text, nullptr, false)) {
    if (!json_.is_object()) throw BadLine{"this is no JSON object"};
  }
  bool has(const char* key) const { return json_.contains(key); }
  template <typename Number>
  Number number(const char* key) const {
    const ordered_json& value = get(key);
    if (!value.is_number_integer()) throw BadLine{fmt::format("'{}' is no whole number", key)};
    const auto is_negative = !value.is_number_unsigned() && value.get<std::int64_t>() < 0;
    const bool fits = is_negative ? std::in_range<Number>(value.get<std::int64_t>())
                                  : std::in_range<Number>(value.get<std::uint64_t>());
    if (!fits) throw BadLine{fmt::format("'{}' is out of range", key)};
    return is_negative ? static_cast<Number>(value.get<std::int64_t>())
                       : static_cast<Number>(value.get<std::uint64_t>());
  }
  template <typename Number>
  Number number_or(const char* key, Number otherwise) const {
    return has(key) ? number<Number>(key) : otherwise;
  }
  bool truth(const char* key) const {
    if (!has(key)) return false;
    if (!json_[key].is_boolean()) throw BadLine{fmt::format("'{}' is neither true nor false", key)};
    return json_[key].get<bool>();
  }
  std::string text(const char* key) const {
    const ordered_json& value = get(key);
    if (!value.is_string()) throw BadLine{fmt::format("'{}' is no text", key)};
    return value.get<std::string>();
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> found;
    if (!has(key)) return found;
    if (!json_[key].is_array()) throw BadLine{fmt::format("'{}' is no array", key)};
    for (const auto& entry : json_[key]) {
      if (!entry.is_string()) throw BadLine{fmt::format("'{}' holds what is no text", key)};
      found.push_back(entry.get<std::string>());
    }
    return found;
  }

 private:
  const ordered_json& get(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) throw BadLine{fmt::format("there is no '{}'", key)};
    return *found;
  }

  ordered_json json_;
};

wire::TcpFlags parse_flags(const std::string& text) {
  for (const char letter : text)
    if (kFlagLetters.find(letter) == std::string_view::npos)
      throw Line::BadLine{fmt::format("flags '{}': there are {}", text, kFlagLetters)};
  const auto has = [&](std::size_t i) { return text.find(kFlagLetters[i]) != std::string::npos; };
  wire::TcpFlags flags;
  flags.syn = has(0);
  flags.fin = has(1);
  flags.rst = has(2);
  flags.psh = has(3);
  flags.urg = has(4);
  flags.ece = has(5);
  flags.cwr = has(6);
  flags.ack = has(7);
  return flags;
}

PacketRecord parse_packet(const Line& line) {
  constexpr std::int64_t kFarthest = std::int64_t{1} << 56;
  const auto offset = [&](const char* key) {
    const auto value = line.number<std::int64_t>(key);
    if (value < -kFarthest || value > kFarthest)
      throw Line::BadLine{fmt::format("'{}' is out of range", key)};
    return value;
  };
  PacketRecord packet;
  packet.is_ours = !line.truth("theirs");
  packet.time = Duration(line.number_or<std::int64_t>("time", 0));
  if (line.has("flags")) {
    packet.protocol = IpProtocol::kTcp;
    packet.flags = parse_flags(line.text("flags"));
    packet.sequence = offset("sequence");
    if (packet.flags.ack) packet.acknowledgment = offset("acknowledgment");
  } else {
    packet.protocol = static_cast<IpProtocol>(line.number<std::uint8_t>("protocol"));
    packet.kind = line.number<std::uint16_t>("kind");
  }
  packet.length = line.number<std::uint32_t>("length");
  packet.window = line.number_or<std::uint32_t>("window", 0);
  packet.sack_blocks = line.number_or<std::uint8_t>("sack", 0);
  if (line.has("mss")) packet.maximum_segment_size = line.number<std::uint16_t>("mss");
  if (line.has("scale")) packet.window_scale = line.number<std::uint8_t>("scale");
  packet.sack_permitted = line.truth("sack_permitted");
  packet.has_timestamps = line.truth("timestamps");
  packet.is_fragment = line.truth("fragment");
  if (line.has("identification")) packet.identification = line.number<std::uint32_t>("identification");
  if (line.has("octets")) {
    const std::string digits = line.text("octets");
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), packet.digest, 16);
    if (error != std::errc() || end != digits.data() + digits.size())
      throw Line::BadLine{fmt::format("octets '{}': sixteen hexadecimal digits", digits)};
  }
  return packet;
}

// Masked fields are the same in every record.
PacketRecord masked_packet(PacketRecord packet, const Masks& masked) {
  if (masked.contains("time")) packet.time = {};
  if (masked.contains("octets") || packet.length == 0) packet.digest = 0;
  if (masked.contains("windows") || packet.protocol != IpProtocol::kTcp) packet.window = 0;
  if (masked.contains("identification")) packet.identification.reset();
  packet.is_whole = true;
  packet.number = 0;
  return packet;
}

void parse_line(GoldenRecord& record, std::string_view text, bool is_first) {
  const Line line(text);
  if (is_first) {
    if (line.number<int>("golden") != 1) throw Line::BadLine{"this version of the format is not known"};
    record.role = line.text("role");
    for (const std::string& name : line.texts("masked")) {
      const auto masks = parse_masks(name);
      if (!masks) throw Line::BadLine{masks.error()};
      record.masked.insert(masks->begin(), masks->end());
    }
    return;
  }
  const auto flow = line.number<std::size_t>("flow");
  if (line.has("verdict")) {
    if (flow != record.flows.size() || flow >= kMaxFlows)
      throw Line::BadLine{fmt::format("flow {} should be {}", flow, record.flows.size())};
    GoldenFlow& added = record.flows.emplace_back();
    added.protocol = line.text("protocol");
    added.ours = line.text("ours");
    added.theirs = line.text("theirs");
    added.verdict = line.text("verdict");
    if (line.has("isn") && !record.masked.contains("isn")) added.initial = line.number<std::uint32_t>("isn");
    added.read = line.number_or<std::uint64_t>("read", 0);
    added.octets_are_equal = line.truth("equal");
    if (line.has("stall")) added.stall = line.text("stall");
    added.findings = line.texts("findings");
    return;
  }
  if (record.flows.empty() || flow + 1 != record.flows.size())
    throw Line::BadLine{"a packet of a flow that has no line before it"};
  const PacketRecord packet = masked_packet(parse_packet(line), record.masked);
  GoldenFlow& last = record.flows.back();
  (packet.is_ours ? last.packets : last.theirs_sent).push_back(packet);
}

}  // namespace

Masks standard_masks(std::string_view role) {
  Masks masks{"time", "isn", "ports"};
  if (!role.starts_with("feed")) masks.emplace("identification");
  return masks;
}

std::expected<Masks, std::string> parse_masks(std::string_view names) {
  Masks masks;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (std::ranges::find(kMaskNames, name) == kMaskNames.end())
      return std::unexpected(
          fmt::format("'{}' cannot be masked; there are {}", name, fmt::join(kMaskNames, ", ")));
    masks.emplace(name);
  }
  return masks;
}

GoldenRecord GoldenRecord::of(std::string role, std::span<const drivers::replay::FlowReport> flows,
                              Masks masked) {
  GoldenRecord record{std::move(role), std::move(masked), {}};
  for (const auto& flow : flows) {
    GoldenFlow& added = record.flows.emplace_back();
    added.protocol = protocol_name(flow.flow.protocol);
    added.ours = endpoint_text(flow.flow.ends[flow.ours], record.masked);
    added.theirs = endpoint_text(flow.flow.ends[1 - flow.ours], record.masked);
    if (!record.masked.contains("isn") && flow.initial) added.initial = flow.initial->value();
    added.verdict = to_string(flow.likeness());
    added.read = flow.tcp.received.length(drivers::replay::StreamCheck::Side::kActual);
    added.octets_are_equal = flow.octets_are_equal();
    added.stall = flow.tcp.stall;
    for (const auto& finding : flow.findings) added.findings.emplace_back(finding.rule->id);
    const auto keep = [&](const drivers::replay::Comparison& sent, bool is_ours,
                          std::vector<PacketRecord>& packets) {
      for (const auto& rung : sent.rungs) {
        if (!rung.actual) continue;
        packets.push_back(masked_packet(*rung.actual, record.masked));
        packets.back().is_ours = is_ours;
      }
    };
    keep(flow.comparison, true, added.packets);
    if (flow.peer) keep(*flow.peer, false, added.theirs_sent);
  }
  return record;
}

std::expected<GoldenRecord, GoldenError> GoldenRecord::parse(std::string_view text) {
  GoldenRecord record;
  for (std::size_t number = 1; !text.empty() || number == 1; ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    try {
      parse_line(record, line, number == 1);
    } catch (const Line::BadLine& bad) {
      return std::unexpected(GoldenError{number, bad.message});
    }
  }
  return record;
}

std::string GoldenRecord::text() const {
  std::string text = ordered_json{{"golden", 1}, {"role", role}, {"masked", masked}}.dump() + "\n";
  for (std::size_t number = 0; number < flows.size(); ++number) {
    const GoldenFlow& flow = flows[number];
    ordered_json line{{"flow", number},
                      {"protocol", flow.protocol},
                      {"ours", flow.ours},
                      {"theirs", flow.theirs},
                      {"verdict", flow.verdict}};
    if (flow.initial) line["isn"] = *flow.initial;
    line["read"] = flow.read;
    line["equal"] = flow.octets_are_equal;
    if (!flow.stall.empty()) line["stall"] = flow.stall;
    if (!flow.findings.empty()) line["findings"] = flow.findings;
    text += line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    for (const auto* const packets : {&flow.packets, &flow.theirs_sent})
      for (const PacketRecord& packet : *packets) text += to_json(packet, number, masked).dump() + "\n";
  }
  return text;
}

}  // namespace transom::tools
