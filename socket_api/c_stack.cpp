// transom_stack_create() and transom_stack_destroy().
#include "socket_api/c_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "drivers/capture_device.h"
#include "drivers/clock.h"
#include "drivers/congestion_plugin.h"
#include "drivers/fault_device.h"
#include "drivers/fault_options.h"
#include "drivers/network_setup.h"
#include "drivers/packet_device.h"
#include "drivers/tap_device.h"
#include "drivers/xdp_device.h"
#include "socket_api/socket.h"

namespace transom::sockets {

namespace {

using drivers::DeviceError;
template <typename T>
using OrError = std::expected<T, DeviceError>;

std::unexpected<DeviceError> complain(int error_number, std::string message) {
  return std::unexpected(DeviceError{std::move(message), error_number});
}

template <typename T>
OrError<T> parse(const char* text, const char* what) {
  const auto value = T::parse(text);
  if (!value) return complain(EINVAL, fmt::format("'{}' is not {}", text, what));
  return *value;
}

template <typename T>
OrError<std::vector<T>> parse_all(const char* const* list, const char* what) {
  std::vector<T> values;
  for (; list != nullptr && *list != nullptr; ++list) {
    const auto value = parse<T>(*list, what);
    if (!value) return std::unexpected(value.error());
    values.push_back(*value);
  }
  return values;
}

OrError<std::unique_ptr<drivers::Device>> decorate(std::unique_ptr<drivers::Device> device,
                                                   const transom_config& config) {
  if (config.fault != nullptr) {
    const auto options = drivers::parse_fault_options(config.fault);
    if (!options) return complain(EINVAL, options.error());
    device = std::make_unique<drivers::FaultDevice>(std::move(device), *options);
  }
  if (config.pcap == nullptr) return device;
  const Duration offset = drivers::wall_clock_offset();
  return drivers::make_capture(std::move(device), {.path = config.pcap, .wall_clock = [offset](Instant now) {
                                                     return now.time_since_epoch() + offset;
                                                   }});
}

OrError<std::optional<MacAddress>> parse_mac(const transom_config& config) {
  if (config.mac == nullptr) return std::nullopt;
  const auto mac = parse<MacAddress>(config.mac, "a MAC address like 02:00:00:00:00:02");
  if (!mac) return std::unexpected(mac.error());
  if (mac->is_group())
    return complain(EINVAL, fmt::format("'{}' is a group address: no host can have it", config.mac));
  return *mac;
}

OrError<std::unique_ptr<drivers::Device>> open_interface(const transom_config& config) {
  const auto mac = parse_mac(config);
  if (!mac) return std::unexpected(mac.error());
  if (config.packet == nullptr) return drivers::open_xdp({.interface = config.xdp, .mac = *mac});
  return drivers::open_packet_device(
      {.interface = config.packet, .mac = *mac, .offload = config.no_offload == 0});
}

OrError<std::unique_ptr<drivers::Device>> open_device(const transom_config& config) {
  if (config.tap == nullptr && config.tun == nullptr) {
    auto device = open_interface(config);
    return device ? decorate(std::move(*device), config) : std::move(device);
  }
  const auto addresses = parse_all<IpPrefix>(config.kernel_addresses, "an address like 10.9.0.1/24");
  if (!addresses) return std::unexpected(addresses.error());
  drivers::TapOptions options;
  options.tun = config.tap == nullptr;
  options.name = options.tun ? config.tun : config.tap;
  if (config.mtu != 0) options.mtu = config.mtu;
  options.offload = config.no_offload == 0;
  auto device = drivers::open_tap(options);
  if (!device) return device;
  const std::string name = (*device)->properties().name;
  for (const IpPrefix& address : *addresses) {
    if (const auto added = drivers::add_link_address(name, address); !added)
      return std::unexpected(added.error());
  }
  if (const auto up = drivers::set_link_up(name); !up) return std::unexpected(up.error());
  return decorate(std::move(*device), config);
}

OrError<void> add_interface(Stack& stack, const transom_config& config) {
  const auto addresses = parse_all<IpPrefix>(config.addresses, "an address like 10.9.0.2/24");
  if (!addresses) return std::unexpected(addresses.error());
  const auto gateways = parse_all<IpAddress>(config.gateways, "an address like 10.9.0.1");
  if (!gateways) return std::unexpected(gateways.error());
  InterfaceOptions options{.conflict_detection = link::ConflictDetection::quick()};
  const auto mac = parse_mac(config);
  if (!mac) return std::unexpected(mac.error());
  options.mac = *mac;
  auto device = open_device(config);
  if (!device) return std::unexpected(device.error());
  const InterfaceId interface = stack.add_device(std::move(*device), options);
  for (const IpPrefix& address : *addresses) {
    if (const auto added = stack.add_address(interface, address); !added) {
      return complain(to_number(errno_of(added.error())),
                      fmt::format("address {}: {}", address, to_string(added.error())));
    }
  }
  for (const IpAddress& gateway : *gateways) {
    const auto added = stack.add_route({IpAddress::any(gateway.family()), 0}, gateway, interface);
    if (!added) {
      return complain(to_number(errno_of(added.error())),
                      fmt::format("gateway {}: {}", gateway, to_string(added.error())));
    }
  }
  Result<void> started;
  if (config.dhcp != 0) started = stack.start_dhcp(interface, {.start_delay = {}});
  if (started && config.slaac != 0) started = stack.autoconfigure(interface);
  if (!started)
    return complain(to_number(errno_of(started.error())), "DHCP and autoconfiguration need a TAP device");
  constexpr Duration kServerPatience = std::chrono::seconds(15);
  if (!stack.wait_for_configuration(interface, kServerPatience))
    return complain(ETIMEDOUT, "no DHCP server, or no router, has answered within 15 s");
  constexpr Duration kPatience = std::chrono::seconds(5);
  if (const auto ready = stack.wait_for_addresses(kPatience); !ready) {
    const bool is_taken = ready.error() == Error::kAddressInUse;
    return complain(to_number(errno_of(ready.error())),
                    is_taken ? "an address is in use by another host of the network: choose another"
                             : "the addresses did not become usable within 5 s");
  }
  return {};
}

OrError<std::unique_ptr<transom_stack>> create(const transom_config& config) {
  const auto devices = std::ranges::count_if(std::array{config.tap, config.tun, config.packet, config.xdp},
                                             [](const char* name) { return name != nullptr; });
  if (devices > 1) return complain(EINVAL, "a stack has one device: tap, tun, packet or xdp");
  StackConfig stack_config;
  stack_config.busy_poll = std::chrono::microseconds(config.busy_poll);
  if (config.seed != 0) stack_config.seed = seed_from_number(config.seed);
  auto stack = std::make_unique<Stack>(stack_config);
  if (devices == 1) {
    if (const auto added = add_interface(*stack, config); !added) return std::unexpected(added.error());
  } else if (config.addresses != nullptr && *config.addresses != nullptr) {
    return complain(EINVAL, "addresses need a device: set tap, tun, packet or xdp");
  }
  return std::make_unique<transom_stack>(std::move(stack));
}

// What the caller has room for; `error` may be null.
void put_message(const std::string& message, char* error, std::size_t error_size) {
  if (error == nullptr || error_size == 0) return;
  const std::size_t size = std::min(message.size(), error_size - 1);
  std::memcpy(error, message.data(), size);
  error[size] = '\0';
}

}  // namespace

}  // namespace transom::sockets

