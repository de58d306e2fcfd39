// Settings of a kernel network interface, as `ip link set` and `ip address add` make them: for the kernel's
// end of a TAP device. Interfaces are those of the network namespace that the calling thread is in.
#pragma once

#include <expected>
#include <string>

#include "drivers/device.h"

namespace transom::drivers {

std::expected<void, DeviceError> set_link_up(const std::string& interface);
std::expected<void, DeviceError> set_link_mtu(const std::string& interface, std::uint32_t mtu);
std::expected<void, DeviceError> set_link_mac(const std::string& interface, const MacAddress& mac);
// Adds the address with its prefix length, and so the on-link route. An IPv6 address is usable at once:
// duplicate address detection is left out (IFA_F_NODAD). Adding an address that is there already is not an
// error.
std::expected<void, DeviceError> add_link_address(const std::string& interface, const IpPrefix& address);

// Whether the kernel has this address on the interface.
bool has_link_address(const std::string& interface, const IpAddress& address);

std::expected<std::uint32_t, DeviceError> link_mtu(const std::string& interface);
std::expected<MacAddress, DeviceError> link_mac(const std::string& interface);
// For a Host on an interface whose own address is the kernel's: another one, the same each time.
MacAddress derived_mac(const MacAddress& kernel);

}  // namespace transom::drivers
