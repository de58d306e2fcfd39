// Conversations with many: a datagram goes to a multicast group, or to all hosts of a network, and answers
// come from addresses that nobody has named before (DNS-SD, SSDP). By its ends, each of them would be a flow
// of its own. What hosts and routers say of groups (IGMP, MLD) is one conversation, whatever group it is sent
// to.
#pragma once

#include "drivers/replay/cast.h"

namespace transom::drivers::replay {

// IGMP, or one of those messages of ICMPv6 that are MLD's (RFC 9776, RFC 9777). `message`: behind the IP
// headers.
bool is_about_groups(IpProtocol protocol, Bytes message);
// A router's question among them.
bool is_group_query(IpProtocol protocol, Bytes message);

struct GroupConversation {
  std::size_t flow = 0;  // of its first packet: stands for all of it
  Endpoint asker, group;
  bool we_ask = false;
};

class GroupFlows {
 public:
  // `cast` places who speaks to groups. Both outlive it.
  GroupFlows(const Scene& scene, const Cast& cast) : scene_(scene), cast_(cast) {}

  // The conversation of a packet of `flow`; null when it is between two hosts. All of a flow belongs where
  // its first packet does. Pointers stay good.
  const GroupConversation* of(const CapturedPacket& packet, const PacketView& view, std::size_t flow);
  // The same of a flow that has had a packet.
  const GroupConversation* known(std::size_t flow) const {
    const auto found = known_.find(flow);
    return found != known_.end() ? found->second : nullptr;
  }
  // Multicast, or all hosts of a network.
  bool is_to_many(const IpAddress& address) const;

 private:
  const GroupConversation* place(const CapturedPacket& packet, const PacketView& view, std::size_t flow);
  const GroupConversation* begin(std::size_t flow, const Endpoint& asker, const Endpoint& group, bool we_ask);
  const GroupConversation* speak(const Endpoint& from, const Endpoint& group, bool is_ours, std::size_t flow);

  using ByEndpoint = std::map<Endpoint, const GroupConversation*>;

  const Scene& scene_;
  const Cast& cast_;
  std::map<std::size_t, GroupConversation> conversations_;
  std::map<std::size_t, const GroupConversation*> known_;  // by flow
  std::map<IpProtocol, const GroupConversation*> reports_;
  // The latest that one of ours, or of theirs, has begun: by who asks, and by group.
  ByEndpoint we_asked_, we_asked_group_, they_asked_, they_asked_group_;
};

}  // namespace transom::drivers::replay
