// A program under supervision, as `transom run` has it: a function, in a process of its own, whose socket
// calls the kernel hands to a Supervisor of this process. The stack has its loopback interface alone.
#pragma once

#include <functional>
#include <string>

namespace transom::sockets::run {

// What the program says in the end: "" for that all was well. `program` must not use gtest.
std::string run_on_stack(const std::function<std::string()>& program);

// The program's words for what went wrong: "" if `is_true`, else `what` and errno.
std::string unless(bool is_true, const std::string& what);

}  // namespace transom::sockets::run

// Within a program: ends it, if that is not so.
#define REQUIRE_HERE(condition)                                                                         \
  if (const std::string wrong = ::transom::sockets::run::unless(condition, #condition); !wrong.empty()) \
  return wrong
