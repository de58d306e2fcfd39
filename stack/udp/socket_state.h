// What there is to a UDP socket, as the layer's tables see it.
#pragma once

#include "stack/base/ring.h"
#include "stack/udp/udp_layer.h"

namespace transom::udp {

struct SocketState {
  Core* core = nullptr;  // nullptr once the layer is gone
  IpFamily family{};
  UdpOptions options;

  // Bound: in the tables of the demultiplexer under `local` and `remote`.
  bool is_bound = false;
  bool has_own_port = false;  // by bind(); otherwise it is given back by disconnect()
  bool has_own_address = false;
  bool dual_stack = false;
  bool reuse_address = false;
  bool reuse_port = false;
  Endpoint local;
  std::optional<Endpoint> remote;
  ip::DestinationRef peer;  // the way to `remote`

  Ring<Datagram> queue;
  std::size_t queued_memory = 0;  // of the packets in it
  std::uint64_t dropped = 0;
  Error pending_error = Error::kNone;
  ReadinessListener* listener = nullptr;
  ip::IcmpErrorListener* error_listener = nullptr;
  DatagramFilter* filter = nullptr;

  void notify() const {
    if (listener != nullptr) listener->on_readiness();
  }
  void notify_input() const {
    if (listener != nullptr) listener->on_input();
  }
};

}  // namespace transom::udp
