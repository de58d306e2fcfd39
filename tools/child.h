// The kernel neighbour's command: a child process, and the signals that concern it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace transom::tools {

// Blocks the signals that wait_for_end() waits for. Before any thread is started.
void block_signals();

// Starts `command` with the signal mask that a program expects. Throws Failure.
pid_t start_child(const std::vector<std::string>& command);

// Until the child has ended, or, without one (0), until SIGINT, SIGTERM or SIGHUP. A child is sent SIGTERM
// on; SIGINT it has from the terminal. `look` is called twice a second; when it returns false the wait ends.
// Returns the exit status: the child's (128 + n when signal n killed it), else 0; 1 when `look` ended it.
int wait_for_end(pid_t child, const std::function<bool()>& look);

}  // namespace transom::tools
