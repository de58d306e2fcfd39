#include "tools/replay_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tools/junit.h"
#include "tools/protocol_name.h"

namespace transom::tools {

using drivers::judge::Finding;
using drivers::replay::Comparison;
using drivers::replay::Difference;
using drivers::replay::FlowReport;
using drivers::replay::Likeness;
using drivers::replay::likeness_of;
using drivers::replay::PacketRecord;
using drivers::replay::Rung;
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

void print_findings(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    fmt::print("  {:<10} packet {} of what happened, {}: {}  [{}]\n", to_string(finding.verdict),
               finding.frame, finding.from, finding.text, finding.rule->section);
  }
}

json to_json(const Finding& finding) {
  return {
      {"rule", finding.rule->id}, {"section", finding.rule->section}, {"verdict", to_string(finding.verdict)},
      {"packet", finding.frame},  {"from", to_string(finding.from)},  {"text", finding.text}};
}

json to_json(const std::vector<Finding>& findings) {
  json all = json::array();
  for (const Finding& finding : findings) all.push_back(to_json(finding));
  return all;
}

// How many packets an end sent, then and now.
std::string count_of(const Comparison& sent) {
  std::size_t recorded = sent.left_out, actual = sent.left_out;
  for (const Rung& rung : sent.rungs) {
    recorded += rung.recorded ? 1 : 0;
    actual += rung.actual ? 1 : 0;
  }
  return fmt::format("{} (recorded {}), {} the same", actual, recorded, sent.same + sent.left_out);
}

void print_flow(const FlowReport& flow, std::optional<std::size_t> context) {
  fmt::print("{}: {}\n", title_of(flow), to_string(flow.likeness()));
  if (flow.is_tcp && !flow.tcp.is_playable) {
    fmt::print("  unknown    its handshake is not in the capture: no stack can take part\n");
    return;
  }
  if (flow.peer) {
    fmt::print("  sent {}; the peer sent {}", count_of(flow.comparison), count_of(*flow.peer));
  } else {
    fmt::print("  got {} packets; sent {}", flow.theirs.size(), count_of(flow.comparison));
  }
  if (flow.is_tcp && flow.tcp.received.length(StreamCheck::Side::kRecorded) > 0) {
    const StreamCheck& received = flow.tcp.received;
    fmt::print("; octets read: {} ({} of {})", flow.octets_are_equal() ? "equal" : "NOT equal",
               received.compared() - received.different(), received.length(StreamCheck::Side::kRecorded));
  }
  fmt::print("\n");
  for (const std::string& note : flow.notes) fmt::print("  {}\n", note);
  if (!flow.tcp.stall.empty()) fmt::print("  stalled    {}\n", flow.tcp.stall);
  if (flow.tcp.error != Error::kNone) fmt::print("  ended      {}\n", to_string(flow.tcp.error));
  if (flow.tcp.partial_acks > 0) {
    fmt::print("  put in     {} acknowledgments, as less was in flight than in the recording\n",
               flow.tcp.partial_acks);
  }
  if (flow.tcp.made_up > 0)
    fmt::print("  made up    {} octets that are not in the capture, as zeros\n", flow.tcp.made_up);
  for (const auto& [difference, count] : differences_of(flow))
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
  for (const Finding& finding : others) worst = std::max(worst, likeness_of(finding.verdict));
  if (waiting > 0) worst = Likeness::kViolation;
  return worst;
}

std::string title_of(const FlowReport& flow) {
  return fmt::format("{} {} (ours) - {}", protocol_name(flow.flow.protocol), flow.flow.ends[flow.ours],
                     flow.flow.ends[1 - flow.ours]);
}

namespace {

// The lines of one end.
class Column {
 public:
  Column(const FlowReport& flow, const std::vector<Rung>& rungs, bool is_ours) {
    std::map<std::uint64_t, const Finding*> found;  // by frame, the worst
    for (const Finding& finding : flow.findings) {
      const bool is_of_ours = finding.from == flow.flow.ends[flow.ours];
      const Finding*& worst = found[finding.frame];
      if (is_of_ours == is_ours && (worst == nullptr || worst->verdict < finding.verdict)) worst = &finding;
    }
    std::uint64_t recorded = 0;
    for (const Rung& rung : rungs) {
      LadderLine line{.is_ours = is_ours, .likeness = rung.likeness(), .remark = remark_of(rung)};
      if (rung.recorded) {
        line.number = recorded = rung.recorded->number;
        line.recorded = drivers::replay::describe(*rung.recorded);
      }
      if (rung.actual) {
        line.actual = drivers::replay::describe(*rung.actual);
        const auto finding = found.find(rung.actual->number);
        if (finding != found.end() && finding->second != nullptr) add(line, *finding->second);
      }
      lines_.push_back({recorded, rung.actual ? rung.actual->number : 0, std::move(line)});
    }
  }
  // Of packets that were fed as they had been recorded.
  explicit Column(const std::vector<PacketRecord>& fed) {
    for (const PacketRecord& record : fed) {
      const std::string text = drivers::replay::describe(record);
      lines_.push_back({record.number, 0, {record.number, false, text, text, Likeness::kSame, {}}});
    }
  }

