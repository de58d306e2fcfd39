// One stack: a Host, its devices, one lock, and the event loop that serves them, in real time unless told
// otherwise.
//
//   Stack stack;
//   const InterfaceId eth0 = stack.add_device(std::move(*drivers::open_tap({.name = "tap0"})));
//   stack.add_address(eth0, *IpPrefix::parse("10.9.0.2/24"));
//   stack.wait_for_addresses(std::chrono::seconds(5));
//
// Everything that touches the Host happens inside a Session, which holds the lock:
//
//   { Session session(stack); for (auto& info : session.host().tcp().connections()) ...; }
//
// A Stack may be used by many threads. It must outlive its sockets, and no call may be in progress when it is
// destroyed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drivers/clock.h"
#include "drivers/device.h"
#include "socket_api/event_loop.h"
#include "socket_api/names/resolver_config.h"
#include "socket_api/pump.h"
#include "stack/host.h"

namespace transom::sockets {

struct StackConfig {
  HostConfig host = {};                     // its seed and start are replaced
  std::optional<Seed> seed = std::nullopt;  // none: from the system
  // Makes what serves the Stack, in a time of its own; none: a RealTimeLoop. The Pump outlives what is made.
  std::function<std::unique_ptr<EventLoop>(Pump&)> loop = nullptr;
  Duration
      busy_poll{};  // how long a waiting thread looks at the devices before it sleeps; of the RealTimeLoop
  Instant start = drivers::monotonic_now();  // what the loop says when the Stack is made
  BufferPool::Limits buffers = {};
  Observer* observer = nullptr;  // is told everything, under the lock; outlives the Stack
};

// What differs from what the device says of itself.
struct InterfaceOptions {
  std::optional<std::string> name = std::nullopt;
  std::optional<MacAddress> mac = std::nullopt;  // none: the device's; if that has none, one is made up
  std::optional<std::uint32_t> mtu = std::nullopt;
  link::ConflictDetection conflict_detection = {};
  bool link_local = true;
};

class Session;

class Stack {
 public:
  explicit Stack(const StackConfig& config = {});
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // The interface is served at once. Interface 1 is the loopback interface and exists from the start.
  InterfaceId add_device(std::unique_ptr<drivers::Device> device, const InterfaceOptions& options = {});
  // The address is usable after conflict detection.
  Result<void> add_address(InterfaceId interface, const IpPrefix& address);
  Result<void> add_route(const IpPrefix& prefix, std::optional<IpAddress> gateway, InterfaceId interface,
                         std::uint32_t metric = 0);
  // Until no address is tentative any more. kTimedOut, or kAddressInUse when one turned out to be another
  // node's.
  Result<void> wait_for_addresses(Duration limit);
  // From DHCP and from routers: see Host::start_dhcp() and Host::autoconfigure().
  Result<void> start_dhcp(InterfaceId interface, const dhcp::Config& config = {});
  Result<void> autoconfigure(InterfaceId interface, const ip::AutoconfigurationOptions& options = {});
  // Until what was started of these on the interface has given it a usable address. kTimedOut.
  Result<void> wait_for_configuration(InterfaceId interface, Duration limit);
  // Gives the addresses that came from DHCP back; to be called before the Stack is destroyed.
  void release_leases();
  // How names are found: names/resolver.h. To be called within a Session, and read there.
  void set_resolver(ResolverConfig resolver) { resolver_ = std::move(resolver); }
  const ResolverConfig& resolver() const { return resolver_; }
  // Until the peers have everything that was written to connections which are closed by now, or shut down for
  // writing; to be called before the Stack is destroyed. kTimedOut.
  Result<void> drain(Duration limit);

 private:
  friend class Session;

  std::uint64_t last_cookie_ = 0;
  ResolverConfig resolver_;
  BufferPool pool_;
  Host host_;
  Pump pump_;
  std::unique_ptr<EventLoop> loop_;
};

// The right to use the Host: holds the lock for as long as it lives. What the calls made due is sent at the
// end. A thread has at most one at a time.
class Session {
 public:
  explicit Session(Stack& stack);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Host& host() { return stack_.host_; }
  Stack& stack() { return stack_; }
  // A number that no other socket of the stack has (SO_COOKIE).
  std::uint64_t make_cookie() { return ++stack_.last_cookie_; }
  Instant now() const { return stack_.host_.context().now; }
  EventLoop& loop() { return *stack_.loop_; }
  // The device of an interface; nullptr for the loopback interface.
  drivers::Device* device(InterfaceId interface) const { return stack_.pump_.device(interface); }

  // Gives the lock away until `waiter` is woken or `deadline` has passed. Everything may have changed
  // afterwards.
  void wait(Waiter& waiter, Instant deadline);
  // Lets the devices have their turn, without sleeping. Everything may have changed afterwards.
  void serve(Waiter& waiter);

 private:
  Stack& stack_;
  EventLoop::Lock lock_;
};

}  // namespace transom::sockets
