// transom sysctl: the settings of a running host.
#include <fnmatch.h>

#include <algorithm>
#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct SysctlOptions {
  std::string host;
  std::vector<std::string> words;  // NAME, NAME=VALUE
  bool all = false, write = false, only_values = false, only_names = false;
  bool as_json = false;
};

std::string dotted(std::string name) {
  std::ranges::replace(name, '/', '.');
  return name;
}

void print(const SysctlOptions& options, const json& settings) {
  if (options.as_json) {
    fmt::print("{}\n", settings.dump(2));
    return;
  }
  for (const auto& [name, value] : settings.items()) {
    const auto text = value.get<std::string>();
    if (options.only_names) {
      fmt::print("{}\n", name);
    } else if (options.only_values) {
      fmt::print("{}\n", text);
    } else {
      fmt::print("{} = {}\n", name, text);
    }
  }
}

int run(const SysctlOptions& options) {
  if (options.words.empty() && !options.all)
    fail(Exit::kUsage, "which setting? transom sysctl -a lists them all");
  json changes = json::array();
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < options.words.size(); ++i) {
    const std::string& word = options.words[i];
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos && options.write)
      fail(Exit::kUsage, "'{}' lacks a value, as in: transom sysctl -w net.ipv4.tcp_sack=0", word);
    std::string name = word.substr(0, equals);
    name.erase(name.find_last_not_of(' ') + 1);
    wanted.push_back(dotted(name));
    if (equals != std::string::npos)
      changes.push_back({{"name", wanted.back()}, {"value", word.substr(equals + 1)}});
  }
  json request = {{"show", "settings"}};
  if (!changes.empty()) request = {{"change", "settings"}, {"settings", changes}};
  const json all = ask_host(options.host, request);
  json shown = json::object();
  for (const std::string& name : wanted) {
    bool is_known = false;
    for (const auto& [known, value] : all.items()) {
      if (fnmatch(name.c_str(), known.c_str(), 0) != 0 && !known.starts_with(name + ".")) continue;
      shown[known] = value;
      is_known = true;
    }
    if (!is_known) fail(Exit::kUsage, "there is no setting '{}'; transom sysctl -a lists them", name);
  }
  print(options, options.all ? all : shown);
  return 0;
}

}  // namespace

void add_sysctl(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("sysctl", "Settings of a running host, by the names of Linux");
  auto options = std::make_shared<SysctlOptions>();
  command
      ->add_option("name", options->words, "Names, also with * or as the beginning; NAME=VALUE changes one")
      ->type_name("NAME[=VALUE]...");
  command->add_option("--host", options->host, "Which host: a name, or the path of its control socket")
      ->type_name("NAME|PATH");
  command->add_flag("-a,--all", options->all, "All");
  command->add_flag("-w,--write", options->write, "Only changes: a name without a value is an error");
  command->add_flag("-n,--values", options->only_values, "The values alone");
  command->add_flag("-N,--names", options->only_names, "The names alone");
  command->add_flag("--json", options->as_json, "JSON");
  command->footer(
      "A change counts for what begins from then on.\n"
      "Example: transom sysctl net.ipv4.tcp_congestion_control; transom sysctl -w net.ipv4.tcp_sack=0");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
