// transom judge: is what each end did in a capture legal?
#include "drivers/judge/judge.h"

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "drivers/capture/capture_reader.h"
#include "drivers/judge/ladder.h"
#include "tools/capture_input.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/junit.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

using drivers::CapturedPacket;
using nlohmann::json;
namespace judge = drivers::judge;
using judge::Verdict;

struct JudgeCommand {
  CaptureInput input;
  std::string fail_on = "violation";
  std::string junit;
  std::vector<std::string> captured_at;
  std::vector<std::string> rules;
  std::uint64_t around = 3;
  bool is_complete = false;
  bool has_no_offload = false;
  bool as_json = false;
  bool is_quiet = false;
  bool lists_rules = false;
};

judge::JudgeOptions options_of(const JudgeCommand& command) {
  judge::JudgeOptions options;
  options.is_complete = command.is_complete;
  options.has_offload = !command.has_no_offload;
  for (const std::string& text : command.captured_at) {
    const auto address = IpAddress::parse(text);
    if (!address) fail(Exit::kUsage, "'{}' is no address; write --at 10.0.0.1", text);
    options.captured_at.push_back(*address);
  }
  return options;
}

std::optional<Verdict> bar_of(const std::string& word) {
  if (word == "violation") return Verdict::kViolation;
  if (word == "unknown") return Verdict::kUnknown;
  if (word == "legal") return Verdict::kLegal;
  return std::nullopt;
}

double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& letter : result) letter = static_cast<char>(letter - 'a' + 'A');
  return result;
}

// The ladder around each finding: the segments of its connection just before and behind it.
class Excerpts {
 public:
  Excerpts(const JudgeCommand& command, const std::vector<judge::Finding>& findings) {
    if (command.input.is_standard_input() || command.around == 0) return;
    for (const judge::Finding& finding : findings)
      if (finding.connection != 0) wanted_[finding.connection].insert(finding.frame);
    if (wanted_.empty()) return;
    judge::JudgeOptions options = options_of(command);
    options.on_segment = [&](const judge::SegmentEvent& event) { see(event, command.around); };
    judge::Judge again(std::move(options));
    command.input.read([&](const CapturedPacket& packet) { again.take(packet); });
  }

  void print(const judge::Finding& finding) const {
    const auto found = excerpts_.find({finding.connection, finding.frame});
    if (found == excerpts_.end()) return;
    const judge::LadderText ladder;
    fmt::print("{}", ladder.head(found->second.head));
    for (const judge::LadderStep& step : found->second.steps)
      fmt::print("{}", ladder.line(step, found->second.origin, step.frame == finding.frame ? '>' : ' '));
  }

 private:
  struct Excerpt {
    judge::LadderHead head;
    Duration origin{};
    std::vector<judge::LadderStep> steps;
    std::uint64_t left = 0;  // steps that are still wanted
  };
  struct Recent {
    Duration origin{};
    std::deque<judge::LadderStep> steps;
    std::vector<Excerpt*> open;
  };

  void see(const judge::SegmentEvent& event, std::uint64_t around) {
    const auto wanted = wanted_.find(event.connection);
    if (wanted == wanted_.end()) return;
    auto [at, is_new] = recent_.try_emplace(event.connection);
    Recent& recent = at->second;
    if (is_new) recent.origin = event.segment->time();
    recent.steps.push_back(judge::step_of(event));
    for (Excerpt* excerpt : recent.open) {
      excerpt->steps.push_back(recent.steps.back());
      --excerpt->left;
    }
    std::erase_if(recent.open, [](const Excerpt* excerpt) { return excerpt->left == 0; });
    if (wanted->second.contains(event.segment->frame())) {
      Excerpt& excerpt = excerpts_[{event.connection, event.segment->frame()}];
      excerpt = {.head = judge::head_of(event),
                 .origin = recent.origin,
                 .steps = {recent.steps.begin(), recent.steps.end()},
                 .left = around};
      if (around > 0) recent.open.push_back(&excerpt);
    }
    if (recent.steps.size() > around) recent.steps.pop_front();
  }

  std::map<std::uint64_t, std::set<std::uint64_t>> wanted_;  // frames of each connection
  std::map<std::uint64_t, Recent> recent_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Excerpt> excerpts_;
};

