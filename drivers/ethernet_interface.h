// An Ethernet interface of the kernel that a Host is to use, as it is.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "drivers/device.h"

namespace transom::drivers {

struct EthernetInterface {
  unsigned index = 0;
  MacAddress mac;  // the kernel's
};

// It must exist, be Ethernet, and be up.
std::expected<EthernetInterface, DeviceError> find_ethernet_interface(const std::string& name);
// What has become of it, once it no longer has this index; nullopt while it has.
std::optional<DeviceError> end_of_interface(const std::string& name, unsigned index);

}  // namespace transom::drivers
