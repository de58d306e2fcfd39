// Who waits for echo replies under which identifier.
#pragma once

#include <unordered_map>

#include "stack/ip/ip_layer.h"
#include "stack/wire/icmp.h"

namespace transom::ip {

// What an echo socket is told.
class EchoReceiver {
 public:
  // `payload` is the echoed data.
  virtual void on_reply(const Received& received, const wire::IcmpHeader& header, Packet payload) = 0;
  virtual void on_error(const IcmpError& error, const wire::IcmpHeader& request) = 0;

 protected:
  ~EchoReceiver() = default;
};

class IpLayer::EchoSockets {
 public:
  explicit EchoSockets(Context& context) : context_(context) {}

  // The identifier given to `receiver`: the wanted one unless that is 0 or taken. nullopt when all are taken.
  std::optional<std::uint16_t> add(IpFamily family, std::uint16_t wanted, EchoReceiver& receiver);
  void remove(IpFamily family, std::uint16_t identifier);

  // False when nobody waits for it.
  bool reply(const Received& received, const wire::IcmpHeader& header, Packet payload);
  // `error.transport` begins with the echo request.
  bool error(const IcmpError& error);

  Context& context() { return context_; }

 private:
  EchoReceiver* find(IpFamily family, std::uint16_t identifier) const;

  Context& context_;
  std::unordered_map<std::uint32_t, EchoReceiver*> receivers_;  // only our own side chooses the keys
};

}  // namespace transom::ip
