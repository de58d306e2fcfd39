#include "drivers/ethernet_interface.h"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"

namespace transom::drivers {

std::expected<EthernetInterface, DeviceError> find_ethernet_interface(const std::string& name) {
  const auto unusable = [](const std::string& what) { return std::unexpected(DeviceError{what, EINVAL}); };
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name)
    return unusable(fmt::format("'{}' is not the name of an interface; `ip link` lists them", name));
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (ioctl(any.get(), SIOCGIFINDEX, &request) != 0)
    return unusable(fmt::format("{} does not exist; `ip link` lists the interfaces", name));
  const auto index = static_cast<unsigned>(request.ifr_ifindex);
  if (ioctl(any.get(), SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return unusable(fmt::format("{} is no Ethernet interface; choose another", name));
  if (ioctl(any.get(), SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0)
    return unusable(fmt::format("{0} is down; try: ip link set {0} up", name));
  const auto mac = link_mac(name);
  if (!mac) return std::unexpected(mac.error());
  return EthernetInterface{index, *mac};
}

std::optional<DeviceError> end_of_interface(const std::string& name, unsigned index) {
  std::array<char, IF_NAMESIZE> now{};
  if (if_indextoname(index, now.data()) != nullptr) return std::nullopt;
  return DeviceError{
      fmt::format("{} is gone: it was deleted, or has moved to another namespace; start again", name),
      ENODEV};
}

}  // namespace transom::drivers
