// What stands behind `transom ip OBJECT`, as ip(8) writes it, as a request to a host.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace transom::tools {

// `object`: "addr", "route", "neigh", "maddr", "link". {"show": ...} to look, perhaps with "interface", or
// {"change":
// ..., "verb": ..., ...}. Throws Failure for what is not understood.
nlohmann::json parse_ip_arguments(const std::string& object, const std::vector<std::string>& words,
                                  bool only_v6);

}  // namespace transom::tools
