#include "stack/ip/groups.h"

#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"

namespace transom::ip {

namespace {

const SourceFilter kNobody;
const SourceFilter kEverybody = SourceFilter::everybody();
const std::map<IpAddress, SourceFilter> kNoFilters;

bool is_intact(const Packet& packet) {
  if (packet.info().checksum != ChecksumState::kUnknown) return true;
  wire::ChecksumSum sum;
  wire::add_packet(sum, packet);
  return sum.checksum() == 0;
}

}  // namespace

Groups::Groups(Context& context, link::LinkLayer& link, const IpConfig& config)
    : context_(context), link_(link), config_(config), sender_(context, link) {}

Groups::~Groups() {
  for (GroupMember* member : members_) member->groups_ = nullptr;
}

// ---------------------------------------------------------------- members

Groups::PerInterface& Groups::at(link::Interface& interface) { return interfaces_[interface.id()]; }

GroupReporter& Groups::reporter(link::Interface& interface, IpFamily family) {
  PerInterface& place = at(interface);
  auto& reporter = family == IpFamily::kIpv4 ? place.v4 : place.v6;
  if (!reporter) reporter = std::make_unique<GroupReporter>(context_, sender_, interface);
  return *reporter;
}

const std::map<IpAddress, SourceFilter>& Groups::filters(InterfaceId interface) const {
  const auto place = interfaces_.find(interface);
  return place == interfaces_.end() ? kNoFilters : place->second.filters;
}

const SourceFilter& Groups::filter(InterfaceId interface, const IpAddress& group) const {
  const auto& all = filters(interface);
  const auto found = all.find(group);
  return found == all.end() ? kNobody : found->second;
}

void Groups::update(InterfaceId id, const IpAddress& group) {
  link::Interface* const interface = link_.interface(id);
  if (interface == nullptr) return;
  PerInterface& place = at(*interface);
  std::vector<const SourceFilter*> wanted;
  for (const GroupMember* member : members_) {
    if (const auto* membership = member->find(id, group)) wanted.push_back(&membership->filter);
  }
  if (place.solicited_nodes.contains(group)) wanted.push_back(&kEverybody);
  const SourceFilter now = merge(wanted);
  const SourceFilter before = filter(id, group);
  if (now == before) return;
  if (before.is_nobody()) interface->join(group);
  if (now.is_nobody()) {
    interface->leave(group);
    place.filters.erase(group);
  } else {
    place.filters[group] = now;
  }
  if (config_.report_groups && interface->type() != link::LinkType::kLoopback)
    reporter(*interface, group.family()).changed(group, before, now);
}

void Groups::follow_addresses() {
  for (const auto& interface : link_.interfaces()) {
    if (interface->type() != link::LinkType::kEthernet) continue;
    std::set<IpAddress> wanted;
    for (const link::InterfaceAddress& entry : interface->addresses()) {
      if (entry.prefix.address.is_v6() && entry.state != link::AddressState::kDuplicated)
        wanted.insert(solicited_node_multicast(entry.prefix.address));
    }
    std::set<IpAddress>& current = at(*interface).solicited_nodes;
    if (wanted == current) continue;
    std::set<IpAddress> touched = wanted;
    touched.merge(std::set(current));
    current = std::move(wanted);
    for (const IpAddress& group : touched) update(interface->id(), group);
  }
}

// ---------------------------------------------------------------- what arrives

void Groups::receive(const Received& received, Packet packet) {
  if (!is_intact(packet)) return context_.drop(DropReason::kIgmpBadChecksum);
  if (received.source.is_v6() || packet.size() == 0 || !packet.linearize())
    return context_.drop(DropReason::kIgmpMalformed);
  const Bytes message = packet.head();
  receive_message(received, message[0] == static_cast<std::uint8_t>(wire::IgmpType::kQuery), message,
                  DropReason::kIgmpMalformed);
}

void Groups::receive_mld(const Received& received, Bytes message) {
  // RFC 9777 §6.2: from a router of this link, or from a member.
  if (!received.source.is_link_local() && !received.source.is_unspecified())
    return context_.drop(DropReason::kMembershipUntrusted);
  switch (static_cast<wire::Icmpv6Type>(message[0])) {
    case wire::Icmpv6Type::kMldQuery:
      context_.count(Counter::kIcmp6InGroupMembQueries);
      break;
    case wire::Icmpv6Type::kMldReport:
      context_.count(Counter::kIcmp6InGroupMembResponses);
      break;
    case wire::Icmpv6Type::kMldv2Report:
      context_.count(Counter::kIcmp6InMLDv2Reports);
      break;
    default:
      context_.count(Counter::kIcmp6InGroupMembReductions);
      break;
  }
  receive_message(received, message[0] == static_cast<std::uint8_t>(wire::Icmpv6Type::kMldQuery), message,
                  DropReason::kMldMalformed);
}

void Groups::receive_message(const Received& received, bool is_query, Bytes message, DropReason malformed) {
  if (received.interface.type() == link::LinkType::kLoopback || !config_.report_groups)
    return context_.drop(DropReason::kIcmpIgnored);
  const IpFamily family = received.source.family();
  if (is_query) {
    const auto query = wire::MembershipQuery::parse(family, message);
    if (!query) return context_.drop(malformed);
    // A router of IGMPv1 knew of no router alert, and IGMPv2's first drafts of none either; MLD always did.
    const bool needs_alert = family == IpFamily::kIpv6 || query->version != wire::MembershipVersion::kV1;
    const bool is_from_nobody = family == IpFamily::kIpv6 && received.source.is_unspecified();
    if (received.ttl != 1 || is_from_nobody || (needs_alert && !received.router_alert))
      return context_.drop(DropReason::kMembershipUntrusted);
    // RFC 9776 §4.1.12: one about all groups goes to all systems; one about a group, to that or to us.
    if (query->group.is_unspecified() && received.to_unicast)
      return context_.drop(DropReason::kMembershipUntrusted);
    return reporter(received.interface, family).receive_query(*query);
  }
  // Members of IGMPv3 and MLDv2 do not listen to each other, nor does anybody to who leaves.
  const auto report = wire::OldMembershipMessage::parse(family, message);
  if (!report || report->kind == wire::OldMembershipMessage::Kind::kLeave)
    return context_.drop(DropReason::kIcmpIgnored);
  if (received.ttl != 1 || received.destination != report->group)
    return context_.drop(DropReason::kMembershipUntrusted);
  reporter(received.interface, family).receive_report(report->group);
}

}  // namespace transom::ip
