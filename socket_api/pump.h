// Carries frames between one Host and its devices. It decides nothing about when: the EventLoop does. Not for
// several threads: the lock of the Stack must be held.
#pragma once

#include <poll.h>

#include <memory>
#include <span>
#include <vector>

#include "drivers/device.h"
#include "stack/host.h"

namespace transom::sockets {

class Pump {
 public:
  Pump(BufferPool& pool, Host& host) : pool_(pool), host_(host) {}

  // `device` is served from now on, as the interface `id`.
  void add(InterfaceId id, std::unique_ptr<drivers::Device> device);
  drivers::Device* device(InterfaceId id) const;  // nullptr for an interface without one

  // One descriptor per device, appended in their order; -1 for a device without. Asks for POLLOUT where
  // frames wait for room.
  void append_descriptors(std::vector<pollfd>& descriptors) const;
  // A batch from each device that `polled` says is readable, or that has no descriptor; then timers that are
  // due; then what is to be sent. `polled` is what append_descriptors() made; a device added since is left
  // for the next turn.
  void run(std::span<const pollfd> polled, Instant now);
  // The same, with a batch from each device, whether it is readable or not. False, and nothing else done,
  // where none had anything.
  bool run_all(Instant now);
  // Hands what the Host wants to send to the devices.
  void transmit(Instant now);

  // When run() has something to do although no descriptor is ready.
  Instant next_deadline() const;
  // Frames wait for room in a device.
  bool is_blocked() const;

 private:
  struct Port {
    InterfaceId id;
    std::unique_ptr<drivers::Device> device;
    link::Interface* interface;
    std::uint32_t device_mtu;  // when last asked
  };

  bool receive(Port& port, Instant now);
  void go_on(Instant now);
  void follow_mtu(Instant now);

  BufferPool& pool_;
  Host& host_;
  std::vector<Port> ports_;
  Instant next_mtu_look_{};
};

}  // namespace transom::sockets
