#include "socket_api/group_options.h"

#include <algorithm>
#include <cstddef>

#include "socket_api/option_value.h"
#include "socket_api/socket_address.h"
#include "stack/ip/group_member.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace transom::sockets {

namespace {

using ip::GroupMember;
using ip::SourceFilter;

IpFamily family_of_level(int level) { return level == IPPROTO_IP ? IpFamily::kIpv4 : IpFamily::kIpv6; }

GroupMember& member(Session& session, IpSettings& settings) {
  if (!settings.groups) settings.groups = std::make_shared<GroupMember>(session.host().ip().groups());
  return *settings.groups;
}

Outcome<void> outcome(const Result<void>& result) {
  if (!result) return fail(result.error());
  return {};
}

// The address in a sockaddr of either family; EADDRNOTAVAIL for another (as Linux).
Outcome<IpAddress> read_group_address(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &storage, sizeof address);
    return to_address(address.sin_addr);
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &storage, sizeof address);
    return to_address(address.sin6_addr);
  }
  return fail(EADDRNOTAVAIL);
}

// What a request is about, whichever form it came in.
struct Request {
  IpAddress group;
  InterfaceId interface{};
};

Outcome<Request> find(Session& session, int level, int index, const IpAddress& address,
                      const IpAddress& group) {
  if (group.family() != family_of_level(level) || !group.is_multicast()) return fail(EINVAL);
  const link::Interface* const interface = choose_group_interface(session, index, address, group);
  if (interface == nullptr) return fail(ENODEV);
  return Request{group, interface->id()};
}

Outcome<Request> read_request(Session& session, int level, int name, Bytes value) {
  switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
      if (level == IPPROTO_IP) {
        const auto request = read_multicast_request(value, false);
        if (!request) return std::unexpected(request.error());
        return find(session, level, request->imr_ifindex, to_address(request->imr_address),
                    to_address(request->imr_multiaddr));
      }
      break;
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
      if (level == IPPROTO_IPV6) {
        const auto request = read_option<ipv6_mreq>(value);
        if (!request) return std::unexpected(request.error());
        return find(session, level, static_cast<int>(request->ipv6mr_interface), IpAddress(),
                    to_address(request->ipv6mr_multiaddr));
      }
      break;
    default:
      break;
  }
  const auto request = read_option<group_req>(value);
  if (!request) return std::unexpected(request.error());
  const auto group = read_group_address(request->gr_group);
  if (!group) return std::unexpected(group.error());
  return find(session, level, static_cast<int>(request->gr_interface), IpAddress::any(group->family()),
              *group);
}

Outcome<void> change_membership(Session& session, IpSettings& settings, int level, int name, Bytes value,
                                bool is_join) {
  const auto request = read_request(session, level, name, value);
  if (!request && request.error() == Errno{ENODEV} && level == IPPROTO_IP && name == IP_DROP_MEMBERSHIP) {
    // As Linux: on an interface that is named, whether it is there or not, one is no member.
    const auto named = read_multicast_request(value, false);
    if (named && (named->imr_ifindex != 0 || named->imr_address.s_addr != INADDR_ANY))
      return fail(EADDRNOTAVAIL);
  }
  if (!request) return std::unexpected(request.error());
  GroupMember& groups = member(session, settings);
  return outcome(is_join ? groups.join(request->interface, request->group)
                         : groups.leave(request->interface, request->group));
}

using SourceChange = Result<void> (GroupMember::*)(InterfaceId, const IpAddress&, const IpAddress&);

// ip_mreq_source names the interface by its address, group_source_req by its number.
Outcome<void> change_source(Session& session, IpSettings& settings, int level, bool is_numbered, Bytes value,
                            SourceChange change) {
  Outcome<Request> request = fail(EINVAL);
  IpAddress source;
  if (is_numbered) {
    const auto read = read_option<group_source_req>(value);
    if (!read) return std::unexpected(read.error());
    const auto group = read_group_address(read->gsr_group);
    const auto from = read_group_address(read->gsr_source);
    if (!group || !from) return fail(EADDRNOTAVAIL);
    source = *from;
    request =
        find(session, level, static_cast<int>(read->gsr_interface), IpAddress::any(group->family()), *group);
  } else {
    const auto read = read_option<ip_mreq_source>(value);
    if (!read) return std::unexpected(read.error());
    source = to_address(read->imr_sourceaddr);
    request = find(session, level, 0, to_address(read->imr_interface), to_address(read->imr_multiaddr));
  }
  if (!request) return std::unexpected(request.error());
  return outcome((member(session, settings).*change)(request->interface, request->group, source));
}

// ---------------------------------------------------------------- whole filters

Outcome<ip::FilterMode> read_mode(std::uint32_t mode) {
  if (mode == MCAST_INCLUDE) return ip::FilterMode::kInclude;
  if (mode == MCAST_EXCLUDE) return ip::FilterMode::kExclude;
  return fail(EINVAL);
}

