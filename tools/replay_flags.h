// What `transom replay` is told, and what it cannot mean.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace transom::tools {

// A number greater than 0.
CLI::Validator above_zero();

// Throws Failure (kUsage) for the first flag that was given and means nothing to `role`, and for a command
// where none is run: whoever gave them expects something else to happen.
void check_flags(const CLI::App& replay, const std::string& role, bool has_command);

}  // namespace transom::tools
