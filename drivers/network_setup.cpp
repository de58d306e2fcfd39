#include "drivers/network_setup.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "drivers/file_descriptor.h"

namespace transom::drivers {

namespace {

std::string next_step(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "; run as root, or in a user and network namespace (`unshare -rn`)";
    case ENODEV:
      return "; `ip link` lists the interfaces";
    case EINVAL:
    case ERANGE:
      return "; the kernel does not take this value for this interface";
    default:
      return "";
  }
}

std::unexpected<DeviceError> failed(const std::string& what, int error) {
  return std::unexpected(
      DeviceError{fmt::format("cannot {}: {}{}", what, std::strerror(error), next_step(error)), error});
}

std::expected<ifreq, DeviceError> request_for(const std::string& interface, const std::string& what) {
  ifreq request{};
  if (interface.empty() || interface.size() >= sizeof request.ifr_name) return failed(what, ENODEV);
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  return request;
}

// One ioctl of netdevice(7) on a throw-away socket.
std::expected<void, DeviceError> control(unsigned long operation, ifreq& request, const std::string& what) {
  const FileDescriptor socket_descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_descriptor || ioctl(socket_descriptor.get(), operation, &request) != 0)
    return failed(what, errno);
  return {};
}

// An RTM_NEWADDR request: header, interface, and one attribute for each of address, local address and flags.
class AddressRequest {
 public:
  AddressRequest(unsigned interface_index, const IpPrefix& address) {
    const bool v4 = address.address.is_v4();
    message_.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifaddrmsg));
    message_.header.nlmsg_type = RTM_NEWADDR;
    message_.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    message_.address.ifa_family = v4 ? AF_INET : AF_INET6;
    message_.address.ifa_prefixlen = address.length;
    message_.address.ifa_index = interface_index;
    const Bytes octets = Bytes(address.address.octets()).subspan(v4 ? 12 : 0);
    attribute(IFA_LOCAL, octets);
    attribute(IFA_ADDRESS, octets);
    if (const auto broadcast = address.directed_broadcast()) {
      attribute(IFA_BROADCAST, Bytes(broadcast->octets()).subspan(12));
    }
    constexpr std::uint32_t kFlags = IFA_F_NODAD;
    std::array<std::uint8_t, sizeof kFlags> flags{};
    std::memcpy(flags.data(), &kFlags, sizeof kFlags);
    if (!v4) attribute(IFA_FLAGS, flags);
  }

  // 0, or the errno that the kernel answers with.
  int execute() {
    const FileDescriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!netlink) return errno;
    if (send(netlink.get(), &message_, message_.header.nlmsg_len, 0) < 0) return errno;
    struct {
      nlmsghdr header;
      nlmsgerr error;
      std::array<char, 512> rest;
    } answer{};
    const ssize_t got = recv(netlink.get(), &answer, sizeof answer, 0);
    if (got < 0) return errno;
    if (static_cast<std::size_t>(got) < sizeof(nlmsghdr) + sizeof(int) ||
        answer.header.nlmsg_type != NLMSG_ERROR)
      return EPROTO;
    return -answer.error.error;
  }

 private:
  void attribute(unsigned short type, Bytes value) {
    rtattr header{};
    header.rta_len = static_cast<unsigned short>(RTA_LENGTH(value.size()));
    header.rta_type = type;
    char* const at = reinterpret_cast<char*>(&message_) + NLMSG_ALIGN(message_.header.nlmsg_len);
    std::memcpy(at, &header, sizeof header);
    std::memcpy(at + RTA_LENGTH(0), value.data(), value.size());
    message_.header.nlmsg_len =
        NLMSG_ALIGN(message_.header.nlmsg_len) + RTA_SPACE(static_cast<unsigned>(value.size()));
  }

  struct {
    nlmsghdr header;
    ifaddrmsg address;
    std::array<char, 128> attributes;
  } message_{};
};

}  // namespace

std::expected<void, DeviceError> set_link_up(const std::string& interface) {
  const std::string what = fmt::format("bring {} up", interface);
  auto request = request_for(interface, what);
  if (!request) return std::unexpected(request.error());
  if (auto read = control(SIOCGIFFLAGS, *request, what); !read) return read;
  request->ifr_flags = static_cast<short>(request->ifr_flags | IFF_UP);
  return control(SIOCSIFFLAGS, *request, what);
}

std::expected<void, DeviceError> set_link_mtu(const std::string& interface, std::uint32_t mtu) {
  const std::string what = fmt::format("set the MTU of {} to {}", interface, mtu);
  auto request = request_for(interface, what);
  if (!request) return std::unexpected(request.error());
  if (mtu > INT32_MAX) return failed(what, EINVAL);
  request->ifr_mtu = static_cast<int>(mtu);
  return control(SIOCSIFMTU, *request, what);
}

std::expected<void, DeviceError> set_link_mac(const std::string& interface, const MacAddress& mac) {
  const std::string what = fmt::format("set the MAC address of {} to {}", interface, mac);
  auto request = request_for(interface, what);
  if (!request) return std::unexpected(request.error());
  request->ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request->ifr_hwaddr.sa_data, mac.octets().data(), mac.octets().size());
  return control(SIOCSIFHWADDR, *request, what);
}

std::expected<void, DeviceError> add_link_address(const std::string& interface, const IpPrefix& address) {
  const std::string what = fmt::format("add {} to {}", address, interface);
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return failed(what, ENODEV);
  const int error = AddressRequest(index, address).execute();
  if (error != 0 && error != EEXIST) return failed(what, error);
  return {};
}

std::expected<std::uint32_t, DeviceError> link_mtu(const std::string& interface) {
  const std::string what = fmt::format("read the MTU of {}", interface);
  auto request = request_for(interface, what);
  if (!request) return std::unexpected(request.error());
  if (auto read = control(SIOCGIFMTU, *request, what); !read) return std::unexpected(read.error());
  return static_cast<std::uint32_t>(request->ifr_mtu);
}

std::expected<MacAddress, DeviceError> link_mac(const std::string& interface) {
  const std::string what = fmt::format("read the MAC address of {}", interface);
  auto request = request_for(interface, what);
  if (!request) return std::unexpected(request.error());
  if (auto read = control(SIOCGIFHWADDR, *request, what); !read) return std::unexpected(read.error());
  std::array<std::uint8_t, 6> octets{};
  std::memcpy(octets.data(), request->ifr_hwaddr.sa_data, octets.size());
  return MacAddress(octets);
}

bool has_link_address(const std::string& interface, const IpAddress& address) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  bool found = false;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (interface != entry->ifa_name || entry->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const void* const octets =
        family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr)
            : &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
    inet_ntop(family, octets, text.data(), text.size());
    found |= IpAddress::parse(text.data()) == address;
  }
  freeifaddrs(list);
  return found;
}

MacAddress derived_mac(const MacAddress& kernel) {
  std::array<std::uint8_t, 6> octets = kernel.octets();
  octets[0] = static_cast<std::uint8_t>((octets[0] | 0x02U) & ~0x01U);  // locally administered, not a group
  octets[5] ^= 0x01;
  return MacAddress(octets);
}

}  // namespace transom::drivers
