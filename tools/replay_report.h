// A replay's result for people and for programs: text with a ladder, HTML, JSON, JUnit. All roles go this
// way.
#pragma once

#include <nlohmann/json.hpp>

#include "drivers/judge/judge.h"
#include "drivers/replay/flow_report.h"

namespace transom::tools {

struct ReplayReport {
  std::string capture;
  std::string role;
  std::uint64_t packets = 0;         // in the capture
  std::vector<std::string> notes{};  // about the whole, for people
  std::vector<drivers::replay::FlowReport> flows{};
  std::vector<drivers::judge::Finding> others{};      // about what is in none of the flows
  std::uint64_t waiting = 0;                          // recorded connections that nobody came for
  std::optional<bool> is_done{};                      // live: all that was recorded was played and heard
  std::string end{};                                  // what has passed, in a line; empty: nothing
  nlohmann::json numbers = nlohmann::json::object();  // of the whole, for programs
  std::vector<nlohmann::json> words{};                // the same of each flow, or none

  drivers::replay::Likeness likeness() const;
};

// One line of a ladder: a packet of either end, as recorded and as it was now.
struct LadderLine {
  std::uint64_t number = 0;  // in the capture; 0: not in it
  bool is_ours = false;
  std::string recorded{}, actual{};  // empty: was not sent
  drivers::replay::Likeness likeness = drivers::replay::Likeness::kSame;
  std::string remark{};
};
std::vector<LadderLine> ladder_of(const drivers::replay::FlowReport& flow);
std::string title_of(const drivers::replay::FlowReport& flow);

// A difference with how often it was found, at either end.
using DifferenceCount = std::pair<const drivers::replay::Difference*, std::uint64_t>;
std::vector<DifferenceCount> differences_of(const drivers::replay::FlowReport& flow);

// `context`: lines shown around each difference; nullopt shows all.
void print_text(const ReplayReport& report, std::optional<std::size_t> context);
nlohmann::json to_json(const ReplayReport& report);
// One self-contained page.
std::string to_html(const ReplayReport& report);
// JUnit XML: one test case per flow.
std::string as_junit(const ReplayReport& report, drivers::replay::Likeness bar);

}  // namespace transom::tools
