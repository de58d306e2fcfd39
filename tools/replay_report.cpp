#include "tools/replay_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace transom::tools {

using drivers::replay::Difference;
using drivers::replay::FlowReport;
using drivers::replay::Likeness;
using drivers::replay::PacketRecord;
using drivers::replay::Rung;
using drivers::replay::Scene;
using drivers::replay::StreamCheck;
using nlohmann::json;

namespace {

constexpr std::size_t kColumn = 52;
constexpr std::size_t kMaxLines = 400;  // of one ladder on a terminal

std::string_view protocol_name(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return "TCP";
    case IpProtocol::kUdp:
      return "UDP";
    case IpProtocol::kIcmp:
      return "ICMP";
    case IpProtocol::kIcmpv6:
      return "ICMPv6";
    default:
      return "IP";
  }
}

std::string remark_of(const Rung& rung) {
  std::string text;
  for (const Difference* difference : rung.differences) {
    if (difference->verdict != rung.likeness()) continue;
    if (!text.empty()) text += ", ";
    text += difference->id;
  }
  return text;
}

char sign_of(const LadderLine& line) {
  if (line.recorded.empty()) return '+';
  if (line.actual.empty()) return '-';
  return line.likeness == Likeness::kSame ? ' ' : '~';
}

void print_line(const LadderLine& line) {
  const std::string_view arrow = line.is_ours ? ">" : "<";
  const auto column = [&](const std::string& text) {
    return text.empty() ? std::string() : fmt::format("{} {}", arrow, text);
  };
  const std::string number = line.number == 0 ? "" : fmt::format("{}", line.number);
  std::string text = fmt::format(
      " {} {:>6}  {:<{}} {:<{}} {}", sign_of(line), number, column(line.recorded), kColumn,
      column(line.actual), kColumn,
      line.likeness == Likeness::kSame ? "" : fmt::format("{}: {}", to_string(line.likeness), line.remark));
  text.erase(text.find_last_not_of(' ') + 1);
  fmt::print("{}\n", text);
}

void print_ladder(const FlowReport& flow, std::optional<std::size_t> context) {
  const std::vector<LadderLine> lines = ladder_of(flow);
  std::vector<bool> shown(lines.size(), !context);
  for (std::size_t i = 0; context && i < lines.size(); ++i) {
    if (lines[i].likeness < Likeness::kUnknown) continue;
    for (std::size_t j = i - std::min(i, *context); j < lines.size() && j <= i + *context; ++j)
      shown[j] = true;
  }
  std::size_t printed = 0;
  bool was_left_out = false;
  for (std::size_t i = 0; i < lines.size() && printed < kMaxLines; ++i) {
    if (!shown[i]) {
      was_left_out = true;
      continue;
    }
    if (printed == 0)
      fmt::print("           {:<{}} {}\n", "recorded", kColumn, "actual");
    else if (was_left_out)
      fmt::print("       ...\n");
    was_left_out = false;
    print_line(lines[i]);
    ++printed;
  }
  if (printed == kMaxLines) fmt::print("       ... (--html shows all)\n");
}

void print_flow(const FlowReport& flow, std::optional<std::size_t> context) {
  fmt::print("{}: {}\n", title_of(flow), to_string(flow.likeness()));
  if (flow.is_tcp && !flow.tcp.is_playable) {
    fmt::print("  unknown    its handshake is not in the capture: no stack can take part\n");
    return;
  }
  std::size_t recorded = 0, actual = 0;
  for (const Rung& rung : flow.comparison.rungs) {
    recorded += rung.recorded ? 1 : 0;
    actual += rung.actual ? 1 : 0;
  }
  fmt::print("  got {} packets; sent {} (recorded {}), {} the same", flow.theirs.size(), actual, recorded,
             flow.comparison.same);
  if (flow.is_tcp) {
    const StreamCheck& received = flow.tcp.received;
    fmt::print("; octets read: {} ({} of {})", flow.octets_are_equal() ? "equal" : "NOT equal",
               received.compared() - received.different(), received.length(StreamCheck::Side::kRecorded));
  }
  fmt::print("\n");
  if (!flow.tcp.stall.empty()) fmt::print("  stalled    {}\n", flow.tcp.stall);
  if (flow.tcp.error != Error::kNone) fmt::print("  ended      {}\n", to_string(flow.tcp.error));
  if (flow.tcp.partial_acks > 0) {
    fmt::print("  put in     {} acknowledgments, as less was in flight than in the recording\n",
               flow.tcp.partial_acks);
  }
  if (flow.tcp.made_up > 0)
    fmt::print("  made up    {} octets that are not in the capture, as zeros\n", flow.tcp.made_up);
  for (const auto& [difference, count] : flow.comparison.counts)
    fmt::print("  {:<10} {:>6}  {}  [{}]\n", to_string(difference->verdict), count, difference->title,
               difference->section);
  print_ladder(flow, context);
}

