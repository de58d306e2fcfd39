#include "tools/suite_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/junit.h"

namespace transom::tools {

namespace {

using Status = CaseResult::Status;

std::string_view name_of(Status status) {
  switch (status) {
    case Status::kPassed:
      return "passed";
    case Status::kFailed:
      return "failed";
    default:
      return "skipped";
  }
}

std::size_t count(const std::vector<CaseResult>& results, Status status) {
  return static_cast<std::size_t>(std::ranges::count(results, status, &CaseResult::status));
}

}  // namespace

std::string suite_text(const std::vector<CaseResult>& results, bool is_verbose) {
  std::string text;
  for (const CaseResult& result : results) {
    if (result.status == Status::kPassed && !is_verbose && result.notes.empty()) continue;
    text += fmt::format("{:7}  {}", name_of(result.status), result.name);
    text += result.reason.empty() ? "\n" : fmt::format(": {}\n", result.reason);
    for (const Check& check : result.checks) {
      if (!check.holds()) {
        text += fmt::format("         {}\n           {}\n", check.name, check.message);
      } else if (is_verbose) {
        text += fmt::format("         ok: {}\n", check.name);
      }
    }
    text += result.notes;
  }
  const std::size_t skipped = count(results, Status::kSkipped);
  text +=
      fmt::format("{} passed, {} failed{}\n", count(results, Status::kPassed),
                  count(results, Status::kFailed), skipped == 0 ? "" : fmt::format(", {} skipped", skipped));
  return text;
}

nlohmann::json suite_json(const std::string& suite, const std::vector<CaseResult>& results) {
  nlohmann::json all = {{"suite", suite},
                        {"passed", count(results, Status::kPassed)},
                        {"failed", count(results, Status::kFailed)},
                        {"skipped", count(results, Status::kSkipped)},
                        {"cases", nlohmann::json::array()}};
  for (const CaseResult& result : results) {
    nlohmann::json one = {{"name", result.name},
                          {"status", name_of(result.status)},
                          {"packets", result.packets},
                          {"checks", nlohmann::json::array()}};
    if (!result.reason.empty()) one["reason"] = result.reason;
    for (const Check& check : result.checks) {
      one["checks"].push_back({{"name", check.name}, {"holds", check.holds()}});
      if (!check.holds()) one["checks"].back()["message"] = check.message;
    }
    all["cases"].push_back(std::move(one));
  }
  return all;
}

std::string suite_junit(const std::string& suite, const std::vector<CaseResult>& results) {
  std::vector<JunitSuite> suites;
  for (const CaseResult& result : results) {
    JunitSuite& one = suites.emplace_back(JunitSuite{.name = result.name});
    if (result.status == Status::kSkipped)
      one.cases.push_back({.classname = result.name, .name = "case", .skipped = result.reason});
    for (const Check& check : result.checks) {
      JunitCase& test = one.cases.emplace_back(JunitCase{.classname = result.name, .name = check.name});
      if (!check.holds()) test.failure = JunitCase::Failure{.message = check.message};
    }
  }
  return to_junit(suite, suites);
}

}  // namespace transom::tools
