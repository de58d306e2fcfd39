#include "tools/local_host.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "drivers/capture_device.h"
#include "drivers/clock.h"
#include "drivers/congestion_plugin.h"
#include "drivers/fault_device.h"
#include "drivers/network_setup.h"
#include "drivers/packet_device.h"
#include "drivers/tap_device.h"
#include "drivers/xdp_device.h"
#include "tools/environment.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

[[noreturn]] void fail(const drivers::DeviceError& error) {
  switch (error.error_number) {
    case EPERM:
    case EACCES:
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      throw Failure(Exit::kEnvironment, error.message);
    case EINVAL:
    case ENAMETOOLONG:
      throw Failure(Exit::kUsage, error.message);
    default:
      throw Failure(Exit::kFailed, error.message);
  }
}

const char* kind_of_device(const DeviceOptions& options) {
  if (!options.packet.empty()) return "packet ring";
  if (!options.xdp.empty()) return "AF_XDP";
  return options.tun.empty() ? "TAP" : "TUN";
}

// The first address of the network that is not the host's own.
IpPrefix neighbour_of(const IpPrefix& own) {
  auto octets = own.network().address.octets();
  IpPrefix neighbour = own;
  do {
    ++octets.back();  // a network address ends in an even octet, so this does not carry
    neighbour.address = own.address.is_v4() ? IpAddress::v4(octets[12], octets[13], octets[14], octets[15])
                                            : IpAddress::v6(octets);
  } while (neighbour.address == own.address);
  return neighbour;
}

}  // namespace

LocalHost::LocalHost(const DeviceOptions& options, DefaultDevice otherwise,
                     std::unique_ptr<drivers::TraceSink> watcher) {
  const bool has_device = !options.is_private() || otherwise == DefaultDevice::kPrivateTap;
  std::unique_ptr<drivers::Device> device;
  if (has_device) {
    choose_addresses(options);
    if (options.is_private()) {
      enter_command_ = enter_private_network();
      report_.push_back(fmt::format("network   private; a shell in it: {}", enter_command_));
    }
    device = open_device(options);
    set_up_kernel_end(options);
  }

  sockets::StackConfig config;
  if (options.seed) config.seed = seed_from_number(*options.seed);
  config.busy_poll = std::chrono::microseconds(options.busy_poll);
  // Room for all fragments of the largest datagram while the neighbour is being found.
  config.host.link.max_pending_packets = 64;
  config.host.tcp.fast_open.all_listeners = options.fast_open;
  open_traces(options);
  if (watcher) trace_.add(std::move(watcher));
  if (!trace_.empty()) config.observer = &trace_.add_host({});
  stack_ = std::make_unique<sockets::Stack>(config);
  sockets::ResolverConfig resolver;
  for (const IpAddress& server : options.name_servers) resolver.servers.push_back({server, Port::kNone});
  stack_->set_resolver(std::move(resolver));
  if (!options.congestion_control.empty()) use_congestion_control(options.congestion_control);
  if (!has_device) return;
  sockets::InterfaceOptions interface;
  interface.name = device_name_;
  interface.mac = options.mac;
  interface.mtu = options.mtu;
  interface.conflict_detection = link::ConflictDetection::quick();
  interface_ = stack_->add_device(std::move(device), interface);
  add_addresses(options);
  configure_by_network(options);
}

LocalHost::~LocalHost() {
  if (stack_) stack_->release_leases();
}

void LocalHost::open_traces(const DeviceOptions& options) {
  const Duration offset = drivers::wall_clock_offset();
  for (const std::string& path : options.traces) {
    auto sink =
        drivers::make_trace({.path = path,
                             .wall_clock = [offset](Instant now) { return now.time_since_epoch() + offset; },
                             .snap_length = options.capture_length});
    if (!sink) throw Failure(Exit::kUsage, sink.error().message);
    trace_.add(std::move(*sink));
    report_.push_back(fmt::format("trace     {}", path));
  }
}

