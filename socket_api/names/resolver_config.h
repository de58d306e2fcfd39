// How a Stack resolves names: what resolv.conf(5), hosts(5) and their kin say elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "stack/base/address.h"

namespace transom::sockets {

struct ResolverConfig {
  // Asked in this order, on their ports (Port::kNone: 53). Empty: those that DHCP and routers have named.
  std::vector<Endpoint> servers = {};
  // Tried behind a name with fewer than `ndots` dots. Not set: those that DHCP and routers have named.
  std::optional<std::vector<std::string>> search_domains = std::nullopt;
  int ndots = 1;
  std::chrono::milliseconds timeout{2000};  // for the first answer of a server; later tries wait longer
  int attempts = 3;                         // of each server
  std::string hosts_file = "/etc/hosts";    // empty: none
};

}  // namespace transom::sockets