  // Each in its own order; beside each other as they were recorded, or else as they happened.
  static std::vector<LadderLine> merge(Column a, Column b) {
    std::vector<LadderLine> lines;
    std::size_t i = 0, j = 0;
    while (i < a.lines_.size() || j < b.lines_.size()) {
      const bool is_first =
          j == b.lines_.size() || (i < a.lines_.size() && a.lines_[i].comes_before(b.lines_[j]));
      lines.push_back(std::move(is_first ? a.lines_[i++].line : b.lines_[j++].line));
    }
    return lines;
  }

 private:
  struct Line {
    std::uint64_t place = 0;   // number of what was recorded last
    std::uint64_t actual = 0;  // in what happened; 0: is not in it, or that is not known
    LadderLine line{};

    bool comes_before(const Line& other) const {
      if (line.number > 0 && other.line.number > 0) return line.number < other.line.number;
      if (actual > 0 && other.actual > 0) return actual < other.actual;
      return place < other.place;
    }
  };

  static void add(LadderLine& line, const Finding& finding) {
    if (likeness_of(finding.verdict) < line.likeness) return;
    line.likeness = likeness_of(finding.verdict);
    line.remark += fmt::format("{}{}", line.remark.empty() ? "" : ", ", finding.rule->id);
  }

  std::vector<Line> lines_;
};

}  // namespace

std::vector<LadderLine> ladder_of(const FlowReport& flow) {
  return Column::merge(Column(flow, flow.comparison.rungs, true),
                       flow.peer ? Column(flow, flow.peer->rungs, false) : Column(flow.theirs));
}

std::vector<DifferenceCount> differences_of(const FlowReport& flow) {
  std::map<const Difference*, std::uint64_t> counts = flow.comparison.counts;
  if (flow.peer)
    for (const auto& [difference, count] : flow.peer->counts) counts[difference] += count;
  std::vector<DifferenceCount> all(counts.begin(), counts.end());
  std::ranges::sort(all, [](const DifferenceCount& a, const DifferenceCount& b) {
    return std::pair(b.first->verdict, a.first->id) < std::pair(a.first->verdict, b.first->id);
  });
  return all;
}

void print_text(const ReplayReport& report, std::optional<std::size_t> context) {
  fmt::print("{}: {} packets, {} flows, role {}\n", report.capture, report.packets, report.flows.size(),
             report.role);
  for (const std::string& note : report.notes) fmt::print("  note       {}\n", note);
  constexpr std::size_t kGoodShown = 50;  // more would hide the others
  std::size_t good = 0;
  for (const FlowReport& flow : report.flows) {
    const bool is_good = flow.likeness() <= Likeness::kLegal && flow.tcp.stall.empty();
    if (is_good && ++good > kGoodShown && context) continue;
    print_flow(flow, context);
  }
  if (good > kGoodShown && context)
    fmt::print("{} more flows are the same or legal; --all shows them\n", good - kGoodShown);
  if (!report.others.empty()) fmt::print("besides:\n");
  print_findings(report.others);
  if (report.waiting > 0) fmt::print("{} recorded connections: nobody came for them\n", report.waiting);
  if (!report.end.empty()) fmt::print("{}\n", report.end);
  const std::string_view end = !report.is_done ? "" : *report.is_done ? "done; " : "failed; ";
  fmt::print("verdict: {}{}\n", end, to_string(report.likeness()));
}

