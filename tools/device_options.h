// The flags that say which device a host is on and how it is set up. Shared by up, ping and nc.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "drivers/fault_options.h"
#include "stack/base/address.h"

namespace transom::tools {

struct DeviceOptions {
  std::string tap;
  std::string tun;
  std::string packet;                      // an interface of the kernel, by a packet ring
  std::string xdp;                         // the same by AF_XDP
  std::vector<IpPrefix> addresses;         // of the Host
  std::vector<IpPrefix> kernel_addresses;  // of the kernel's end of the device
  std::optional<MacAddress> mac;
  std::optional<std::uint32_t> mtu;
  bool no_offload = false;
  std::vector<IpAddress> gateways;
  bool dhcp = false;
  bool slaac = false;
  std::vector<IpAddress> name_servers;  // none: those that DHCP and routers name
  std::string capture;                  // pcap file; empty: none
  std::uint32_t capture_length = 262144;
  std::vector<std::string> traces;  // files; what they end in says which kind
  std::optional<drivers::FaultOptions> faults;
  std::optional<std::uint64_t> seed;
  std::uint32_t busy_poll = 0;     // microseconds
  std::string congestion_control;  // of connections that name none; empty: the standard one
  bool fast_open = false;          // of all listeners

  // An interface of the kernel that exists; empty: a TAP or TUN device.
  const std::string& interface() const { return packet.empty() ? xdp : packet; }
  // None of them: the device is made in a private namespace.
  bool is_private() const { return device().empty(); }
  // As it was given; empty for a private one.
  const std::string& device() const { return !tap.empty() ? tap : !tun.empty() ? tun : interface(); }
};

void add_device_options(CLI::App& command, DeviceOptions& options);

// An address with prefix length as a person writes it; throws CLI::ValidationError that shows how it should
// look.
IpPrefix parse_interface_address(const std::string& text);
IpAddress parse_address(const std::string& text);

}  // namespace transom::tools
