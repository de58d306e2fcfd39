// What `transom ip ... add` and the like ask of a running host.
#pragma once

#include <nlohmann/json.hpp>

#include "stack/host.h"

namespace transom::tools {

// `request`: {"change": "address" | "route" | "neighbour" | "link", "verb": "add" | "replace" | "delete" |
// "flush" | "set", and what belongs to it, as strings}. Throws Failure when it cannot be done.
void change_host(Host& host, const nlohmann::json& request);

// How the host would reach an address: a route as `transom ip route` shows it.
nlohmann::json route_to(Host& host, const std::string& address);

}  // namespace transom::tools