json to_json(const PacketRecord& record) {
  return {
      {"number", record.number}, {"time", record.time.count()}, {"text", drivers::replay::describe(record)}};
}

}  // namespace

Likeness ReplayReport::likeness() const {
  Likeness worst = Likeness::kSame;
  for (const FlowReport& flow : flows) worst = std::max(worst, flow.likeness());
  return worst;
}

std::string title_of(const FlowReport& flow) {
  return fmt::format("{} {} (ours) - {}", protocol_name(flow.flow.protocol), flow.flow.ends[flow.ours],
                     flow.flow.ends[1 - flow.ours]);
}

std::vector<LadderLine> ladder_of(const FlowReport& flow) {
  std::vector<LadderLine> lines;
  std::size_t next = 0;  // of theirs
  const auto theirs_before = [&](std::uint64_t number) {
    for (; next < flow.theirs.size() && flow.theirs[next].number < number; ++next) {
      const std::string text = drivers::replay::describe(flow.theirs[next]);
      lines.push_back({flow.theirs[next].number, false, text, text, Likeness::kSame, {}});
    }
  };
  for (const Rung& rung : flow.comparison.rungs) {
    LadderLine line;
    line.is_ours = true;
    line.likeness = rung.likeness();
    line.remark = remark_of(rung);
    if (rung.recorded) {
      theirs_before(rung.recorded->number);
      line.number = rung.recorded->number;
      line.recorded = drivers::replay::describe(*rung.recorded);
    }
    if (rung.actual) line.actual = drivers::replay::describe(*rung.actual);
    lines.push_back(std::move(line));
  }
  theirs_before(UINT64_MAX);
  return lines;
}

void print_text(const ReplayReport& report, std::optional<std::size_t> context) {
  const Scene& scene = *report.scene;
  fmt::print("{}: {} packets, {} flows, role {}\n", report.capture, scene.packets, scene.flows.size(),
             report.role);
  if (scene.super_packets > 0)
    fmt::print("  note       {} super-packets of an offloading device, fed whole\n", scene.super_packets);
  if (report.outcome.vouched > 0) {
    fmt::print(
        "  note       {} packets were captured before their checksum was filled in, and are vouched for\n",
        report.outcome.vouched);
  }
  if (scene.cut > 0) fmt::print("  note       {} packets are cut by the snap length\n", scene.cut);
  if (report.outcome.between_others > 0)
    fmt::print("  note       {} packets concern none of our ends\n", report.outcome.between_others);
  for (const FlowReport& flow : report.flows) print_flow(flow, context);
  fmt::print("fed {} packets, {} came back, {:.3f} s of virtual time\nverdict: {}\n", report.outcome.fed,
             report.outcome.sent, std::chrono::duration<double>(report.outcome.duration).count(),
             to_string(report.likeness()));
}

json to_json(const ReplayReport& report) {
  json flows = json::array();
  for (const FlowReport& flow : report.flows) {
    json differences = json::array();
    for (const auto& [difference, count] : flow.comparison.counts) {
      differences.push_back({{"id", difference->id},
                             {"verdict", to_string(difference->verdict)},
                             {"rule", difference->section},
                             {"title", difference->title},
                             {"count", count}});
    }
    json rungs = json::array();
    for (const Rung& rung : flow.comparison.rungs) {
      json entry{{"verdict", to_string(rung.likeness())}};
      if (rung.recorded) entry["recorded"] = to_json(*rung.recorded);
      if (rung.actual) entry["actual"] = to_json(*rung.actual);
      for (const Difference* difference : rung.differences) entry["differences"].push_back(difference->id);
      rungs.push_back(std::move(entry));
    }
    flows.push_back({{"protocol", protocol_name(flow.flow.protocol)},
                     {"ours", fmt::format("{}", flow.flow.ends[flow.ours])},
                     {"theirs", fmt::format("{}", flow.flow.ends[1 - flow.ours])},
                     {"verdict", to_string(flow.likeness())},
                     {"octets_equal", flow.octets_are_equal()},
                     {"octets_read", flow.tcp.received.length(StreamCheck::Side::kActual)},
                     {"octets_recorded", flow.tcp.received.length(StreamCheck::Side::kRecorded)},
                     {"stall", flow.tcp.stall},
                     {"partial_acknowledgments", flow.tcp.partial_acks},
                     {"same", flow.comparison.same},
                     {"differences", std::move(differences)},
                     {"packets", std::move(rungs)}});
  }
  return {{"schema", 1},
          {"capture", report.capture},
          {"role", report.role},
          {"packets", report.scene->packets},
          {"fed", report.outcome.fed},
          {"sent", report.outcome.sent},
          {"verdict", to_string(report.likeness())},
          {"flows", std::move(flows)}};
}

}  // namespace transom::tools