constexpr std::size_t kShortHead = offsetof(ip_msfilter, imsf_slist);
constexpr std::size_t kLongHead = offsetof(group_filter, gf_slist);

// The fixed fronts of ip_msfilter and group_filter, taken apart.
struct FilterHead {
  Request request;
  std::uint32_t mode = 0;
  std::uint32_t count = 0;
  std::size_t size = 0;  // of the front
  std::size_t per_source = 0;
};

Outcome<FilterHead> read_filter_head(Session& session, int level, int name, Bytes value) {
  FilterHead head;
  Outcome<Request> request = fail(EINVAL);
  if (name == IP_MSFILTER) {
    if (value.size() < kShortHead) return fail(EINVAL);
    ip_msfilter filter{};
    std::memcpy(&filter, value.data(), kShortHead);
    request = find(session, level, 0, to_address(filter.imsf_interface), to_address(filter.imsf_multiaddr));
    head = {{}, filter.imsf_fmode, filter.imsf_numsrc, kShortHead, sizeof(in_addr)};
  } else {
    if (value.size() < kLongHead) return fail(EINVAL);
    group_filter filter{};
    std::memcpy(&filter, value.data(), kLongHead);
    const auto group = read_group_address(filter.gf_group);
    if (!group) return std::unexpected(group.error());
    request =
        find(session, level, static_cast<int>(filter.gf_interface), IpAddress::any(group->family()), *group);
    head = {{}, filter.gf_fmode, filter.gf_numsrc, kLongHead, sizeof(sockaddr_storage)};
  }
  if (!request) return std::unexpected(request.error());
  head.request = *request;
  return head;
}

Outcome<IpAddress> read_listed_source(int name, Bytes octets) {
  if (name == IP_MSFILTER) {
    in_addr address{};
    std::memcpy(&address, octets.data(), sizeof address);
    return to_address(address);
  }
  sockaddr_storage storage{};
  std::memcpy(&storage, octets.data(), sizeof storage);
  return read_group_address(storage);
}

Outcome<void> set_filter(Session& session, IpSettings& settings, int level, int name, Bytes value) {
  const auto head = read_filter_head(session, level, name, value);
  if (!head) return std::unexpected(head.error());
  const auto mode = read_mode(head->mode);
  if (!mode) return std::unexpected(mode.error());
  if (head->count > GroupMember::max_sources(family_of_level(level))) return fail(ENOBUFS);
  if (value.size() < head->size + head->count * head->per_source) return fail(EINVAL);
  SourceFilter filter{*mode, {}};
  for (std::size_t i = 0; i < head->count; ++i) {
    const auto source =
        read_listed_source(name, value.subspan(head->size + i * head->per_source, head->per_source));
    if (!source) return std::unexpected(source.error());
    if (source->family() != head->request.group.family()) return fail(EADDRNOTAVAIL);
    filter.add(*source);
  }
  return outcome(
      member(session, settings).set_filter(head->request.interface, head->request.group, std::move(filter)));
}

void write_listed_source(int name, MutableBytes out, const IpAddress& source) {
  if (name == IP_MSFILTER) {
    write_option(out, to_in_addr(source));
    return;
  }
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  (void)write_address(source.is_v4() ? AF_INET : AF_INET6, {{source, Port::kNone}},
                      reinterpret_cast<sockaddr*>(&storage), &length);
  write_option(out, storage);
}

// As many sources as there is room for; the number is that of all.
Outcome<std::size_t> get_filter(Session& session, const IpSettings& settings, int level, int name,
                                MutableBytes out) {
  const auto head = read_filter_head(session, level, name, out);
  if (!head) return std::unexpected(head.error());
  const GroupMember::Membership* membership =
      settings.groups ? settings.groups->find(head->request.interface, head->request.group) : nullptr;
  if (membership == nullptr) return fail(EADDRNOTAVAIL);
  const std::uint32_t mode =
      membership->filter.mode == ip::FilterMode::kInclude ? MCAST_INCLUDE : MCAST_EXCLUDE;
  const auto all = static_cast<std::uint32_t>(membership->filter.sources.size());
  const std::size_t room = (out.size() - head->size) / head->per_source;
  const std::size_t count = std::min<std::size_t>({all, head->count, room});
  const std::size_t mode_at =
      name == IP_MSFILTER ? offsetof(ip_msfilter, imsf_fmode) : offsetof(group_filter, gf_fmode);
  write_option(out.subspan(mode_at), mode);
  write_option(out.subspan(mode_at + sizeof mode), all);
  for (std::size_t i = 0; i < count; ++i)
    write_listed_source(name, out.subspan(head->size + i * head->per_source), membership->filter.sources[i]);
  return head->size + count * head->per_source;
}

