// What came of a suite: text, JSON and JUnit XML. Nothing in them depends on when or how fast it ran: two
// runs give the same octets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/suite_run.h"

namespace transom::tools {

// A line for each case that failed or was skipped, with what failed below it; with `is_verbose` for each case
// and check.
std::string suite_text(const std::vector<CaseResult>& results, bool is_verbose);
nlohmann::json suite_json(const std::string& suite, const std::vector<CaseResult>& results);
// A testsuite per case, a testcase per check.
std::string suite_junit(const std::string& suite, const std::vector<CaseResult>& results);

}  // namespace transom::tools
