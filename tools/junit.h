// Results as JUnit XML, which CI systems show.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace transom::tools {

struct JunitCase {
  struct Failure {
    std::string message;  // one line
    std::string text{};
  };
  std::string classname, name;
  std::optional<Failure> failure{};
  std::optional<std::string> skipped{};  // why
};

struct JunitSuite {
  std::string name;
  std::vector<JunitCase> cases{};
};

std::string to_junit(const std::string& name, const std::vector<JunitSuite>& suites);

}  // namespace transom::tools