transom_stack::~transom_stack() {
  transom::sockets::Session session(stack);
  for (int number = 0; number < descriptors.end(); ++number) {
    if (const auto open = descriptors.remove(number)) {
      if (transom::sockets::Socket* const socket = open->as_socket()) socket->do_not_linger();
      open->close(session);
    }
  }
}

transom_stack* transom_stack_create(const transom_config* config, char* error, size_t error_size) {
  transom::drivers::DeviceError problem;
  try {
    auto made = transom::sockets::create(config != nullptr ? *config : transom_config{});
    if (made) return made->release();
    problem = made.error();
  } catch (const std::bad_alloc&) {
    problem = {"out of memory", ENOMEM};
  } catch (const std::exception& exception) {
    problem = {exception.what(), errno};
  }
  transom::sockets::put_message(problem.message, error, error_size);
  errno = problem.error_number != 0 ? problem.error_number : EIO;
  return nullptr;
}

int transom_load_congestion_control(transom_stack* stack, const char* name_or_path, char* error,
                                    size_t error_size) {
  try {
    transom::sockets::Session session(stack->stack);
    const auto chosen = transom::drivers::choose_congestion_control(session.host().tcp(), name_or_path);
    if (chosen) return 0;
    transom::sockets::put_message(chosen.error(), error, error_size);
    errno = EINVAL;
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
  }
  return -1;
}

int transom_stack_drain(transom_stack* stack, int timeout) {
  try {
    const auto drained = stack->stack.drain(std::chrono::milliseconds(timeout));
    if (drained) return 0;
    errno = to_number(transom::sockets::errno_of(drained.error()));
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
  }
  return -1;
}

void transom_stack_destroy(transom_stack* stack) {
  if (stack != nullptr) stack->stack.release_leases();
  delete stack;
}