bool is_all_option(int level, int name) {
  return name == (level == IPPROTO_IP ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL);
}

}  // namespace

Outcome<ip_mreqn> read_multicast_request(Bytes value, bool may_be_address) {
  ip_mreqn request{};
  if (value.size() >= sizeof(ip_mreqn)) {
    std::memcpy(&request, value.data(), sizeof request);
  } else if (value.size() >= sizeof(ip_mreq)) {
    std::memcpy(&request, value.data(), sizeof(ip_mreq));
  } else if (may_be_address && value.size() >= sizeof(in_addr)) {
    std::memcpy(&request.imr_address, value.data(), sizeof(in_addr));
  } else {
    return fail(EINVAL);
  }
  return request;
}

link::Interface* choose_group_interface(Session& session, int index, const IpAddress& address,
                                        const IpAddress& group) {
  link::LinkLayer& link = session.host().link();
  if (index != 0)
    return index > 0 && index <= UINT16_MAX ? link.interface(static_cast<InterfaceId>(index)) : nullptr;
  if (!address.is_unspecified()) {
    for (const auto& interface : link.interfaces()) {
      if (interface->find_address(address) != nullptr) return interface.get();
    }
    return nullptr;
  }
  if (const ip::Route* route = session.host().ip().routes().lookup(group))
    return link.interface(route->interface);
  for (const auto& interface : link.interfaces()) {
    if (interface->type() != link::LinkType::kLoopback) return interface.get();
  }
  return nullptr;
}

bool is_group_option(int level, int name) {
  switch (name) {
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
    case MCAST_JOIN_SOURCE_GROUP:
    case MCAST_LEAVE_SOURCE_GROUP:
    case MCAST_BLOCK_SOURCE:
    case MCAST_UNBLOCK_SOURCE:
    case MCAST_MSFILTER:
      return level == IPPROTO_IP || level == IPPROTO_IPV6;
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
    case IP_ADD_SOURCE_MEMBERSHIP:
    case IP_DROP_SOURCE_MEMBERSHIP:
    case IP_BLOCK_SOURCE:
    case IP_UNBLOCK_SOURCE:
    case IP_MSFILTER:
      return level == IPPROTO_IP;
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
      return level == IPPROTO_IPV6;
    default:
      return (level == IPPROTO_IP || level == IPPROTO_IPV6) && is_all_option(level, name);
  }
}

Outcome<void> set_group_option(Session& session, IpSettings& settings, int level, int name, Bytes value) {
  if (is_all_option(level, name)) {
    const auto on = level == IPPROTO_IP ? read_ip_int(value, 0, 1) : read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    member(session, settings).takes_all(family_of_level(level)) = *on != 0;
    return {};
  }
  if (level == IPPROTO_IPV6 && (name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP))
    return change_membership(session, settings, level, name, value, name == IPV6_JOIN_GROUP);
  switch (name) {
    case IP_ADD_MEMBERSHIP:
    case MCAST_JOIN_GROUP:
      return change_membership(session, settings, level, name, value, true);
    case IP_DROP_MEMBERSHIP:
    case MCAST_LEAVE_GROUP:
      return change_membership(session, settings, level, name, value, false);
    case IP_ADD_SOURCE_MEMBERSHIP:
    case MCAST_JOIN_SOURCE_GROUP:
      return change_source(session, settings, level, name == MCAST_JOIN_SOURCE_GROUP, value,
                           &GroupMember::join_source);
    case IP_DROP_SOURCE_MEMBERSHIP:
    case MCAST_LEAVE_SOURCE_GROUP:
      return change_source(session, settings, level, name == MCAST_LEAVE_SOURCE_GROUP, value,
                           &GroupMember::leave_source);
    case IP_BLOCK_SOURCE:
    case MCAST_BLOCK_SOURCE:
      return change_source(session, settings, level, name == MCAST_BLOCK_SOURCE, value, &GroupMember::block);
    case IP_UNBLOCK_SOURCE:
    case MCAST_UNBLOCK_SOURCE:
      return change_source(session, settings, level, name == MCAST_UNBLOCK_SOURCE, value,
                           &GroupMember::unblock);
    default:
      return set_filter(session, settings, level, name, value);
  }
}

Outcome<std::size_t> get_group_option(Session& session, const IpSettings& settings, int level, int name,
                                      MutableBytes out) {
  if (is_all_option(level, name)) {
    const bool on = !settings.groups || std::as_const(*settings.groups).takes_all(family_of_level(level));
    return level == IPPROTO_IP ? write_ip_int(out, on) : write_bool_option(out, on);
  }
  if (name == MCAST_MSFILTER || (level == IPPROTO_IP && name == IP_MSFILTER))
    return get_filter(session, settings, level, name, out);
  return fail(ENOPROTOOPT);
}

}  // namespace transom::sockets