json to_json(const judge::Finding& finding) {
  json object = {{"rule", finding.rule->id},
                 {"section", finding.rule->section},
                 {"title", finding.rule->title},
                 {"verdict", to_string(finding.verdict)},
                 {"frame", finding.frame},
                 {"time_s", to_seconds(finding.time)},
                 {"from", to_string(finding.from)},
                 {"to", to_string(finding.to)},
                 {"text", finding.text}};
  if (finding.connection != 0) {
    object["connection"] = finding.connection;
    object["side"] = finding.side == judge::Side::kFirst ? "first" : "second";
  }
  if (!finding.state.empty()) object["state"] = finding.state;
  return object;
}

json to_json(const judge::ConnectionSummary& connection) {
  json ends = json::array();
  for (const auto& end : connection.ends)
    ends.push_back({{"address", to_string(end.address)},
                    {"segments", end.segments},
                    {"octets", end.octets},
                    {"state", end.state}});
  return {{"number", connection.number},
          {"ends", ends},
          {"first_frame", connection.first_frame},
          {"last_frame", connection.last_frame},
          {"duration_s", to_seconds(connection.last_time - connection.first_time)},
          {"handshake", connection.has_handshake},
          {"packets_missed", connection.has_missed}};
}

json to_json(const judge::Judge& judged) {
  json result = {{"packets", judged.counts().packets},
                 {"tcp_segments", judged.counts().tcp},
                 {"not_ip", judged.counts().not_ip},
                 {"unreadable_tcp", judged.counts().unreadable_tcp},
                 {"evicted_connections", judged.counts().evicted_connections},
                 {"left_out_findings", judged.counts().left_out_findings},
                 {"incomplete", judged.capture_is_incomplete()},
                 {"missed", judged.counts().missed},
                 {"worst", judged.worst() ? json(to_string(*judged.worst())) : json()},
                 {"connections", json::array()},
                 {"findings", json::array()}};
  for (const auto& connection : judged.connections()) result["connections"].push_back(to_json(connection));
  for (const auto& finding : judged.findings()) result["findings"].push_back(to_json(finding));
  return result;
}

// One test case for each connection, and one for what belongs to none.
std::string as_junit(const std::string& capture, const judge::Judge& judged, Verdict bar) {
  JunitSuite suite{.name = fmt::format("transom judge {}", capture)};
  const auto add_case = [&](std::string name, std::uint64_t number) {
    JunitCase& test = suite.cases.emplace_back(JunitCase{.classname = capture, .name = std::move(name)});
    for (const judge::Finding& finding : judged.findings()) {
      if (finding.connection != number || finding.verdict < bar) continue;
      if (!test.failure) test.failure = JunitCase::Failure{.message = std::string(finding.rule->id)};
      test.failure->text +=
          fmt::format("{} frame {} {}: {} [{}] {}\n", to_string(finding.verdict), finding.frame,
                      to_string(finding.from), finding.rule->title, finding.rule->section, finding.text);
    }
  };
  add_case("packets of no connection", 0);
  for (const auto& connection : judged.connections())
    add_case(fmt::format("{} {} - {}", connection.number, to_string(connection.ends[0].address),
                         to_string(connection.ends[1].address)),
             connection.number);
  return to_junit("transom judge", {suite});
}

void print_finding(const judge::Finding& finding) {
  fmt::print("{:<9}  frame {}  {}{}{}\n           {}: {}\n           {}  [{}]\n",
             upper(to_string(finding.verdict)), finding.frame, to_string(finding.from),
             finding.state.empty() ? "" : ", ", finding.state, finding.rule->title, finding.text,
             finding.rule->section, finding.rule->id);
}

