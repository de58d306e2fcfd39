// The subcommands. Each function declares its flags; `selected` is then set to what runs when its name was
// given.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace transom::tools {

struct Selection {
  std::vector<std::string> neighbour_command;  // what stood behind "--"
  std::function<int()> run;                    // returns the exit status
};

void add_up(CLI::App& app, Selection& selected);
void add_run(CLI::App& app, Selection& selected);
void add_ping(CLI::App& app, Selection& selected);
void add_nc(CLI::App& app, Selection& selected);
void add_ss(CLI::App& app, Selection& selected);
void add_netstat(CLI::App& app, Selection& selected);
void add_nstat(CLI::App& app, Selection& selected);
void add_sysctl(CLI::App& app, Selection& selected);
void add_dump(CLI::App& app, Selection& selected);
void add_check_capture(CLI::App& app, Selection& selected);
void add_rewrite(CLI::App& app, Selection& selected);
void add_scrub(CLI::App& app, Selection& selected);
void add_ip(CLI::App& app, Selection& selected);
void add_sim(CLI::App& app, Selection& selected);
void add_replay(CLI::App& app, Selection& selected);
void add_replay_suite(CLI::App& app, Selection& selected);
void add_link(CLI::App& app, Selection& selected);
void add_ladder(CLI::App& app, Selection& selected);
void add_fsm(CLI::App& app, Selection& selected);
void add_shrink(CLI::App& app, Selection& selected);
void add_judge(CLI::App& app, Selection& selected);
void add_doctor(CLI::App& app, Selection& selected);

}  // namespace transom::tools
