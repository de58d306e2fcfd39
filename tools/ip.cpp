// transom ip addr|route|neigh: interfaces, routes and neighbours of a running host.
#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"

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

int run(const IpOptions& options, const std::string& what) {
  const json list = ask_host(options.host, {{"show", what}});
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
  for (const json& entry : shown) what == "routes" ? print_route(entry) : print_neighbour(entry);
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
  command->footer("Example: transom ip -4 addr; transom ip neigh");
  const auto add = [&](const std::string& name, const std::string& alias, const std::string& what,
                       const std::string& help) {
    CLI::App* object = command->add_subcommand(name, help)->alias(alias)->fallthrough();
    object->add_option_function<std::string>(
        "show",
        [](const std::string& verb) {
          if (std::string_view verbs[] = {"show", "list", "ls"};
              std::ranges::find(verbs, verb) == std::end(verbs)) {
            throw CLI::ValidationError(fmt::format("'{}' cannot be done from here; only show can", verb),
                                       CLI::ExitCodes::ValidationError);
          }
        },
        "show, which is what happens anyway");
    object->callback(
        [options, &selected, what] { selected.run = [options, what] { return run(*options, what); }; });
  };
  add("addr", "a", "addresses", "Interfaces and their addresses");
  add("route", "r", "routes", "The routing table");
  add("neigh", "n", "neighbours", "The neighbour cache");
}

}  // namespace transom::tools
