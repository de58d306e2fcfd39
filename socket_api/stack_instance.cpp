#include "socket_api/stack_instance.h"

#include <algorithm>

#include "socket_api/real_time_loop.h"

namespace transom::sockets {

namespace {

HostConfig host_config(const StackConfig& config) {
  HostConfig host = config.host;
  host.seed = config.seed ? *config.seed : drivers::system_seed();
  host.start = config.start;
  return host;
}

// Locally administered, unicast.
MacAddress random_mac(Random& random) {
  const std::uint64_t bits = random.next();
  const auto octet = [bits](int index) { return static_cast<std::uint8_t>(bits >> (8 * index)); };
  return MacAddress({static_cast<std::uint8_t>((octet(0) & 0xfc) | 0x02), octet(1), octet(2), octet(3),
                     octet(4), octet(5)});
}

}  // namespace

// ---------------------------------------------------------------- Stack

Stack::Stack(const StackConfig& config)
    : pool_(config.buffers),
      host_(pool_, host_config(config)),
      pump_(pool_, host_),
      loop_(config.loop ? config.loop(pump_) : std::make_unique<RealTimeLoop>(pump_, config.busy_poll)) {
  host_.set_observer(config.observer);
}

Stack::~Stack() = default;

InterfaceId Stack::add_device(std::unique_ptr<drivers::Device> device, const InterfaceOptions& options) {
  Session session(*this);
  const drivers::DeviceProperties properties = device->properties();
  link::InterfaceConfig config;
  config.name = options.name.value_or(properties.name);
  config.type = properties.type;
  config.mac = options.mac.value_or(properties.mac);
  if (config.type == link::LinkType::kEthernet && config.mac.is_zero())
    config.mac = random_mac(host_.context().random);
  config.mtu = options.mtu.value_or(properties.mtu);
  config.offloads = properties.offloads;
  config.conflict_detection = options.conflict_detection;
  config.link_local = options.link_local;
  const InterfaceId id = host_.add_interface(config);
  pump_.add(id, std::move(device));
  loop_->interrupt();
  return id;
}

Result<void> Stack::add_address(InterfaceId interface, const IpPrefix& address) {
  Session session(*this);
  return host_.add_address(interface, address);
}

Result<void> Stack::add_route(const IpPrefix& prefix, std::optional<IpAddress> gateway, InterfaceId interface,
                              std::uint32_t metric) {
  Session session(*this);
  return host_.add_route(prefix, gateway, interface, metric);
}

Result<void> Stack::wait_for_addresses(Duration limit) {
  constexpr Duration kLook = std::chrono::milliseconds(5);  // nobody tells when an address becomes usable
  Session session(*this);
  const Instant deadline = session.now() + limit;
  while (true) {
    bool is_tentative = false;
    for (const auto& interface : host_.link().interfaces()) {
      for (const link::InterfaceAddress& address : interface->addresses()) {
        if (address.state == link::AddressState::kDuplicated) return std::unexpected(Error::kAddressInUse);
        is_tentative |= address.state == link::AddressState::kTentative;
      }
    }
    if (!is_tentative) return {};
    if (session.now() >= deadline) return std::unexpected(Error::kTimedOut);
    Waiter waiter(*loop_);
    session.wait(waiter, std::min(deadline, session.now() + kLook));
  }
}

Result<void> Stack::start_dhcp(InterfaceId interface, const dhcp::Config& config) {
  Session session(*this);
  return host_.start_dhcp(interface, config);
}

Result<void> Stack::autoconfigure(InterfaceId interface, const ip::AutoconfigurationOptions& options) {
  Session session(*this);
  return host_.autoconfigure(interface, options);
}

Result<void> Stack::wait_for_configuration(InterfaceId interface, Duration limit) {
  constexpr Duration kLook = std::chrono::milliseconds(5);
  Session session(*this);
  const Instant deadline = session.now() + limit;
  const auto has_formed = [&] {
    return std::ranges::any_of(host_.link().interface(interface)->addresses(), [](const auto& entry) {
      return entry.is_usable() && entry.prefix.address.is_v6() && !entry.traits.has_link_prefix;
    });
  };
  while (true) {
    const dhcp::Client* const client = host_.dhcp(interface);
    const bool has_lease = client == nullptr || client->lease();
    if (has_lease && (!host_.ip().router_discovery().is_started(interface) || has_formed())) return {};
    if (session.now() >= deadline) return std::unexpected(Error::kTimedOut);
    Waiter waiter(*loop_);
    session.wait(waiter, std::min(deadline, session.now() + kLook));
  }
}

void Stack::release_leases() {
  Session session(*this);
  for (const auto& interface : host_.link().interfaces()) {
    if (dhcp::Client* const client = host_.dhcp(interface->id())) client->release();
  }
}

Result<void> Stack::drain(Duration limit) {
  constexpr Duration kLook = std::chrono::milliseconds(2);
  const auto is_unacknowledged = [](const tcp::Info& info) {
    return info.state == tcp::State::kFinWait1 || info.state == tcp::State::kClosing ||
           info.state == tcp::State::kLastAck;
  };
  Session session(*this);
  const Instant deadline = session.now() + limit;
  while (std::ranges::any_of(host_.tcp().connections(), is_unacknowledged)) {
    if (session.now() >= deadline) return std::unexpected(Error::kTimedOut);
    Waiter waiter(*loop_);
    session.wait(waiter, std::min(deadline, session.now() + kLook));
  }
  return {};
}

// ---------------------------------------------------------------- Session

Session::Session(Stack& stack) : stack_(stack), lock_(stack.loop_->lock()) {
  stack_.host_.enter(stack_.loop_->now());
}

Session::~Session() {
  stack_.host_.leave();
  stack_.loop_->settle(now());
}

void Session::wait(Waiter& waiter, Instant deadline) {
  stack_.host_.leave();
  stack_.pump_.transmit(now());
  stack_.loop_->wait(lock_, waiter, deadline);
  stack_.host_.enter(stack_.loop_->now());
}

void Session::serve(Waiter& waiter) {
  stack_.host_.leave();
  stack_.pump_.transmit(now());
  stack_.loop_->serve(lock_, waiter);
  stack_.host_.enter(stack_.loop_->now());
}

}  // namespace transom::sockets
