#include "drivers/replay/group_flows.h"

#include "drivers/replay/fragment_joiner.h"

namespace transom::drivers::replay {

namespace {

constexpr std::uint8_t kIgmpQuery = 0x11, kMldQuery = 130, kMldDone = 132, kMldReport2 = 143;

const GroupConversation* find(const std::map<Endpoint, const GroupConversation*>& where,
                              const Endpoint& endpoint) {
  const auto found = where.find(endpoint);
  return found != where.end() ? found->second : nullptr;
}

}  // namespace

bool is_about_groups(IpProtocol protocol, Bytes message) {
  if (message.empty()) return false;
  if (protocol == IpProtocol::kIgmp) return true;
  return protocol == IpProtocol::kIcmpv6 &&
         ((message[0] >= kMldQuery && message[0] <= kMldDone) || message[0] == kMldReport2);
}

bool is_group_query(IpProtocol protocol, Bytes message) {
  return is_about_groups(protocol, message) &&
         message[0] == (protocol == IpProtocol::kIgmp ? kIgmpQuery : kMldQuery);
}

bool GroupFlows::is_to_many(const IpAddress& address) const {
  return address.is_multicast() || address.is_limited_broadcast() || scene_.broadcasts.contains(address);
}

const GroupConversation* GroupFlows::of(const CapturedPacket& packet, const PacketView& view,
                                        std::size_t flow) {
  const auto known = known_.find(flow);
  if (known != known_.end()) return known->second;
  return known_.emplace(flow, place(packet, view, flow)).first->second;
}

const GroupConversation* GroupFlows::begin(std::size_t flow, const Endpoint& asker, const Endpoint& group,
                                           bool we_ask) {
  return &conversations_
              .emplace(flow,
                       GroupConversation{.flow = flow, .asker = asker, .group = group, .we_ask = we_ask})
              .first->second;
}

const GroupConversation* GroupFlows::place(const CapturedPacket& packet, const PacketView& view,
                                           std::size_t flow) {
  const auto [from, to] = ends_of(packet, view);
  const bool is_ours = cast_.is_ours(from.address);
  if (!is_ours && !cast_.their_addresses().contains(from.address)) return nullptr;
  if (is_about_groups(view.protocol, behind_ip(packet, view))) {
    const GroupConversation*& reports = reports_[view.protocol];
    if (reports == nullptr) reports = begin(flow, from, to, is_ours);
    return reports;
  }
  if (view.protocol != IpProtocol::kUdp) return nullptr;
  if (is_to_many(to.address)) return speak(from, to, is_ours, flow);
  return find(is_ours ? they_asked_ : we_asked_, to);
}

// To a group: a question, or an answer that all are to hear.
const GroupConversation* GroupFlows::speak(const Endpoint& from, const Endpoint& group, bool is_ours,
                                           std::size_t flow) {
  const GroupConversation* const asked = find(is_ours ? they_asked_group_ : we_asked_group_, group);
  // Who speaks from the group's own port answers on it (RFC 6762 §6).
  if (asked != nullptr && from.port == group.port) return asked;
  const GroupConversation* const begun = begin(flow, from, group, is_ours);
  (is_ours ? we_asked_ : they_asked_).insert_or_assign(from, begun);
  (is_ours ? we_asked_group_ : they_asked_group_).insert_or_assign(group, begun);
  return begun;
}

}  // namespace transom::drivers::replay
