// The command `transom`: picks the subcommand and turns failures into exit codes.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "tools/commands.h"
#include "tools/failure.h"

namespace transom::tools {
namespace {

// Everything from "--" on is not ours to parse.
std::vector<std::string> take_neighbour_command(std::vector<std::string>& arguments) {
  for (auto at = arguments.begin(); at != arguments.end(); ++at) {
    if (*at != "--") continue;
    std::vector<std::string> command(at + 1, arguments.end());
    arguments.erase(at, arguments.end());
    if (command.empty()) {
      fail(Exit::kUsage, "no command after '--'; write it behind, as in: transom {} -- ping -c 1 10.9.0.2",
           arguments.front());
    }
    return command;
  }
  return {};
}

int run(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  Selection selected;
  constexpr std::array<std::string_view, 4> kWithCommand{"up", "run", "link", "replay"};
  if (!arguments.empty() && std::ranges::find(kWithCommand, arguments.front()) != kWithCommand.end()) {
    selected.neighbour_command = take_neighbour_command(arguments);
  }

  // CLI11 takes no such name.
  if (!arguments.empty() && arguments.front() == "dump")
    std::ranges::replace(arguments, std::string("-#"), std::string("--number"));

  CLI::App app("A TCP/IP stack that lives in a process, on a TAP or TUN device.", "transom");
  app.require_subcommand(1);
  app.set_version_flag("--version", "transom " TRANSOM_VERSION);
  app.footer(
      "Start here: transom doctor; transom up --serve http=80 -- curl http://10.9.0.2/\n"
      "Exit codes: 0 good, 1 the thing failed, 2 bad usage or input, 3 the environment lacks something");
  add_up(app, selected);
  add_run(app, selected);
  add_ping(app, selected);
  add_nc(app, selected);
  add_ss(app, selected);
  add_netstat(app, selected);
  add_nstat(app, selected);
  add_sysctl(app, selected);
  add_ip(app, selected);
  add_dump(app, selected);
  add_check_capture(app, selected);
  add_rewrite(app, selected);
  add_scrub(app, selected);
  add_sim(app, selected);
  add_replay_suite(app, selected);
  add_link(app, selected);
  add_judge(app, selected);
  add_replay(app, selected);
  add_ladder(app, selected);
  add_shrink(app, selected);
  add_fsm(app, selected);
  add_doctor(app, selected);

  try {
    std::ranges::reverse(arguments);  // what CLI11 wants
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto chosen = app.get_subcommands();
    const std::string help =
        chosen.empty() ? "transom --help" : fmt::format("transom {} --help", chosen.front()->get_name());
    fail(Exit::kUsage, "{}; see {}", error.what(), help);
  }
  return selected.run();
}

}  // namespace
}  // namespace transom::tools

int main(int argc, char** argv) {
  using transom::tools::Exit;
  try {
    return transom::tools::run(argc, argv);
  } catch (const transom::tools::Failure& failure) {
    std::fflush(stdout);
    fmt::print(stderr, "transom: {}\n", failure.what());
    return static_cast<int>(failure.exit());
  } catch (const CLI::Error& error) {  // of a value that is looked at late
    fmt::print(stderr, "transom: {}\n", error.what());
    return static_cast<int>(Exit::kUsage);
  } catch (const std::exception& error) {
    fmt::print(stderr, "transom: unexpected: {}\n", error.what());
    return static_cast<int>(Exit::kFailed);
  }
}
