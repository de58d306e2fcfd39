// Who gets a copy of every packet of a protocol that is delivered to this host, besides the protocol itself:
// raw sockets (raw(7)). While there is nobody, the cost is the test of a size.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "stack/ip/transport.h"

namespace transom::ip {

class RawReceiver {
 public:
  // A packet for this host, whole: it starts at its IP header, and received.header_size octets further on at
  // the header of the protocol. What a protocol checks of it (its checksum, say) has not been checked yet.
  // True when it was of interest: then no "protocol unreachable" is sent. It may note the packet, and must
  // not call anything of the stack.
  virtual bool on_packet(const Received& received, const Packet& packet) = 0;
  // An ICMP error that quotes a packet of the protocol, sent by whomever of this host.
  virtual void on_icmp_error(const IcmpError& error) = 0;

 protected:
  ~RawReceiver() = default;
};

class RawReceivers {
 public:
  void add(IpFamily family, IpProtocol protocol, RawReceiver& receiver) {
    receivers_[key_of(family, protocol)].push_back(&receiver);
  }
  void remove(IpFamily family, IpProtocol protocol, RawReceiver& receiver) {
    const auto found = receivers_.find(key_of(family, protocol));
    if (found == receivers_.end()) return;
    std::erase(found->second, &receiver);
    if (found->second.empty()) receivers_.erase(found);
  }

  // True when somebody wanted it.
  bool deliver(const Received& received, const Packet& packet) const {
    if (receivers_.empty()) return false;
    bool is_wanted = false;
    for_each(received.source.family(), received.protocol,
             [&](RawReceiver& receiver) { is_wanted |= receiver.on_packet(received, packet); });
    return is_wanted;
  }
  void report(IpProtocol protocol, const IcmpError& error) const {
    if (receivers_.empty()) return;
    for_each(error.destination.family(), protocol,
             [&](RawReceiver& receiver) { receiver.on_icmp_error(error); });
  }

 private:
  static std::uint32_t key_of(IpFamily family, IpProtocol protocol) {
    return static_cast<std::uint32_t>(family) << 8 | static_cast<std::uint32_t>(protocol);
  }
  template <typename Visit>
  void for_each(IpFamily family, IpProtocol protocol, Visit visit) const {
    const auto found = receivers_.find(key_of(family, protocol));
    if (found == receivers_.end()) return;
    for (RawReceiver* const receiver : found->second) visit(*receiver);
  }

  std::unordered_map<std::uint32_t, std::vector<RawReceiver*>> receivers_;  // only our own side adds
};

}  // namespace transom::ip
