// What a running host answers on its control socket: it shows itself (snapshot.h), changes settings
// (sysctl_table.h), addresses, routes and neighbours (host_changes.h), and hands on what passes it
// (packet_tap.h).
#pragma once

#include <nlohmann/json.hpp>

#include "tools/packet_tap.h"

namespace transom::tools {

class HostRequests {
 public:
  // The stack must outlive it.
  explicit HostRequests(sockets::Stack& stack) : stack_(stack), tap_(stack) {}

  // {"show": WHAT}, {"change": WHAT, ...}, {"dump": ...}. Throws Failure.
  nlohmann::json answer(const nlohmann::json& request);

 private:
  nlohmann::json show(const nlohmann::json& request);
  nlohmann::json counters_since_last(const nlohmann::json& history);

  sockets::Stack& stack_;
  PacketTap tap_;
  nlohmann::json last_counters_;  // when nstat asked last
};

}  // namespace transom::tools