void print(const JudgeCommand& command, const judge::Judge& judged) {
  const Excerpts excerpts(command, judged.findings());
  const auto print_findings_of = [&](std::uint64_t connection) {
    for (const judge::Finding& finding : judged.findings()) {
      if (finding.connection != connection) continue;
      fmt::print("\n");
      print_finding(finding);
      excerpts.print(finding);
    }
  };
  std::set<std::uint64_t> with_findings;
  for (const judge::Finding& finding : judged.findings()) with_findings.insert(finding.connection);
  for (const auto& connection : judged.connections()) {
    if (command.is_quiet && !with_findings.contains(connection.number)) continue;
    const auto& [first, second] = connection.ends;
    fmt::print("{:>3}  {} > {}  {} + {} segments, {} + {} octets, {:.3f} s; {}, {}{}{}\n", connection.number,
               to_string(first.address), to_string(second.address), first.segments, second.segments,
               first.octets, second.octets, to_seconds(connection.last_time - connection.first_time),
               first.state, second.state, connection.has_handshake ? "" : "; no handshake seen",
               connection.has_missed ? "; packets missed" : "");
    print_findings_of(connection.number);
    if (with_findings.contains(connection.number)) fmt::print("\n");
    if (connection.left_out > 0) fmt::print("     and {} findings like these\n", connection.left_out);
  }
  if (with_findings.contains(0)) print_findings_of(0);
  std::array<std::size_t, 3> verdicts{};
  for (const judge::Finding& finding : judged.findings())
    ++verdicts[static_cast<std::size_t>(finding.verdict)];
  const auto& counts = judged.counts();
  fmt::print("{} packets, {} connections: {} violations, {} unknown, {} legal but noteworthy\n",
             counts.packets, counts.connections, verdicts[2], verdicts[1], verdicts[0]);
  if (counts.unreadable_tcp > 0) fmt::print("{} TCP headers could not be read\n", counts.unreadable_tcp);
  if (counts.evicted_connections > 0)
    fmt::print("{} connections were given up for want of room; what came of them later was judged anew\n",
               counts.evicted_connections);
  if (judged.capture_is_incomplete())
    fmt::print("the capture has missed packets{}: what they would explain is unknown\n",
               counts.missed > 0 ? fmt::format(" ({}, it says)", counts.missed) : "");
}

int list_rules() {
  for (const judge::Rule* rule : judge::all_rules())
    fmt::print("{:<44} {:<9} {} [{}]\n", rule->id, to_string(rule->worst), rule->title, rule->section);
  return 0;
}

int run(const JudgeCommand& command) {
  if (command.lists_rules) return list_rules();
  const auto bar = bar_of(command.fail_on);
  judge::Judge judged(options_of(command));
  judged.missed(command.input.read([&](const CapturedPacket& packet) { judged.take(packet); }));
  judged.end();
  if (!command.junit.empty())
    write_text_file(command.junit, as_junit(command.input.path, judged, *bar), Exit::kUsage);
  if (command.as_json)
    fmt::print("{}\n", to_json(judged).dump(2));
  else
    print(command, judged);
  return judged.worst() && *judged.worst() >= *bar ? static_cast<int>(Exit::kFailed) : 0;
}

}  // namespace

void add_judge(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("judge", "Whether what each end did in a capture is legal, by which RFC");
  auto options = std::make_shared<JudgeCommand>();
  CLI::Option* capture = options->input.add_to(*command);
  command->add_option("--fail-on", options->fail_on, "Exit with 1 at this verdict or a worse one")
      ->type_name("violation|unknown|legal")
      ->check(CLI::IsMember({"violation", "unknown", "legal"}))
      ->capture_default_str();
  command
      ->add_option("--at", options->captured_at,
                   "The capture was taken at the host with this address; repeatable")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  command->add_flag("--complete", options->is_complete,
                    "The capture missed nothing, and nothing was lost behind it");
  command->add_flag("--no-offload", options->has_no_offload,
                    "No device cut or joined segments behind the capture");
  command->add_option("--around", options->around, "Segments that are shown on each side of a finding")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--junit", options->junit, "Also write JUnit XML: one test case for each connection")
      ->type_name("FILE");
  command->add_flag("--json", options->as_json, "Print one JSON object");
  command->add_flag("-q,--quiet", options->is_quiet, "Only connections with findings");
  command->add_flag("--rules", options->lists_rules, "List the rules, and judge nothing")->excludes(capture);
  command->footer(
      "Exit codes: 0 nothing at or above --fail-on, 1 something, 2 the capture cannot be read.\n"
      "docs/judge.md has the rules. Example: transom judge --at 10.0.0.1 capture.pcapng tcp port 80");
  command->callback([options, &selected] {
    if (!options->lists_rules && options->input.path.empty())
      fail(Exit::kUsage, "which capture? As in: transom judge capture.pcap");
    selected.run = [options] { return run(*options); };
  });
}

}  // namespace transom::tools
