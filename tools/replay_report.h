// A replay's result for people and for programs: text with a ladder, HTML, JSON, JUnit.
#pragma once

#include <nlohmann/json.hpp>

#include "drivers/replay/feed_report.h"

namespace transom::tools {

struct ReplayReport {
  std::string capture;
  std::string role;
  const drivers::replay::Scene* scene = nullptr;
  drivers::replay::FeedOutcome outcome{};
  std::vector<drivers::replay::FlowReport> flows{};

  drivers::replay::Likeness likeness() const;
};

// One line of a ladder: a packet of either end, as recorded and as it was now.
struct LadderLine {
  std::uint64_t number = 0;  // in the capture; 0: not in it
  bool is_ours = false;
  std::string recorded, actual;  // empty: was not sent
  drivers::replay::Likeness likeness = drivers::replay::Likeness::kSame;
  std::string remark;
};
std::vector<LadderLine> ladder_of(const drivers::replay::FlowReport& flow);
std::string title_of(const drivers::replay::FlowReport& flow);

// `context`: lines shown around each difference; nullopt shows all.
void print_text(const ReplayReport& report, std::optional<std::size_t> context);
nlohmann::json to_json(const ReplayReport& report);
// One self-contained page.
std::string to_html(const ReplayReport& report);
// JUnit XML: one test case per flow.
std::string as_junit(const ReplayReport& report, drivers::replay::Likeness bar);

// --role observe.
drivers::replay::Likeness likeness_of(const std::optional<drivers::judge::Verdict>& verdict);
void print_judgement(const std::string& capture, const drivers::judge::Judge& judge);
nlohmann::json judgement_to_json(const std::string& capture, const drivers::judge::Judge& judge);

}  // namespace transom::tools
