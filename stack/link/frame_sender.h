// How the protocols of the link layer put a frame on an interface: the payload gets its Ethernet header (if
// the link has one), is finished for the device and queued.
#pragma once

#include "stack/link/interface.h"
#include "stack/wire/ethernet.h"

namespace transom::link {

class FrameSender {
 public:
  virtual void send_frame(Interface& interface, Packet payload, const MacAddress& destination,
                          wire::EtherType type) = 0;

 protected:
  ~FrameSender() = default;
};

}  // namespace transom::link
