#include "tools/host_requests.h"

#include <unistd.h>

#include "socket_api/names/resolver.h"
#include "tools/failure.h"
#include "tools/host_changes.h"
#include "tools/snapshot.h"
#include "tools/sysctl_table.h"

namespace transom::tools {

namespace {

using nlohmann::json;

json settings_as_json(Host& host) {
  json settings = json::object();
  for (const Setting& setting : settings_of(host)) settings[setting.name] = setting.value;
  return settings;
}

json names_as_json(const sockets::ResolverConfig& resolver) {
  json servers = json::array();
  for (const Endpoint& server : resolver.servers) servers.push_back(to_string(server.address));
  return {{"servers", servers}, {"search", resolver.search_domains.value_or(std::vector<std::string>())}};
}

TapRequest tap_request(Host& host, const json& request) {
  TapRequest tap{.socket = request.at("socket").get<std::string>(),
                 .snap_length = request.value("snap_length", 262144U),
                 .wants_decisions = request.value("decisions", false)};
  if (const std::string name = request.value("interface", ""); name != "any") {
    for (const auto& interface : host.link().interfaces()) {
      if (interface->name() == name) tap.interface = interface->id();
    }
    if (tap.interface == InterfaceId::kAny)
      fail(Exit::kUsage, "there is no interface '{}'; transom ip addr shows them", name);
  }
  if (const std::string direction = request.value("direction", "inout"); direction != "inout")
    tap.direction = direction == "in" ? TapDirection::kIn : TapDirection::kOut;
  for (const json& instruction : request.value("filter", json::array())) {
    tap.filter.push_back({.code = instruction.at(0).get<u_short>(),
                          .jt = instruction.at(1).get<u_char>(),
                          .jf = instruction.at(2).get<u_char>(),
                          .k = instruction.at(3).get<bpf_u_int32>()});
  }
  return tap;
}

}  // namespace

json HostRequests::answer(const json& request) {
  if (request.contains("dump")) {
    TapRequest tap;
    {
      sockets::Session session(stack_);
      tap = tap_request(session.host(), request.at("dump"));
    }
    tap_.watch(std::move(tap));
    return json::object();
  }
  if (request.contains("change")) {
    sockets::Session session(stack_);
    if (request.at("change") != "settings") {
      change_host(session.host(), request);
      return json::object();
    }
    for (const json& setting : request.at("settings"))
      change_setting(session.host(), setting.at("name").get<std::string>(),
                     setting.at("value").get<std::string>());
    return settings_as_json(session.host());
  }
  return show(request);
}

// As nstat of iproute2 keeps it, but here and not in a file: {"reset": BOOL, "update": BOOL}.
json HostRequests::counters_since_last(const json& history) {
  const json now = take_snapshot(stack_, "counters");
  if (history.value("reset", false)) last_counters_ = json();
  json since = now;
  for (auto& [group, counters] : since.items()) {
    for (auto& [name, value] : counters.items()) {
      const json::json_pointer place = json::json_pointer() / group / name;
      if (last_counters_.contains(place))
        value = value.get<std::uint64_t>() - last_counters_.at(place).get<std::uint64_t>();
    }
  }
  if (history.value("update", true)) last_counters_ = now;
  return since;
}

json HostRequests::show(const json& request) {
  const auto what = request.at("show").get<std::string>();
  if (what == "names") return names_as_json(sockets::effective_resolver(stack_));
  if (what == "process") return {{"pid", getpid()}, {"uid", getuid()}, {"name", "transom"}};
  if (what == "counters" && request.contains("history")) return counters_since_last(request.at("history"));
  if (what != "settings" && what != "route") return take_snapshot(stack_, what);
  sockets::Session session(stack_);
  if (what == "settings") return settings_as_json(session.host());
  return json::array({route_to(session.host(), request.at("address").get<std::string>())});
}

}  // namespace transom::tools
