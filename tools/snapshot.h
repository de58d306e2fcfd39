// Pictures of a running host as JSON: what ss, nstat and ip print, whichever process the host is in.
#pragma once

#include <nlohmann/json.hpp>

#include "socket_api/stack_instance.h"

namespace transom::tools {

// `what` is one of "sockets", "counters", "addresses", "routes", "neighbours". Throws Failure for anything
// else.
nlohmann::json take_snapshot(sockets::Stack& stack, std::string_view what);

}  // namespace transom::tools
