// What the replays in real time share: waiting, the person at the terminal, the command behind "--".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tools/replay_options.h"

namespace transom::tools {

// Sleeps a little; false when somebody wants an end.
bool rest();

// Asks whoever sits at the terminal how many packets may go (-o).
class Prompt {
 public:
  explicit Prompt(bool is_wanted);
  // How many more.
  std::uint64_t take();

 private:
  bool is_open_;
  std::string line_;
};

// The neighbour command has what it needs when the replay is over: a client ends by itself, a server is told.
// Returns its exit status.
int end_child(pid_t child, bool is_server);

// Whether it has ended; its exit status then.
bool has_ended(pid_t child, int& status);

// As the command line says; addresses are left out.
drivers::replay::LiveSetup live_setup_of(const ReplayOptions& options);

}  // namespace transom::tools
