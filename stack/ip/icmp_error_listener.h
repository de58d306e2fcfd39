// Who wants to know of every ICMP error about what a socket has sent, whether or not it fails a call.
#pragma once

#include "stack/ip/transport.h"

namespace transom::ip {

class IcmpErrorListener {
 public:
  // As ReadinessListener::on_readiness(): it may note the error, and must not call anything of the stack.
  virtual void on_icmp_error(const IcmpError& error) = 0;

 protected:
  ~IcmpErrorListener() = default;
};

}  // namespace transom::ip
