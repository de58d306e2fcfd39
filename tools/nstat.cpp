// transom nstat: the counters of a running host.
#include <fnmatch.h>

#include <algorithm>
#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/table.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct NstatOptions {
  std::string host;
  std::vector<std::string> patterns;
  bool zeros = false;
  bool absolute = false, no_update = false, reset = false, no_output = false;
  bool as_json = false;
};

int run(const NstatOptions& options) {
  // -a shows what it was from the start and keeps the history all the same.
  json all = ask_host(
      options.host,
      {{"show", "counters"}, {"history", {{"reset", options.reset}, {"update", !options.no_update}}}});
  if (options.no_output) return 0;
  if (options.absolute) all = ask_host(options.host, {{"show", "counters"}});
  const auto is_wanted = [&](const std::string& name) {
    return options.patterns.empty() || std::ranges::any_of(options.patterns, [&](const std::string& pattern) {
             return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
           });
  };
  json shown = json::object();
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : all["counters"].items()) {
    if (!is_wanted(name) || (value == 0 && !options.zeros)) continue;
    shown[name] = value;
    rows.push_back({name, std::to_string(value.get<std::uint64_t>())});
  }
  // Drops by reason stand behind the counters, under names of their own.
  for (const auto& [name, value] : all["drops"].items()) {
    if (!is_wanted("Drop" + name) || (value == 0 && !options.zeros)) continue;
    shown["Drop" + name] = value;
    rows.push_back({"Drop" + name, std::to_string(value.get<std::uint64_t>())});
  }
  if (options.as_json) {
    fmt::print("{}\n", shown.dump(2));
  } else {
    fmt::print("#transom\n");
    print_table(rows);
  }
  return 0;
}

}  // namespace

void add_nstat(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("nstat", "What a running host has counted, by SNMP names, and drops by reason");
  auto options = std::make_shared<NstatOptions>();
  command->add_option("pattern", options->patterns, "Only names like these: 'Tcp*'")->type_name("PATTERN...");
  command->add_option("--host", options->host, "Which host: a name, or the path of its control socket")
      ->type_name("NAME|PATH");
  command->add_flag("-z,--zeros", options->zeros, "Those that are zero too");
  command->add_flag("-a,--ignore", options->absolute, "Since the start, instead of since the last time");
  command->add_flag("-s,--noupdate", options->no_update, "This is not the last time");
  command->add_flag("-r,--reset", options->reset, "Forget the last time");
  command->add_flag("-n,--nooutput", options->no_output, "Show nothing");
  command->add_flag("-j,--json", options->as_json, "JSON");
  command->footer(
      "As nstat(8): what has been counted since it was asked last; the host keeps that, for all who ask.\n"
      "Example: transom nstat 'Tcp*' 'Drop*'");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
