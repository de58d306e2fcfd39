#include "tools/suite_replay.h"

#include "drivers/replay/feed_report.h"
#include "drivers/trace/json_trace.h"
#include "tools/failure.h"
#include "tools/golden_file.h"

namespace transom::tools {

namespace replay = drivers::replay;

namespace {

class EventRecorder final : public Observer {
 public:
  void on_event(const Event& event) override {
    if (!std::holds_alternative<PacketEvent>(event.what))
      events.push_back(nlohmann::json::parse(drivers::json_line({}, event)));
  }
  Records events;
};

replay::Likeness bar_of(const std::string& bar) {
  return bar == "any"       ? replay::Likeness::kLegal
         : bar == "unknown" ? replay::Likeness::kUnknown
                            : replay::Likeness::kViolation;
}

void add_golden(SuiteReplay& result, const SuiteCase& one, std::span<const replay::FlowReport> flows,
                bool accepts) {
  Check check{fmt::format("what the stack does is what {} says", one.golden->file.filename().string()), {}};
  const GoldenRun run{fmt::format("feed as {}", one.stack), flows, one.golden->masks};
  try {
    const GoldenCheck golden = check_golden(one.golden->file.string(), run, accepts);
    if (golden.was_written) result.notes = golden.text(one.golden->file.filename().string());
    std::size_t too_bad = 0;
    for (const GoldenDifference& difference : golden.differences) {
      if (accepts || difference.verdict < bar_of(one.golden->bar) || ++too_bad > 1) continue;
      check.message = fmt::format("{}: {}", replay::to_string(difference.verdict), difference.text);
    }
    if (too_bad > 1) check.message += fmt::format("; and {} more", too_bad - 1);
    if (too_bad > 0) check.message += "; --accept shows all and writes it anew";
  } catch (const Failure& failure) {
    check.message = failure.what();
  }
  result.checks.push_back(std::move(check));
}

std::string text_of(const std::optional<replay::PacketRecord>& record) {
  return record ? replay::describe(*record) : "nothing";
}

void add_flow(SuiteReplay& result, const replay::FlowReport& flow, replay::Likeness bar) {
  std::size_t too_bad = 0;
  Check check{fmt::format("flow {}: the stack sends what was recorded, or what is as legal", flow.number),
              {}};
  for (const replay::Rung& rung : flow.comparison.rungs) {
    for (const replay::Difference* const difference : rung.differences) {
      nlohmann::json record = {
          {"id", difference->id},          {"section", difference->section},
          {"title", difference->title},    {"verdict", replay::to_string(difference->verdict)},
          {"flow", flow.number},           {"recorded", text_of(rung.recorded)},
          {"actual", text_of(rung.actual)}};
      if (rung.recorded) record["frame"] = rung.recorded->number;
      result.differences.push_back(std::move(record));
      if (difference->verdict < bar || ++too_bad > 1) continue;
      check.message = fmt::format("{}: {} [{}]; recorded {}{}, now {}",
                                  replay::to_string(difference->verdict), difference->title, difference->id,
                                  rung.recorded ? fmt::format("frame {}: ", rung.recorded->number) : "",
                                  text_of(rung.recorded), text_of(rung.actual));
    }
  }
  if (too_bad > 1) check.message += fmt::format("; and {} more", too_bad - 1);
  if (too_bad == 0 && flow.likeness() >= bar && flow.comparison.likeness() >= bar)
    check.message = "it differs";
  result.checks.push_back(std::move(check));
  Check rules{fmt::format("flow {}: the stack breaks no rule", flow.number), {}};
  for (const drivers::judge::Finding& finding : flow.findings) {
    if (finding.verdict == drivers::judge::Verdict::kViolation && rules.message.empty())
      rules.message =
          fmt::format("packet {} of what happened: {} [{}]", finding.frame, finding.text, finding.rule->id);
  }
  result.checks.push_back(std::move(rules));
  if (!flow.is_tcp || !flow.tcp.is_playable) return;
  const auto& received = flow.tcp.received;
  using Side = replay::StreamCheck::Side;
  result.checks.push_back(
      {fmt::format("flow {}: the application reads the same octets", flow.number),
       flow.octets_are_equal()
           ? ""
           : fmt::format("{} of {} read, {} of them others", received.length(Side::kActual),
                         received.length(Side::kRecorded), received.different())});
  if (!flow.tcp.stall.empty())
    result.checks.push_back(
        {fmt::format("flow {}: nothing is waited for in vain", flow.number), flow.tcp.stall});
}

}  // namespace

SuiteReplay replay_case(const SuiteCase& one, bool with_events, bool accepts) {
  SuiteReplay result;
  Check& ran = result.checks.emplace_back(
      Check{fmt::format("the capture can be fed to the stack as {}", one.stack), {}});
  const auto role = replay::Role::parse(one.stack);
  auto first = drivers::CaptureReader::open(one.input.string());
  auto second = drivers::CaptureReader::open(one.input.string());
  if (!role || !first || !second) {
    ran.message = !role ? role.error() : !first ? first.error().message : second.error().message;
    return result;
  }
  const auto scene = replay::survey(*first);
  if (!scene) {
    ran.message = scene.error().message;
    return result;
  }
  const replay::Cast cast(*scene, *role);
  if (cast.our_addresses().empty()) {
    ran.message = "none of its flows has such an end";
    return result;
  }
  EventRecorder events;
  replay::FeedRecorder recorder(cast);
  replay::FeedOptions options;
  if (with_events) options.observer = &events;
  auto outcome = replay::feed(*second, *scene, cast, options, recorder);
  if (!outcome) {
    ran.message = outcome.error().message;
    return result;
  }
  const std::vector<replay::FlowReport> flows = recorder.reports(*scene, cast, *outcome);
  for (const replay::FlowReport& flow : flows) add_flow(result, flow, bar_of(one.bar));
  if (one.golden) add_golden(result, one, flows, accepts);
  result.events = std::move(events.events);
  return result;
}

}  // namespace transom::tools
