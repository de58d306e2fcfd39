#include "tools/device_options.h"

#include <fmt/format.h>

namespace transom::tools {

namespace {

CLI::ValidationError bad(const std::string& message) { return {message, CLI::ExitCodes::ValidationError}; }

// CLI11 converts with a function: `parse` turns the text into a value or throws.
template <typename Value, typename Parse>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, Value& value, Parse parse,
                        const std::string& help) {
  return command.add_option_function<std::string>(
      name, [&value, parse](const std::string& text) { value = parse(text); }, help);
}

template <typename Value, typename Parse>
CLI::Option* add_parsed_list(CLI::App& command, const std::string& name, std::vector<Value>& values,
                             Parse parse, const std::string& help) {
  return command
      .add_option_function<std::vector<std::string>>(
          name,
          [&values, parse](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) values.push_back(parse(text));
          },
          help)
      ->allow_extra_args(false);
}

MacAddress parse_mac(const std::string& text) {
  const auto mac = MacAddress::parse(text);
  if (!mac) throw bad(fmt::format("'{}' is not a MAC address; write it like 02:00:00:00:00:01", text));
  if (mac->is_group() || mac->is_zero()) {
    throw bad(
        fmt::format("{} cannot be the address of one host; clear the lowest bit of the first octet", text));
  }
  return *mac;
}

drivers::FaultOptions parse_faults(const std::string& text) {
  auto faults = drivers::parse_fault_options(text);
  if (!faults) throw bad(faults.error());
  return *faults;
}

}  // namespace

IpPrefix parse_interface_address(const std::string& text) {
  const auto prefix = IpPrefix::parse(text);
  if (!prefix)
    throw bad(fmt::format("'{}' is not an address; write it like 10.9.0.2/24 or fd09::2/64", text));
  if (text.find('/') == std::string::npos) {
    throw bad(fmt::format("'{}' lacks its prefix length; write {}/{}", text, text,
                          prefix->address.is_v4() ? 24 : 64));
  }
  const IpAddress& address = prefix->address;
  const bool is_network = address.is_v4() && prefix->length < 31 && prefix->network().address == address;
  if (address.is_unspecified() || address.is_multicast() || address.is_loopback() || is_network ||
      prefix->directed_broadcast() == address) {
    throw bad(
        fmt::format("{} cannot be the address of one host; choose another address of that network", text));
  }
  return *prefix;
}

IpAddress parse_address(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) throw bad(fmt::format("'{}' is not an IP address; write it like 10.9.0.1 or fd09::1", text));
  return *address;
}

void add_device_options(CLI::App& command, DeviceOptions& options) {
  const std::string group = "Device";
  auto* tap = command.add_option("--tap", options.tap, "TAP (Ethernet) device; made if missing")
                  ->type_name("NAME")
                  ->group(group);
  auto* tun = command.add_option("--tun", options.tun, "TUN (bare IP) device; made if missing")
                  ->type_name("NAME")
                  ->group(group)
                  ->excludes(tap);
  auto* packet =
      command
          .add_option(
              "--packet", options.packet,
              "Ethernet interface that exists, such as one end of a veth pair, beside the kernel there")
          ->type_name("INTERFACE")
          ->group(group)
          ->excludes(tap)
          ->excludes(tun);
  command
      .add_option("--xdp", options.xdp, "The same by AF_XDP, before the kernel; as root, without offloads")
      ->type_name("INTERFACE")
      ->group(group)
      ->excludes(tap)
      ->excludes(tun)
      ->excludes(packet);
  add_parsed_list(command, "--ip", options.addresses, parse_interface_address,
                  "Address of this host; repeatable (default 10.9.0.2/24 and fd09::2/64)")
      ->type_name("ADDR/LEN")
      ->group(group);
  add_parsed_list(command, "--kernel-ip", options.kernel_addresses, parse_interface_address,
                  "Address of the kernel's end of the device; repeatable (default: the first of each "
                  "network, if the device is made here)")
      ->type_name("ADDR/LEN")
      ->group(group);
  add_parsed(command, "--mac", options.mac, parse_mac, "MAC address of this host")
      ->type_name("MAC")
      ->group(group);
  command.add_option("--mtu", options.mtu, "Octets of IP packet")
      ->check(CLI::Range(68, 65521))
      ->type_name("OCTETS")
      ->group(group);
  command
      .add_flag("--no-offload", options.no_offload,
                "Cut segments and make checksums here instead of in the device; frames are as on a wire")
      ->group(group);
  add_parsed_list(command, "--gateway", options.gateways, parse_address, "Default gateway; one per family")
      ->type_name("ADDR")
      ->group(group);
  auto* dhcp =
      command.add_flag("--dhcp", options.dhcp, "An IPv4 address and what goes with it from a DHCP server")
          ->group(group);
  auto* slaac = command.add_flag("--slaac", options.slaac, "The same of IPv6 from the routers of the link")
                    ->group(group);
  for (CLI::Option* option : {dhcp, slaac}) option->excludes("--tun");
  add_parsed_list(command, "--dns", options.name_servers, parse_address,
                  "Name server; repeatable (default: those that DHCP and routers name)")
      ->type_name("ADDR")
      ->group(group);
  command
      .add_option("--pcap", options.capture,
                  "Write what passes the device to this file (.pcap or .pcapng, also .gz, .zst)")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--trace", options.traces, "Write what the stack decides, and why, to this file")
      ->type_name("FILE.txt|FILE.jsonl|FILE.pcapng")
      ->group(group);
  command.add_option("--snap-length", options.capture_length, "Octets kept of each captured frame")
      ->check(CLI::Range(64, 262144))
      ->type_name("OCTETS")
      ->group(group);
  add_parsed(command, "--fault", options.faults, parse_faults,
             "Make the link bad: 'loss=1% reorder=2% dup=0.1% corrupt=0.1% truncate=0.1% delay=10ms "
             "jitter=2ms seed=7'")
      ->type_name("FAULTS")
      ->group(group);
  command
      .add_option(
          "--cc", options.congestion_control,
          "Congestion control: cubic, reno, bbr, dctcp, prague or a shared object; with parameters as "
          "in cubic:beta=0.8")
      ->type_name("NAME|FILE.so")
      ->group(group);
  command
      .add_option(
          "--busy-poll", options.busy_poll,
          "How long a call that waits looks at the device before it sleeps, at most: answers are faster, "
          "and take a core (default 0)")
      ->check(CLI::Range(0, 1000000))
      ->type_name("MICROSECONDS")
      ->group(group);
  command.add_option("--seed", options.seed, "Seed of the stack's random numbers (default: from the system)")
      ->type_name("NUMBER")
      ->group(group);
}

}  // namespace transom::tools