namespace {

json rungs_to_json(const Comparison& sent) {
  json rungs = json::array();
  for (const Rung& rung : sent.rungs) {
    json entry{{"verdict", to_string(rung.likeness())}};
    if (rung.recorded) entry["recorded"] = to_json(*rung.recorded);
    if (rung.actual) entry["actual"] = to_json(*rung.actual);
    for (const Difference* difference : rung.differences) entry["differences"].push_back(difference->id);
    rungs.push_back(std::move(entry));
  }
  return rungs;
}

// Packets that are not in the ladder.
std::uint64_t left_out_of(const FlowReport& flow) {
  return flow.comparison.left_out + (flow.peer ? flow.peer->left_out : 0);
}

json to_json(const FlowReport& flow) {
  json differences = json::array();
  for (const auto& [difference, count] : differences_of(flow)) {
    differences.push_back({{"id", difference->id},
                           {"verdict", to_string(difference->verdict)},
                           {"rule", difference->section},
                           {"title", difference->title},
                           {"count", count}});
  }
  json object{{"protocol", protocol_name(flow.flow.protocol)},
              {"ours", fmt::format("{}", flow.flow.ends[flow.ours])},
              {"theirs", fmt::format("{}", flow.flow.ends[1 - flow.ours])},
              {"verdict", to_string(flow.likeness())},
              {"octets_equal", flow.octets_are_equal()},
              {"octets_read", flow.tcp.received.length(StreamCheck::Side::kActual)},
              {"octets_recorded", flow.tcp.received.length(StreamCheck::Side::kRecorded)},
              {"octets_different", flow.tcp.received.different()},
              {"stall", flow.tcp.stall},
              {"partial_acknowledgments", flow.tcp.partial_acks},
              {"same", flow.comparison.same + (flow.peer ? flow.peer->same : 0)},
              {"left_out", left_out_of(flow)},
              {"findings", to_json(flow.findings)},
              {"differences", std::move(differences)},
              {"packets", rungs_to_json(flow.comparison)}};
  if (flow.peer) object["peer_packets"] = rungs_to_json(*flow.peer);
  if (!flow.notes.empty()) object["notes"] = flow.notes;
  for (const auto& [name, value] : flow.numbers) object[name] = value;
  return object;
}

}  // namespace

json to_json(const ReplayReport& report) {
  json flows = json::array();
  for (std::size_t i = 0; i < report.flows.size(); ++i) {
    flows.push_back(to_json(report.flows[i]));
    if (i < report.words.size()) flows.back().update(report.words[i]);
  }
  json object{{"schema", 1},
              {"capture", report.capture},
              {"role", report.role},
              {"packets", report.packets},
              {"verdict", to_string(report.likeness())},
              {"flows", std::move(flows)}};
  if (!report.others.empty()) object["findings"] = to_json(report.others);
  if (report.is_done) object["result"] = *report.is_done ? "done" : "failed";
  object.update(report.numbers);
  return object;
}

std::string as_junit(const ReplayReport& report, Likeness bar) {
  JunitSuite suite{.name = report.capture};
  for (const FlowReport& flow : report.flows) {
    JunitCase& test = suite.cases.emplace_back(JunitCase{.classname = report.role, .name = title_of(flow)});
    if (flow.likeness() < bar) continue;
    JunitCase::Failure& failure = test.failure.emplace(std::string(to_string(flow.likeness())));
    for (const auto& [difference, count] : differences_of(flow)) {
      if (difference->verdict >= bar)
        failure.text += fmt::format("{}: {} x {} [{}]\n", to_string(difference->verdict), count,
                                    difference->title, difference->section);
    }
    for (const Finding& finding : flow.findings)
      failure.text +=
          fmt::format("{}: {} [{}]\n", to_string(finding.verdict), finding.text, finding.rule->section);
    if (!flow.octets_are_equal()) failure.text += "the octets that the application read are not equal\n";
    if (!flow.tcp.stall.empty()) failure.text += flow.tcp.stall + "\n";
  }
  for (std::uint64_t i = 0; i < report.waiting; ++i)
    suite.cases.push_back({.classname = report.role,
                           .name = "a recorded connection",
                           .failure = JunitCase::Failure{"nobody came for it"}});
  if (!report.others.empty()) {
    JunitCase& test =
        suite.cases.emplace_back(JunitCase{.classname = report.role, .name = "what is in none of the flows"});
    for (const Finding& finding : report.others) {
      if (likeness_of(finding.verdict) < bar) continue;
      if (!test.failure) test.failure.emplace(std::string(to_string(finding.verdict)));
      test.failure->text +=
          fmt::format("{}: {} [{}]\n", to_string(finding.verdict), finding.text, finding.rule->section);
    }
  }
  return to_junit("transom replay", {suite});
}

}  // namespace transom::tools
