// An ICMP or ICMPv6 echo endpoint, as `ping` needs it and as Linux's SOCK_DGRAM/IPPROTO_ICMP sockets are:
// sends echo requests under its own identifier, queues the replies and the errors that belong to them.
#pragma once

#include <optional>
#include <vector>

#include "stack/base/error.h"
#include "stack/base/packet.h"
#include "stack/base/readiness.h"
#include "stack/ip/icmp_error_listener.h"
#include "stack/ip/ip_layer.h"

namespace transom::ip {

class EchoSocket {
 public:
  struct Reply {
    IpAddress source;
    std::uint16_t sequence = 0;
    std::uint8_t ttl = 0;
    std::uint8_t traffic_class = 0;
    Instant arrival{};
    Packet payload;  // the echoed data; empty for an error
    std::optional<IcmpErrorKind> error;
    std::vector<std::uint8_t> ip_options{};  // see Received::options
    IpProtocol first_header{};
  };

  explicit EchoSocket(IpLayer& ip, IpFamily family, std::uint16_t identifier = 0);  // 0: choose one
  ~EchoSocket();
  EchoSocket(const EchoSocket&) = delete;
  EchoSocket& operator=(const EchoSocket&) = delete;

  std::uint16_t identifier() const;
  Result<void> send(const IpAddress& destination, std::uint16_t sequence, Bytes payload,
                    const SendOptions& options = {}, InterfaceId bound = InterfaceId::kAny);
  Result<Reply> receive();  // kWouldBlock when there is none
  Readiness readiness() const;
  void set_listener(ReadinessListener* listener);
  // From then on errors go there, and are not among the replies.
  void set_error_listener(IcmpErrorListener* listener);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace transom::ip
