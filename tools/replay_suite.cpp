// transom replay-suite: a folder of cases, each a capture and what is expected of it.
#include <fnmatch.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/suite_draft.h"
#include "tools/suite_report.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

namespace fs = std::filesystem;

struct SuiteOptions {
  std::string directory;
  std::string only = "*";
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string junit;
  bool as_json = false;
  bool lists = false;
  bool is_verbose = false;
  bool accepts = false;
  std::string new_name, new_capture;
};

std::vector<SuiteCase> load(const SuiteOptions& options) {
  const auto found = find_cases(options.directory);
  if (found.empty()) fail(Exit::kUsage, "{}: no folder below it has a case.toml", options.directory);
  std::vector<SuiteCase> cases;
  for (const auto& [name, folder] : found) {
    if (fnmatch(options.only.c_str(), name.c_str(), 0) == 0) cases.push_back(SuiteCase::load(folder, name));
  }
  if (cases.empty())
    fail(Exit::kUsage, "--only '{}': none of the {} cases is called so", options.only, found.size());
  return cases;
}

// In the order of `cases`, whichever ends first.
std::vector<CaseResult> run_all(const std::vector<SuiteCase>& cases, unsigned jobs, bool accepts) {
  std::vector<CaseResult> results(cases.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t index = next++; index < cases.size(); index = next++) {
      try {
        results[index] = run_case(cases[index], accepts);
      } catch (const std::exception& error) {
        results[index] = {.name = cases[index].name,
                          .status = CaseResult::Status::kFailed,
                          .reason = {},
                          .checks = {{"the case runs", error.what()}},
                          .notes = {}};
      }
    }
  };
  std::vector<std::jthread> workers;
  for (unsigned worker = 1; worker < std::min<std::size_t>(jobs, cases.size()); ++worker)
    workers.emplace_back(work);
  work();
  return results;
}

int run(const SuiteOptions& options) {
  const std::vector<SuiteCase> cases = load(options);
  if (options.lists) {
    for (const SuiteCase& one : cases) fmt::print("{}\n", one.name);
    return 0;
  }
  const std::vector<CaseResult> results = run_all(cases, options.jobs, options.accepts);
  const std::string suite = fs::path(options.directory).lexically_normal().filename().string();
  if (!options.junit.empty()) write_text_file(options.junit, suite_junit(suite, results), Exit::kEnvironment);
  if (options.as_json) {
    fmt::print("{}\n", suite_json(suite, results).dump(2));
  } else {
    fmt::print("{}", suite_text(results, options.is_verbose));
  }
  const bool has_failed = std::ranges::any_of(
      results, [](const CaseResult& result) { return result.status == CaseResult::Status::kFailed; });
  return static_cast<int>(has_failed ? Exit::kFailed : Exit::kGood);
}

}  // namespace

void add_replay_suite(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("replay-suite", "Run a folder of captures against what is expected of them");
  auto options = std::make_shared<SuiteOptions>();
  command->add_option("directory", options->directory, "With a folder per case: a capture and case.toml")
      ->type_name("DIR");
  command->add_option("--only", options->only, "Cases whose name matches this shell pattern")
      ->type_name("PATTERN");
  command->add_option("-j,--jobs", options->jobs, "Cases at once")
      ->type_name("NUMBER")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  command->add_option("--junit", options->junit, "Write JUnit XML to this file")->type_name("FILE");
  command->add_flag("--json", options->as_json, "Print one JSON object");
  command->add_flag("--list", options->lists, "Print the names and run nothing");
  command->add_flag("--accept", options->accepts,
                    "Show what differs from golden records, and write them anew");
  command->add_flag("-v,--verbose", options->is_verbose, "Show what passed, too");
  command->footer(
      "Example: transom replay-suite captures --only 'tcp-loss*' --junit results.xml\n"
      "Exit codes: 0 all passed, 1 some failed, 2 bad usage or a bad case.toml, 3 cannot write");
  command->callback([command, options, &selected] {
    if (!command->get_subcommands().empty()) return;
    if (options->directory.empty()) throw CLI::RequiredError("directory");
    selected.run = [options] { return run(*options); };
  });

  CLI::App* draft = command->add_subcommand("new", "Make the first draft of a case from a capture");
  draft->add_option("name", options->new_name, "The folder to make")->type_name("FOLDER")->required();
  draft->add_option("capture", options->new_capture, "pcap or pcapng, also compressed")
      ->type_name("CAPTURE")
      ->required();
  draft->footer("Example: transom replay-suite new captures/slow-start trace.pcapng");
  draft->callback([options, &selected] {
    selected.run = [options] {
      draft_case(options->new_name, options->new_capture);
      fmt::print("made {}: say in its README.md and case.toml what it shows\n", options->new_name);
      return 0;
    };
  });
}

}  // namespace transom::tools
