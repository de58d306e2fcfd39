// One case of a suite: a folder with a capture, and case.toml, which says what is expected.
// captures/README.md has the words.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/golden_record.h"
#include "tools/suite_expectation.h"

namespace transom::tools {

// [golden]: what our end did is held against a record of it.
struct SuiteGolden {
  std::filesystem::path file;
  std::string bar = "any";  // what is too bad: any, unknown, violation
  std::optional<Masks> masks;
};

struct SuiteCase {
  std::string name;  // of the folder, from the suite on: "tcp/loss"
  std::filesystem::path folder;
  std::string shows;
  std::filesystem::path input;
  std::string skip;     // a reason; empty: it runs
  std::string lacking;  // what this transom, or the machine, lacks for it; empty: nothing
  std::string stack;  // whom the stack replaces in a replay: "client", "server", an address; empty: no replay
  bool kernel_client = false, kernel_server = false;  // whose TCP is Linux's
  std::string bar = "violation";  // of the replay: what is too bad: any, unknown, violation
  std::optional<SuiteGolden> golden;
  std::string taken_at;               // "client", "server", "router"; empty: not known
  bool judges = true;                 // whether the judge looks at it
  std::vector<std::string> culprits;  // addresses that may break rules
  Expectations expectations;

  // Of the text of a case.toml, which lies in `folder`. Throws Failure(kUsage) with file, line and reason.
  static SuiteCase parse(std::string_view text, const std::filesystem::path& folder, std::string name);
  // The same, and where the file cannot be read.
  static SuiteCase load(const std::filesystem::path& folder, std::string name);
};

// The folders below `directory` that have a case.toml, in the order of their names.
std::vector<std::pair<std::string, std::filesystem::path>> find_cases(const std::filesystem::path& directory);

// Features that `requires.features` may ask for.
bool has_feature(std::string_view feature);

}  // namespace transom::tools
