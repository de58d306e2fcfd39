// The protocols above IP, by number.
#pragma once

#include <array>

#include "stack/ip/transport.h"

namespace transom::ip {

class Transports {
 public:
  void add(IpProtocol protocol, Transport& transport) {
    transports_[static_cast<std::uint8_t>(protocol)] = &transport;
  }
  // nullptr when there is none.
  Transport* find(IpProtocol protocol) const { return transports_[static_cast<std::uint8_t>(protocol)]; }

 private:
  std::array<Transport*, 256> transports_{};
};

}  // namespace transom::ip
