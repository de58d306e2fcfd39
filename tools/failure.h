// How a subcommand ends when it cannot do its work: an exit code and one line for the person.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace transom::tools {

enum class Exit : int {
  kGood = 0,
  kFailed = 1,       // the thing failed
  kUsage = 2,        // bad usage, or input that cannot be read
  kEnvironment = 3,  // this machine lacks something
};

// Thrown by a subcommand, printed by main(). The message says what happened, to what, and what to do about
// it.
class Failure : public std::runtime_error {
 public:
  Failure(Exit exit, const std::string& message) : std::runtime_error(message), exit_(exit) {}
  Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

template <typename... Arguments>
[[noreturn]] void fail(Exit exit, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Failure(exit, fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace transom::tools
