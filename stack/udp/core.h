// What the layer and its sockets share.
#pragma once

#include <unordered_set>

#include "stack/udp/demux.h"

namespace transom::udp {

struct Core {
  Core(Context& the_context, ip::IpLayer& the_ip)
      : context(the_context),
        ip(the_ip),
        demux(the_context.random),
        flow_label_key(the_context.random.key()) {}

  Context& context;
  ip::IpLayer& ip;
  Demux demux;
  SipKey flow_label_key;
  std::unordered_set<SocketState*> sockets;  // all that are open, bound or not
};

// The counter of the address's family.
constexpr Counter either(const IpAddress& address, Counter v4, Counter v6) {
  return address.is_v4() ? v4 : v6;
}

}  // namespace transom::udp
