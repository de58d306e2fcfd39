#include "tools/replay_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tools/junit.h"
#include "tools/protocol_name.h"

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

void print_findings(const std::vector<drivers::judge::Finding>& findings) {
  for (const drivers::judge::Finding& finding : findings) {
    fmt::print("  {:<10} packet {} of what happened, {}: {}  [{}]\n", to_string(finding.verdict),
               finding.frame, finding.from, finding.text, finding.rule->section);
  }
}

json to_json(const drivers::judge::Finding& finding) {
  return {
      {"rule", finding.rule->id}, {"section", finding.rule->section}, {"verdict", to_string(finding.verdict)},
      {"packet", finding.frame},  {"from", to_string(finding.from)},  {"text", finding.text}};
}

json to_json(const std::vector<drivers::judge::Finding>& findings) {
  json all = json::array();
  for (const drivers::judge::Finding& finding : findings) all.push_back(to_json(finding));
  return all;
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
  print_findings(flow.findings);
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
                     {"findings", to_json(flow.findings)},
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

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string flow_html(const FlowReport& flow) {
  std::string html = fmt::format("<h2>{}: <span class=\"{}\">{}</span></h2>\n<ul>\n", escaped(title_of(flow)),
                                 to_string(flow.likeness()), to_string(flow.likeness()));
  if (flow.is_tcp)
    html += fmt::format("<li>octets read: {}</li>\n", flow.octets_are_equal() ? "equal" : "NOT equal");
  if (!flow.tcp.stall.empty()) html += fmt::format("<li>stalled: {}</li>\n", escaped(flow.tcp.stall));
  for (const auto& [difference, count] : flow.comparison.counts) {
    html += fmt::format("<li><b class=\"{0}\">{0}</b> {1} &times; {2} <i>{3}</i></li>\n",
                        to_string(difference->verdict), count, escaped(difference->title),
                        escaped(difference->section));
  }
  for (const drivers::judge::Finding& finding : flow.findings) {
    html += fmt::format("<li><b class=\"{0}\">{0}</b> {1} <i>{2}</i></li>\n", to_string(finding.verdict),
                        escaped(finding.text), escaped(finding.rule->section));
  }
  html += "</ul>\n<table><tr><th>packet</th><th>recorded</th><th>actual</th><th></th></tr>\n";
  for (const LadderLine& line : ladder_of(flow)) {
    const std::string arrow = line.is_ours ? "&rarr; " : "&larr; ";
    const auto cell = [&](const std::string& text) { return text.empty() ? text : arrow + escaped(text); };
    html += fmt::format("<tr class=\"{}{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        line.is_ours ? "ours " : "", to_string(line.likeness),
                        line.number == 0 ? "" : fmt::format("{}", line.number), cell(line.recorded),
                        cell(line.actual), escaped(line.remark));
  }
  return html + "</table>\n";
}

}  // namespace

std::string to_html(const ReplayReport& report) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>replay of {0}</title><style>\n"
      "body{{font:14px sans-serif;margin:2em}} table{{border-collapse:collapse;font:12px monospace}}\n"
      "td,th{{padding:1px 10px;text-align:left;border-bottom:1px solid #eee;white-space:nowrap}}\n"
      "tr.ours{{background:#f6f9ff}} tr.legal td{{color:#664d03}} tr.unknown td{{color:#5a189a}}\n"
      "tr.violation td{{background:#fde2e1;color:#842029}} .violation{{color:#b02a37}} "
      ".same{{color:#146c43}}\n"
      ".legal{{color:#664d03}} .unknown{{color:#5a189a}}\n"
      "</style></head><body>\n<h1>{0}: <span class=\"{1}\">{1}</span></h1>\n<p>{2}; {3} packets, {4} fed, "
      "{5} came "
      "back</p>\n",
      escaped(report.capture), to_string(report.likeness()), escaped(report.role), report.scene->packets,
      report.outcome.fed, report.outcome.sent);
  for (const FlowReport& flow : report.flows) html += flow_html(flow);
  return html + "</body></html>\n";
}

std::string as_junit(const ReplayReport& report, Likeness bar) {
  JunitSuite suite{.name = report.capture};
  for (const FlowReport& flow : report.flows) {
    JunitCase& test = suite.cases.emplace_back(JunitCase{.classname = report.role, .name = title_of(flow)});
    if (flow.likeness() < bar) continue;
    JunitCase::Failure& failure = test.failure.emplace(std::string(to_string(flow.likeness())));
    for (const auto& [difference, count] : flow.comparison.counts) {
      if (difference->verdict >= bar)
        failure.text += fmt::format("{}: {} x {} [{}]\n", to_string(difference->verdict), count,
                                    difference->title, difference->section);
    }
    for (const drivers::judge::Finding& finding : flow.findings)
      failure.text +=
          fmt::format("{}: {} [{}]\n", to_string(finding.verdict), finding.text, finding.rule->section);
    if (!flow.octets_are_equal()) failure.text += "the octets that the application read are not equal\n";
    if (!flow.tcp.stall.empty()) failure.text += flow.tcp.stall + "\n";
  }
  return to_junit("transom replay", {suite});
}

Likeness likeness_of(const std::optional<drivers::judge::Verdict>& verdict) {
  if (!verdict) return Likeness::kSame;
  return *verdict == drivers::judge::Verdict::kViolation ? Likeness::kViolation
         : *verdict == drivers::judge::Verdict::kUnknown ? Likeness::kUnknown
                                                         : Likeness::kLegal;
}

void print_judgement(const std::string& capture, const drivers::judge::Judge& judge) {
  fmt::print("{}: {} packets, {} connections, role observe\n", capture, judge.counts().packets,
             judge.counts().connections);
  for (const drivers::judge::Finding& finding : judge.findings()) {
    fmt::print("  {:<10} packet {}, {}: {}  [{}]\n", to_string(finding.verdict), finding.frame, finding.from,
               finding.text, finding.rule->section);
  }
  fmt::print("verdict: {}\n", judge.worst() ? to_string(*judge.worst()) : "nothing found");
}

json judgement_to_json(const std::string& capture, const drivers::judge::Judge& judge) {
  return {{"schema", 1},
          {"capture", capture},
          {"role", "observe"},
          {"packets", judge.counts().packets},
          {"connections", judge.counts().connections},
          {"verdict", judge.worst() ? to_string(*judge.worst()) : "nothing found"},
          {"findings", to_json(judge.findings())}};
}

}  // namespace transom::tools
