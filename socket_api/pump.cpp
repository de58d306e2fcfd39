#include "socket_api/pump.h"

#include <algorithm>

namespace transom::sockets {

namespace {
// Frames that a device may hand over at once: enough to share the cost of a turn, few enough to let others
// have the lock.
constexpr std::size_t kBatch = 256;
constexpr Duration kMtuInterval = std::chrono::seconds(1);
}  // namespace

void Pump::add(InterfaceId id, std::unique_ptr<drivers::Device> device) {
  const std::uint32_t mtu = device->properties().mtu;
  ports_.push_back({id, std::move(device), host_.link().interface(id), mtu});
}

drivers::Device* Pump::device(InterfaceId id) const {
  const auto found = std::ranges::find(ports_, id, &Port::id);
  return found == ports_.end() ? nullptr : found->device.get();
}

void Pump::append_descriptors(std::vector<pollfd>& descriptors) const {
  for (const Port& port : ports_) {
    const bool is_full = !port.interface->transmit_queue().empty();
    const short events = static_cast<short>(POLLIN | (is_full ? POLLOUT : 0));
    descriptors.push_back({.fd = port.device->descriptor(), .events = events, .revents = 0});
  }
}

void Pump::run(std::span<const pollfd> polled, Instant now) {
  for (std::size_t i = 0; i < polled.size(); ++i) {
    Port& port = ports_[i];
    if (polled[i].fd < 0 || polled[i].revents != 0 || port.device->next_deadline() <= now) receive(port, now);
  }
  go_on(now);
}

bool Pump::run_all(Instant now) {
  bool has_received = false;
  for (Port& port : ports_) has_received |= receive(port, now);
  if (has_received) go_on(now);
  return has_received;
}

bool Pump::receive(Port& port, Instant now) {
  PacketQueue frames;
  if (port.device->receive(pool_, frames, kBatch, now) == 0) return false;
  host_.receive(port.id, frames, now);
  return true;
}

// After the devices: timers, and what all that has given rise to.
void Pump::go_on(Instant now) {
  if (host_.next_deadline() <= now) host_.advance(now);
  if (now >= next_mtu_look_) follow_mtu(now);
  transmit(now);
}

void Pump::transmit(Instant now) {
  for (Port& port : ports_) {
    PacketQueue& queue = port.interface->transmit_queue();
    // Without a frame the device may still have some of its own that were delayed.
    if (!queue.empty() || port.device->next_deadline() <= now) port.device->transmit(queue, now);
  }
}

Instant Pump::next_deadline() const {
  Instant earliest = host_.next_deadline();
  for (const Port& port : ports_) earliest = std::min(earliest, port.device->next_deadline());
  return earliest;
}

bool Pump::is_blocked() const {
  return std::ranges::any_of(ports_,
                             [](const Port& port) { return !port.interface->transmit_queue().empty(); });
}

// The user of the other end may change the MTU at any time, and no descriptor tells.
void Pump::follow_mtu(Instant now) {
  next_mtu_look_ = now + kMtuInterval;
  for (Port& port : ports_) {
    const std::uint32_t mtu = port.device->properties().mtu;
    if (mtu != std::exchange(port.device_mtu, mtu)) port.interface->set_mtu(mtu);
  }
}

}  // namespace transom::sockets
