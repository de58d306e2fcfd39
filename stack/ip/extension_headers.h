// The IPv6 extension headers that a user asks for in what it sends (RFC 8200 §4, RFC 3542 §6 to §9).
//
//   IPv6 | hop-by-hop | before_routing | routing | fragment, if need be | destination | UDP, ICMPv6, ...
//        |<------ in front of every fragment --->|
#pragma once

#include <optional>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/bytes.h"
#include "stack/base/packet.h"

namespace transom::ip {

// Each a whole header, as long as it says it is, or empty: none. The first octet, which names what follows,
// is filled in when it is sent; what is in it otherwise is the user's affair.
struct ExtensionHeaders {
  std::vector<std::uint8_t> hop_by_hop{};
  std::vector<std::uint8_t> before_routing{};  // destination options for each stop; only sent with `routing`
  std::vector<std::uint8_t> routing{};         // may_send_routing_header()
  std::vector<std::uint8_t> destination{};     // destination options for the last stop

  bool empty() const {
    return hop_by_hop.empty() && before_routing.empty() && routing.empty() && destination.empty();
  }
  // Octets that they take in a packet.
  std::size_t size() const {
    return hop_by_hop.size() + (routing.empty() ? 0 : before_routing.size() + routing.size()) +
           destination.size();
  }
};

// A segment routing header (RFC 8754 §2) that is true to itself. The other types are not sent: 0 is
// deprecated (RFC 5095), 2 is for the correspondents of mobile nodes.
bool may_send_routing_header(Bytes header);

// Extension headers on their way to one destination: a routing header holds it, and sends the packet
// elsewhere first.
class RoutedHeaders {
 public:
  // `headers` may be nullptr, and must outlive this.
  RoutedHeaders(const ExtensionHeaders* headers, const IpAddress& to);

  const IpAddress& first_stop() const { return first_stop_; }
  const ExtensionHeaders* headers() const { return routed_ ? &*routed_ : headers_; }

 private:
  const ExtensionHeaders* headers_;
  IpAddress first_stop_;
  std::optional<ExtensionHeaders> routed_;
};

// What fragmentation has to know of a packet that starts with extension headers.
struct ExtensionChain {
  IpProtocol first{};              // what the IPv6 header names
  std::size_t unfragmentable = 0;  // octets, that stand in front of every fragment
  std::size_t last_next = 0;       // where the last header of those names what follows it
};

// Puts `headers` in front of `packet`, which starts at the header of `protocol`, and completes a checksum
// that was left for the device. nullopt when there is no memory. Together they fit an IPv6 packet.
std::optional<ExtensionChain> prepend_extension_headers(Packet& packet, const ExtensionHeaders& headers,
                                                        IpProtocol protocol);

}  // namespace transom::ip
