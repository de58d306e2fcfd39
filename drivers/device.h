// What moves frames between a Host's interface and the world. All calls are non-blocking and work on batches.
//
// Devices can be stacked: a decorator (capture, faults) is a Device that holds another. A device may keep
// packets and buffers of the pool between calls: it is given the same pool every time, and the pool outlives
// it.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "stack/base/packet.h"
#include "stack/base/time.h"
#include "stack/link/interface.h"

namespace transom::drivers {

// Why a device could not be made: one line that says what happened, to what, and what to do about it.
struct DeviceError {
  std::string message;
  int error_number = 0;  // errno, 0 if none
};

struct DeviceProperties {
  link::LinkType type = link::LinkType::kEthernet;
  std::string name;
  MacAddress mac;            // a MAC for the Host's end; zero when the device does not care
  std::uint32_t mtu = 1500;  // octets of IP packet
  link::Offloads offloads;
};

// What a device itself has carried, and what it had to drop and the stack could not know of.
struct DeviceStatistics {
  std::uint64_t received = 0;
  std::uint64_t transmitted = 0;
  std::uint64_t receive_drops = 0;   // too long, or with an impossible offload header
  std::uint64_t transmit_drops = 0;  // refused by the device for good (it is down, the frame is malformed)
};

class Device {
 public:
  virtual ~Device() = default;

  virtual DeviceProperties properties() const = 0;

  // Appends frames that have arrived to `frames`, at most `limit`. Returns how many. Never blocks.
  virtual std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) = 0;

  // Takes frames from the front of `frames` and sends them, until the device is full. What is left stays
  // queued.
  virtual void transmit(PacketQueue& frames, Instant now) = 0;

  // A descriptor to poll: readable when receive() would return something, writable when transmit() would take
  // something. -1 for a device without one.
  virtual int descriptor() const { return -1; }

  // When the device itself has something to do (a delayed frame): call receive() and transmit() then. kNever
  // if nothing.
  virtual Instant next_deadline() const { return kNever; }

  virtual DeviceStatistics statistics() const { return {}; }

  // Set once the device is gone for good (its kernel interface was deleted): it then receives nothing, sends
  // nothing, and has no descriptor. nullptr while all is well.
  virtual const DeviceError* failure() const { return nullptr; }
};

}  // namespace transom::drivers
