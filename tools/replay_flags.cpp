#include "tools/replay_flags.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "tools/failure.h"

namespace transom::tools {

namespace {

using Roles = std::vector<std::string_view>;

struct Flags {
  Roles roles;  // that they mean something to
  std::vector<const char*> names;
};

const Roles& live_roles() {
  static const Roles kRoles{"client", "server", "app", "both"};
  return kRoles;
}

const std::array<Flags, 8>& flags_of_some() {
  static const std::array<Flags, 8> kFlags{{
      {{"feed", "app", "both"}, {"--as"}},
      {{"feed", "client", "server", "app", "both"}, {"--stall", "--seed"}},
      {{"feed", "app"}, {"--cc"}},
      {{"client", "app"}, {"--peer"}},
      {{"client", "server", "both"}, {"--fidelity", "--limit"}},
      {live_roles(),
       {"--when", "--multiplier", "--pps", "--mbps", "--topspeed", "--oneatatime", "--maxsleep", "--loop",
        "--duration", "--fault"}},
      {{"client", "server", "app"},
       {"--port", "--mask", "--tap", "--tun", "--ip", "--kernel-ip", "--mac", "--mtu", "--no-offload",
        "--gateway", "--dhcp", "--slaac", "--dns", "--pcap", "--trace", "--snap-length"}},
      {{"both"}, {"--intf1", "--intf2", "--bridge"}},
  }};
  return kFlags;
}

}  // namespace

CLI::Validator above_zero() {
  return {[](std::string& text) -> std::string {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            if (end != text.c_str() && *end == '\0' && value > 0) return {};
            return fmt::format("'{}' is no number above 0", text);
          },
          "POSITIVE"};
}

void check_flags(const CLI::App& replay, const std::string& role, bool has_command) {
  for (const auto& [roles, names] : flags_of_some()) {
    if (std::ranges::find(roles, role) != roles.end()) continue;
    for (const char* name : names) {
      const CLI::Option* const option = replay.get_option_no_throw(name);
      if (option != nullptr && option->count() > 0)
        fail(Exit::kUsage, "{} means nothing to --role {}; it is for {}", name, role, fmt::join(roles, ", "));
    }
  }
  if (has_command && std::ranges::find(live_roles(), role) == live_roles().end())
    fail(Exit::kUsage, "--role {} runs no command behind '--'; those that do are {}", role,
         fmt::join(live_roles(), ", "));
}

}  // namespace transom::tools
