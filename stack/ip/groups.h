// Multicast groups of a host's interfaces: IGMPv3 and MLDv2 for a host (RFC 9776, RFC 9777), with the older
// versions where a router speaks them.
//
//   sockets: GroupMember ─► Groups merges them, per interface and group ─► GroupReporter tells the routers
//                                └► link::Interface takes the group in
//
// The solicited-node groups of our addresses are members of their own (RFC 4862 §5.4.2). Routers' questions
// are believed only from the link: TTL or hop limit 1, and the router alert option (RFC 9776 §9.1, RFC 9777
// §6.2).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "stack/ip/group_member.h"
#include "stack/ip/group_reporter.h"
#include "stack/ip/ip_layer.h"
#include "stack/ip/transport.h"

namespace transom::ip {

class Groups final : public Transport {
 public:
  Groups(Context& context, link::LinkLayer& link, const IpConfig& config);
  ~Groups();
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  // An IGMP message, with its IP header taken off.
  void receive(const Received& received, Packet packet) override;
  bool icmp_error(const IcmpError&) override { return false; }
  // An ICMPv6 message of types 130, 131, 132 and 143 whose checksum is right.
  void receive_mld(const Received& received, Bytes message);

  // Addresses have come or gone.
  void follow_addresses();

  // The filter of an interface for a group; nobody when it is no member.
  const SourceFilter& filter(InterfaceId interface, const IpAddress& group) const;
  const std::map<IpAddress, SourceFilter>& filters(InterfaceId interface) const;

 private:
  friend class GroupMember;

  struct PerInterface {
    std::unique_ptr<GroupReporter> v4;
    std::unique_ptr<GroupReporter> v6;
    std::map<IpAddress, SourceFilter> filters;  // merged
    std::set<IpAddress> solicited_nodes;
  };

  void add(GroupMember& member) { members_.push_back(&member); }
  void remove(GroupMember& member) { std::erase(members_, &member); }
  bool has_interface(InterfaceId interface) const { return link_.interface(interface) != nullptr; }
  void update(InterfaceId interface, const IpAddress& group);
  PerInterface& at(link::Interface& interface);
  GroupReporter& reporter(link::Interface& interface, IpFamily family);
  void receive_message(const Received& received, bool is_query, Bytes message, DropReason malformed);

  Context& context_;
  link::LinkLayer& link_;
  const IpConfig& config_;
  ReportSender sender_;
  std::vector<GroupMember*> members_;
  std::map<InterfaceId, PerInterface> interfaces_;
};

}  // namespace transom::ip
