// How the protocols of the link layer put a frame on an interface: the payload gets its Ethernet header (if
// the link has one) and its padding, what the device cannot do is done, and the frames wait for the driver.
#pragma once

#include "stack/base/context.h"
#include "stack/base/error.h"
#include "stack/link/frame_tap.h"
#include "stack/link/interface.h"
#include "stack/wire/ethernet.h"

namespace transom::link {

class FrameSender {
 public:
  explicit FrameSender(Context& context) : context_(context) {}

  // To one MAC address, one link-layer group, or all; an IP packet or an ARP packet.
  void send(Interface& interface, Packet payload, const MacAddress& destination, wire::EtherType type);
  // An IP packet; the type is that of its version.
  void send_ip(Interface& interface, Packet packet, const MacAddress& destination);
  // A frame of somebody else's making, complete with its Ethernet header if the link has one. kNoBuffers when
  // the queue is full.
  Result<void> send_frame(Interface& interface, Packet frame);

  FrameTaps taps;

 private:
  bool add_ethernet_header(Interface& interface, Packet& payload, const MacAddress& destination,
                           wire::EtherType type);
  void finish_and_queue(Interface& interface, Packet frame);
  void queue(Interface& interface, Packet frame);
  void drop(Interface& interface, DropReason reason, Counter counter);

  Context& context_;
};

}  // namespace transom::link