void LocalHost::use_congestion_control(const std::string& text) {
  sockets::Session session(*stack_);
  tcp::TcpLayer& layer = session.host().tcp();
  const auto chosen = drivers::choose_congestion_control(layer, text);
  if (!chosen) throw Failure(Exit::kUsage, chosen.error());
  layer.set_standard_congestion_control(**chosen);
}

void LocalHost::choose_addresses(const DeviceOptions& options) {
  addresses_ = options.addresses;
  if (addresses_.empty() && !options.dhcp && !options.slaac)
    addresses_ = {*IpPrefix::parse("10.9.0.2/24"), *IpPrefix::parse("fd09::2/64")};
  kernel_addresses_ = options.kernel_addresses;
}

// It exists, and is the kernel's, too.
std::unique_ptr<drivers::Device> LocalHost::open_interface(const DeviceOptions& options) {
  const std::string& name = options.interface();
  if (!options.kernel_addresses.empty()) {
    tools::fail(Exit::kUsage, "--kernel-ip is for a device that is made here; {} is set up already", name);
  }
  for (const IpPrefix& own : addresses_) {
    if (!drivers::has_link_address(name, own.address)) continue;
    tools::fail(Exit::kUsage,
                "{} is the kernel's own address on {}; choose another, or try: ip address del {} dev {}",
                own.address, name, own, name);
  }
  auto opened = options.packet.empty()
                    ? drivers::open_xdp({.interface = name, .mac = options.mac})
                    : drivers::open_packet_device(
                          {.interface = name, .mac = options.mac, .offload = !options.no_offload});
  if (!opened) fail(opened.error());
  return std::move(*opened);
}

std::unique_ptr<drivers::Device> LocalHost::open_tap(const DeviceOptions& options) {
  const bool is_tun = !options.tun.empty();
  std::string name = options.is_private() ? "tap0" : options.device();
  is_made_here_ = if_nametoindex(name.c_str()) == 0;
  drivers::TapOptions tap{.name = name, .tun = is_tun, .offload = !options.no_offload};
  if (is_made_here_) tap.mtu = options.mtu;
  auto opened = drivers::open_tap(tap);
  if (!opened) fail(opened.error());
  return std::move(*opened);
}

std::unique_ptr<drivers::Device> LocalHost::open_device(const DeviceOptions& options) {
  std::unique_ptr<drivers::Device> device =
      options.interface().empty() ? open_tap(options) : open_interface(options);
  const drivers::DeviceProperties properties = device->properties();
  device_name_ = properties.name;
  report_.push_back(
      fmt::format("device    {} ({}, {}, MTU {}, {})", device_name_, kind_of_device(options),
                  is_made_here_ ? "made here" : "existing", options.mtu.value_or(properties.mtu),
                  properties.offloads.checksum ? "checksum and segmentation offload" : "no offload"));
  if (options.faults) {
    device = std::make_unique<drivers::FaultDevice>(std::move(device), *options.faults);
    report_.push_back(fmt::format("faults    both directions, seed {}", options.faults->seed));
  }
  if (!options.capture.empty()) {
    const Duration offset = drivers::wall_clock_offset();
    auto capture = drivers::make_capture(
        std::move(device),
        {.path = options.capture,
         .snap_length = options.capture_length,
         .wall_clock = [offset](Instant now) { return now.time_since_epoch() + offset; },
         .on_error =
             [](const drivers::DeviceError& error) { fmt::print(stderr, "transom: {}\n", error.message); }});
    if (!capture) throw Failure(Exit::kUsage, capture.error().message);
    device = std::move(*capture);
    report_.push_back(fmt::format("capture   {}", options.capture));
  }
  return device;
}

void LocalHost::set_up_kernel_end(const DeviceOptions& options) {
  if (is_made_here_ && kernel_addresses_.empty()) {
    for (const IpPrefix& own : addresses_) {
      if (own.length + 1 < own.address.bits()) kernel_addresses_.push_back(neighbour_of(own));
    }
  }
  if (is_made_here_ || !options.kernel_addresses.empty()) {
    if (auto up = drivers::set_link_up(device_name_); !up) fail(up.error());
  }
  for (const IpPrefix& address : kernel_addresses_) {
    if (auto added = drivers::add_link_address(device_name_, address); !added) {
      // A kernel without IPv6 still makes a good IPv4 neighbour, unless IPv6 was asked for.
      if (address.address.is_v6() && options.kernel_addresses.empty()) continue;
      fail(added.error());
    }
    report_.push_back(fmt::format("kernel    {} on {}", address, device_name_));
  }
}

