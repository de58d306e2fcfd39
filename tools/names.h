// Names that a person gives instead of addresses.
#pragma once

#include <string>

#include "tools/local_host.h"

namespace transom::tools {

// Throws Failure(kUsage) for what is neither a number nor could be a name, so that a slip is noticed before a
// host is set up.
void check_target(const std::string& text);

// It is a name, and one of several addresses may be the one that answers.
bool is_name(const std::string& text);

// Throws the Failure that says why `text` has no address: `error` is an EAI_ value.
[[noreturn]] void fail_lookup(sockets::Stack& stack, const std::string& text, int error);

// The address of `text`, a number or a name, for a host that is set up; of one family, if asked for. Throws
// Failure, with what to do about it.
IpAddress find_target(LocalHost& host, const std::string& text, bool only_v4, bool only_v6);

}  // namespace transom::tools
