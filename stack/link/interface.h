// A network interface of a Host: its link type, MTU, what its device can do, its addresses, and the queue of
// frames that wait for the driver. Several per Host, numbered from 1 in the order in which they were added.
#pragma once

#include <string>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/context.h"
#include "stack/base/packet.h"

namespace transom::link {

enum class LinkType : std::uint8_t {
  kEthernet,      // frames with an Ethernet header; neighbours are resolved (TAP, veth)
  kPointToPoint,  // bare IP packets, one peer, nothing to resolve (TUN)
  kLoopback,      // what is sent comes back in; never leaves the Host
};

// What the device does for us (virtio_net_hdr's features). A packet that needs more is finished in software
// by the link layer.
struct Offloads {
  bool checksum = false;      // completes ChecksumState::kPartial
  bool segment_ipv4 = false;  // cuts TCP super-segments
  bool segment_ipv6 = false;
};

// Times of address conflict detection: RFC 5227 §1.1 for IPv4; for IPv6 (RFC 4862 §5.1) dad_transmits
// solicitations, dad_interval apart. Both begin after a random part of probe_wait.
struct ConflictDetection {
  bool enabled = true;
  // An IPv4 address that is claimed again soon after it was defended is given up (RFC 5227 §2.4 (b)). False:
  // it is kept, and defended once per interval (c), for a host that must not move.
  bool gives_up = true;
  Duration probe_wait = std::chrono::seconds(1);
  int probe_count = 3;
  Duration probe_min = std::chrono::seconds(1);
  Duration probe_max = std::chrono::seconds(2);
  Duration announce_wait = std::chrono::seconds(2);
  int announce_count = 2;
  Duration announce_interval = std::chrono::seconds(2);
  Duration defend_interval = std::chrono::seconds(10);
  int max_conflicts = 10;  // after so many, addresses are tried rate_limit_interval apart
  Duration rate_limit_interval = std::chrono::seconds(60);
  int dad_transmits = 1;
  Duration dad_interval = std::chrono::seconds(1);

  // The same procedure with times fit for a private network of two machines: an address is usable in some 60
  // ms.
  static ConflictDetection quick();
};

struct InterfaceConfig {
  std::string name;
  LinkType type = LinkType::kEthernet;
  MacAddress mac;            // Ethernet only
  std::uint32_t mtu = 1500;  // octets of IP packet; at least 68 for IPv4 and 1280 for IPv6 to work
  Offloads offloads;
  bool coalesce = true;  // TCP segments that arrive together go up as one (what Linux calls GRO)
  ConflictDetection conflict_detection;
  bool link_local = true;             // form fe80::/64 from the MAC (RFC 4862 §5.3)
  std::size_t transmit_limit = 2048;  // packets waiting for the driver
};

enum class AddressState : std::uint8_t {
  kTentative,  // conflict detection is running: not for use
  kPreferred,
  kDeprecated,  // existing connections only (RFC 4862 §5.5.4)
  kDuplicated,  // in use by another node: not for use
};

// What an address is besides its octets.
struct AddressTraits {
  bool is_temporary = false;  // RFC 8981
  // Its prefix is on-link. Of an address that was formed from an advertised prefix, the router says that.
  bool has_link_prefix = true;
};

struct InterfaceAddress {
  IpPrefix prefix;  // the address and the length of its prefix
  AddressState state = AddressState::kTentative;
  AddressTraits traits = {};

  bool is_usable() const { return state == AddressState::kPreferred || state == AddressState::kDeprecated; }
};

// What a router has said about the link (RFC 4861 §6.3.4); zero where it has not.
struct AdvertisedLink {
  std::uint8_t hop_limit = 0;
  std::uint32_t mtu = 0;  // for IPv6
  Duration reachable_time{};
  Duration retrans_timer{};
  std::vector<IpPrefix> prefixes;  // on-link, of IPv6
};

struct InterfaceStatistics {
  std::uint64_t rx_packets = 0, rx_bytes = 0, rx_dropped = 0;
  std::uint64_t tx_packets = 0, tx_bytes = 0, tx_dropped = 0;
};

class Interface {
 public:
  Interface(InterfaceId id, const InterfaceConfig& config) : id_(id), config_(config) {}
  Interface(const Interface&) = delete;
  Interface& operator=(const Interface&) = delete;

  InterfaceId id() const { return id_; }
  const std::string& name() const { return config_.name; }
  LinkType type() const { return config_.type; }
  // Octets of link header in front of each IP packet.
  std::size_t ip_offset() const { return config_.type == LinkType::kEthernet ? 14 : 0; }
  const MacAddress& mac() const { return config_.mac; }
  std::uint32_t mtu() const { return config_.mtu; }
  void set_mtu(std::uint32_t mtu) { config_.mtu = mtu; }
  std::uint32_t mtu_for(IpFamily family) const {
    const bool is_advertised = family == IpFamily::kIpv6 && advertised_.mtu != 0;
    return is_advertised ? std::min(advertised_.mtu, config_.mtu) : config_.mtu;
  }
  const AdvertisedLink& advertised() const { return advertised_; }
  AdvertisedLink& advertised() { return advertised_; }
  const Offloads& offloads() const { return config_.offloads; }
  const InterfaceConfig& config() const { return config_; }

  const std::vector<InterfaceAddress>& addresses() const { return addresses_; }
  std::vector<InterfaceAddress>& addresses() { return addresses_; }
  // The usable entry for this very address; nullptr when it is not (yet, or any longer) ours.
  const InterfaceAddress* usable_address(const IpAddress& address) const;
  InterfaceAddress* find_address(const IpAddress& address);  // in any state
  bool is_directed_broadcast(const IpAddress& address) const;
  // Link-local, in the on-link prefix of one of our addresses of any state, or in one that a router named.
  bool is_on_link(const IpAddress& address) const;
  // The usable address from which to ask a neighbour for its MAC address: one in the same prefix, else of the
  // same scope, else any of the family; nullptr when there is none.
  const IpAddress* address_towards(const IpAddress& neighbour) const;

  // IP multicast groups that are received here, besides 224.0.0.1, ff02::1 and the solicited-node groups of
  // our addresses, which always are. Joins count.
  bool is_member(const IpAddress& group) const;
  void join(const IpAddress& group);
  void leave(const IpAddress& group);

  // No IPv6 in or out any more: another node has our MAC address (RFC 4862 §5.4.5).
  void stop_ipv6() { ipv6_is_stopped_ = true; }
  bool ipv6_is_stopped() const { return ipv6_is_stopped_; }

  // Frames (or bare packets) ready for the driver, in order.
  PacketQueue& transmit_queue() { return transmit_queue_; }
  const PacketQueue& transmit_queue() const { return transmit_queue_; }
  InterfaceStatistics& statistics() { return statistics_; }
  const InterfaceStatistics& statistics() const { return statistics_; }

 private:
  struct Membership {
    IpAddress group;
    int joins = 0;
  };

  InterfaceId id_;
  InterfaceConfig config_;
  AdvertisedLink advertised_;
  std::vector<InterfaceAddress> addresses_;
  std::vector<Membership> memberships_;
  PacketQueue transmit_queue_;
  InterfaceStatistics statistics_;
  bool ipv6_is_stopped_ = false;
};

// fe80::/64 with the modified EUI-64 identifier of RFC 2464 §4.
IpAddress link_local_address(const MacAddress& mac);

}  // namespace transom::link
