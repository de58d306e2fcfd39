// Who sees every frame that enters or leaves an interface: packet sockets (packet(7)). While there is nobody,
// the cost is the test of a size.
#pragma once

#include <vector>

#include "stack/base/observer.h"
#include "stack/link/interface.h"

namespace transom::link {

class FrameTap {
 public:
  // A frame as it lies on the interface: with its Ethernet header, if the link has one. One that leaves may
  // leave its checksum and its cutting into segments to the device. It may copy the frame, and must not call
  // anything of the stack.
  virtual void on_frame(Direction direction, const Interface& interface, const Packet& frame) = 0;

 protected:
  ~FrameTap() = default;
};

class FrameTaps {
 public:
  void add(FrameTap& tap) { taps_.push_back(&tap); }
  void remove(FrameTap& tap) { std::erase(taps_, &tap); }
  void show(Direction direction, const Interface& interface, const Packet& frame) const {
    for (FrameTap* const tap : taps_) tap->on_frame(direction, interface, frame);
  }

 private:
  std::vector<FrameTap*> taps_;
};

}  // namespace transom::link
