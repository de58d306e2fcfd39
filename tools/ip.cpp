// transom ip addr|route|neigh|maddr|link: interfaces, routes and neighbours of a running host.
#include <fmt/ranges.h>

#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/ip_arguments.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct IpOptions {
  std::string host;
  bool only_v4 = false, only_v6 = false;
  bool as_json = false;
  bool statistics = false;
};

std::string text(const json& object, const char* key) { return object.value(key, std::string()); }

bool is_wanted(const IpOptions& options, const json& entry) {
  const bool is_v6 = entry["family"] == "inet6";
  return !(options.only_v4 && is_v6) && !(options.only_v6 && !is_v6);
}

void print_traffic(const char* label, const json& traffic) {
  fmt::print("    {}: bytes {} packets {} dropped {}\n", label, traffic["bytes"].get<std::uint64_t>(),
             traffic["packets"].get<std::uint64_t>(), traffic["dropped"].get<std::uint64_t>());
}

void print_addresses(const IpOptions& options, const json& interfaces) {
  for (const json& interface : interfaces) {
    fmt::print("{}: {}: <{}> mtu {}\n", interface["index"].get<unsigned>(), text(interface, "name"),
               interface["type"] == "loopback" ? "LOOPBACK,UP"
               : interface["type"] == "ether"  ? "BROADCAST,MULTICAST,UP"
                                               : "POINTOPOINT,UP",
               interface["mtu"].get<unsigned>());
    fmt::print("    link/{} {}\n", text(interface, "type"), text(interface, "mac"));
    for (const json& address : interface["addresses"]) {
      if (!is_wanted(options, address)) continue;
      const std::string state = text(address, "state");
      fmt::print("    {} {}/{} scope {}{}\n", text(address, "family"), text(address, "address"),
                 address["prefix_length"].get<unsigned>(), text(address, "scope"),
                 state == "preferred" ? "" : " " + state);
    }
    if (!options.statistics) continue;
    print_traffic("RX", interface["rx"]);
    print_traffic("TX", interface["tx"]);
  }
}

void print_route(const json& route) {
  const std::string destination = text(route, "destination");
  const bool is_default = destination == "0.0.0.0/0" || destination == "::/0";
  fmt::print("{}", is_default ? "default" : destination);
  if (route.contains("gateway")) fmt::print(" via {}", text(route, "gateway"));
  fmt::print(" dev {}", text(route, "interface"));
  if (route.contains("source")) fmt::print(" src {}", text(route, "source"));
  if (route["metric"] != 0) fmt::print(" metric {}", route["metric"].get<unsigned>());
  fmt::print("\n");
}

void print_neighbour(const json& neighbour) {
  fmt::print("{} dev {}", text(neighbour, "address"), text(neighbour, "interface"));
  if (neighbour.contains("mac")) fmt::print(" lladdr {}", text(neighbour, "mac"));
  fmt::print(" {}\n", text(neighbour, "state"));
}

// What is shown is of one interface, if one is named.
void leave_one_interface(json& list, const std::string& name) {
  json left = json::array();
  for (const json& entry : list) {
    if (entry.value("interface", entry.value("name", std::string())) == name) left.push_back(entry);
  }
  list = left;
}

void print_groups(const IpOptions& options, const json& interfaces) {
  for (const json& interface : interfaces) {
    fmt::print("{}:\t{}\n", interface["index"].get<unsigned>(), text(interface, "name"));
    for (const json& group : interface["groups"]) {
      if (!is_wanted(options, group)) continue;
      fmt::print("\t{:<5} {}", text(group, "family"), text(group, "address"));
      if (!group.value("sources", json::array()).empty())
        fmt::print(" {} {}", text(group, "mode"),
                   fmt::join(group["sources"].get<std::vector<std::string>>(), " "));
      fmt::print("\n");
    }
  }
}

int run(const IpOptions& options, const std::string& object, const std::vector<std::string>& words) {
  const json request = parse_ip_arguments(object, words, options.only_v6);
  json list = ask_host(options.host, request);
  if (!request.contains("show")) return 0;
  const auto what = request["show"].get<std::string>();
  if (request.contains("interface")) leave_one_interface(list, request["interface"]);
  if (what == "groups" && !options.as_json) {
    print_groups(options, list);
    return 0;
  }
  if (what == "groups") {
    fmt::print("{}\n", list.dump(2));
    return 0;
  }
  if (what == "addresses") {
    if (options.as_json) {
      fmt::print("{}\n", list.dump(2));
    } else {
      print_addresses(options, list);
    }
    return 0;
  }
  json shown = json::array();
  for (const json& entry : list) {
    if (is_wanted(options, entry)) shown.push_back(entry);
  }
  if (options.as_json) {
    fmt::print("{}\n", shown.dump(2));
    return 0;
  }
  for (const json& entry : shown) what == "neighbours" ? print_neighbour(entry) : print_route(entry);
  return 0;
}

}  // namespace

void add_ip(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("ip", "Interfaces, routes and neighbours of a running host");
  auto options = std::make_shared<IpOptions>();
  command->require_subcommand(1);
  command->add_option("--host", options->host, "Which host: a name, or the path of its control socket")
      ->type_name("NAME|PATH");
  command->add_flag("-4", options->only_v4, "IPv4 only");
  command->add_flag("-6", options->only_v6, "IPv6 only");
  command->add_flag("-s,--statistics", options->statistics, "Traffic too");
  command->add_flag("-j,--json", options->as_json, "JSON");
  command->fallthrough(false);
  command->footer(
      "Example: transom ip -4 addr; transom ip route add 10.7.0.0/16 via 10.9.0.1; transom ip neigh flush");
  const auto add = [&](const std::string& name, const std::string& alias, const std::string& help) {
    CLI::App* object = command->add_subcommand(name, help)->alias(alias)->fallthrough();
    auto words = std::make_shared<std::vector<std::string>>();
    object->add_option("words", *words, "show (the default), add, delete, ... as ip(8) has them")
        ->type_name("...");
    object->callback([options, words, &selected, name] {
      selected.run = [options, words, name] { return run(*options, name, *words); };
    });
  };
  add("addr", "a", "Interfaces and their addresses: show, add, delete, flush");
  add("route", "r", "The routing table: show, add, replace, delete, get");
  add("neigh", "n", "The neighbour cache: show, add, replace, delete, flush");
  add("maddr", "m", "Multicast groups: show");
  add("link", "l", "Interfaces: show, set NAME mtu N");
}

}  // namespace transom::tools
