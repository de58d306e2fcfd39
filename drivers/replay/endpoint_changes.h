// The recorded ends of a flow become those of now: addresses and ports, in packets that ICMP errors quote,
// too.
#pragma once

#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers::replay {

struct Ends {
  Endpoint ours, theirs;
};

class EndpointChanges final : public PacketChanges {
 public:
  EndpointChanges(const Ends& recorded, const Ends& live) : recorded_(recorded), live_(live) {}

  IpAddress source(const IpAddress& address) override {
    is_from_us_ = address == recorded_.ours.address;
    is_source_port_ = true;
    return now(address);
  }
  IpAddress destination(const IpAddress& address) override { return now(address); }
  // The editor asks for the source's port first.
  std::uint16_t port(std::uint16_t port) override {
    const bool is_ours = is_source_port_ == is_from_us_;
    is_source_port_ = false;
    const Endpoint& recorded = is_ours ? recorded_.ours : recorded_.theirs;
    return Port{port} == recorded.port ? to_number((is_ours ? live_.ours : live_.theirs).port) : port;
  }

 private:
  IpAddress now(const IpAddress& address) const {
    if (address == recorded_.ours.address) return live_.ours.address;
    return address == recorded_.theirs.address ? live_.theirs.address : address;
  }

  Ends recorded_, live_;
  bool is_from_us_ = false;     // the packet that is looked at, or the one that it quotes
  bool is_source_port_ = true;  // the next port
};

}  // namespace transom::drivers::replay