void LocalHost::add_addresses(const DeviceOptions& options) {
  for (const IpPrefix& address : addresses_) {
    if (auto added = stack_->add_address(interface_, address); !added) {
      tools::fail(Exit::kUsage, "cannot use {}: {}; give each address once", address,
                  to_string(added.error()));
    }
    report_.push_back(fmt::format("address   {}", address));
  }
  for (const IpAddress& gateway : options.gateways) {
    const bool is_near =
        std::ranges::any_of(addresses_, [&](const IpPrefix& own) { return own.contains(gateway); });
    if (!is_near && !gateway.is_link_local()) {
      tools::fail(
          Exit::kUsage,
          "the gateway {} is in none of this host's networks; add --ip with an address of its network",
          gateway);
    }
    const IpPrefix everything{IpAddress::any(gateway.family()), 0};
    if (auto added = stack_->add_route(everything, gateway, interface_); !added) {
      tools::fail(Exit::kUsage, "cannot route through {}: {}; give one gateway per family", gateway,
                  to_string(added.error()));
    }
    report_.push_back(fmt::format("gateway   {}", gateway));
  }
  const auto usable = stack_->wait_for_addresses(std::chrono::seconds(10));
  if (usable) return;
  if (usable.error() == Error::kAddressInUse) {
    tools::fail(Exit::kFailed, "an address of {} is in use by another machine on {}; choose another --ip",
                fmt::join(addresses_, ", "), device_name_);
  }
  tools::fail(Exit::kFailed,
              "the addresses did not become usable on {} within 10 s; is it up? try: sudo ip link set {} up",
              device_name_, device_name_);
}

void LocalHost::configure_by_network(const DeviceOptions& options) {
  if (!options.dhcp && !options.slaac) return;
  constexpr Duration kPatience = std::chrono::seconds(20);
  if (options.dhcp) (void)stack_->start_dhcp(interface_, {.start_delay = {}});
  if (options.slaac)
    (void)stack_->autoconfigure(interface_,
                                {.addresses = {}, .solicitation_delay = std::chrono::milliseconds(100)});
  const bool is_configured = stack_->wait_for_configuration(interface_, kPatience).has_value();
  sockets::Session session(*stack_);
  Host& host = session.host();
  const dhcp::Client* const client = host.dhcp(interface_);
  if (!is_configured) {
    const bool is_dhcp = client != nullptr && !client->lease();
    tools::fail(
        Exit::kFailed, "{} on {} within 20 s; is one running there?",
        is_dhcp ? "no DHCP server has given an address" : "no router has advertised a prefix for addresses",
        device_name_);
  }
  if (client != nullptr) {
    const dhcp::Lease& lease = *client->lease();
    addresses_.push_back(lease.address);
    report_.push_back(fmt::format("address   {} (DHCP, from {})", lease.address, lease.server));
  }
  for (const link::InterfaceAddress& entry : host.link().interface(interface_)->addresses()) {
    if (entry.traits.has_link_prefix || !entry.is_usable()) continue;
    addresses_.push_back(entry.prefix);
    report_.push_back(
        fmt::format("address   {} ({})", entry.prefix, entry.traits.is_temporary ? "temporary" : "stable"));
  }
  for (const ip::Route& route : host.ip().routes().routes()) {
    if (route.gateway && route.prefix.length == 0)
      report_.push_back(fmt::format("gateway   {}", *route.gateway));
  }
  for (const IpAddress& server : host.dns().servers) report_.push_back(fmt::format("dns       {}", server));
}

std::string LocalHost::device_failure() {
  sockets::Session session(*stack_);
  const drivers::Device* device = session.device(interface_);
  const drivers::DeviceError* failure = device == nullptr ? nullptr : device->failure();
  return failure == nullptr ? "" : failure->message;
}

}  // namespace transom::tools
