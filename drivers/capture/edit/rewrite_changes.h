// The changes of tcprewrite(1) that keep every length: addresses, ports, MACs, TTL.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers {

// "10.0.0.0/8:172.16.0.0/12": the network that is looked for and the one that takes its place; IPv6 in
// brackets:
// "[2001:db8::/32]:[fd00::/32]". The bits behind the new prefix length are those of the old address.
struct NetworkMapping {
  IpPrefix from, to;

  std::optional<IpAddress> apply(const IpAddress& address) const;
};

struct RewriteRules {
  std::vector<NetworkMapping> sources, destinations;
  std::map<std::uint16_t, std::uint16_t> ports;
  std::optional<MacAddress> source_mac, destination_mac;
  std::map<MacAddress, MacAddress> macs;
  std::optional<int> ttl;  // absolute
  int ttl_change = 0;      // or added; it stays within 1 and 255
  std::optional<std::uint8_t> traffic_class;

  // Each reads the word of one option, with commas between several; the error says what is wrong with it.
  static std::expected<std::vector<NetworkMapping>, std::string> parse_networks(const std::string& text);
  // "80:8080,1000-1999:2000": the whole range becomes one.
  std::expected<void, std::string> add_ports(const std::string& text);
  // "64", "+1", "-1"
  std::expected<void, std::string> set_ttl(const std::string& text);
};

class RewriteChanges final : public PacketChanges {
 public:
  explicit RewriteChanges(RewriteRules rules) : rules_(std::move(rules)) {}

  MacAddress source_mac(const MacAddress& mac) override;
  MacAddress destination_mac(const MacAddress& mac) override;
  IpAddress source(const IpAddress& address) override { return map(rules_.sources, address); }
  IpAddress destination(const IpAddress& address) override { return map(rules_.destinations, address); }
  std::uint16_t port(std::uint16_t port) override;
  std::uint8_t hop_limit(std::uint8_t hop_limit) override;
  std::uint8_t traffic_class(std::uint8_t traffic_class) override;

 private:
  static IpAddress map(const std::vector<NetworkMapping>& mappings, const IpAddress& address);
  MacAddress map(const MacAddress& mac) const;

  RewriteRules rules_;
};

}  // namespace transom::drivers
