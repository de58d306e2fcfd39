// The multicast groups of one socket: what the membership options of sockets ask for (RFC 3678), with the
// rules and errors of Linux. The interface receives, and reports, what its members want together (groups.h);
// each member takes only what it asked for itself.
#pragma once

#include <vector>

#include "stack/base/error.h"
#include "stack/ip/source_filter.h"

namespace transom::ip {

class Groups;

class GroupMember {
 public:
  struct Membership {
    IpAddress group;
    InterfaceId interface{};
    SourceFilter filter;
  };
  // Of memberships, and of sources in each; kNoBuffers beyond. As Linux (igmp_max_memberships,
  // igmp_max_msf, mld_max_msf), which counts memberships of IPv6 by their memory.
  static constexpr std::size_t kMaxGroupsV4 = 20, kMaxGroupsV6 = 64;
  static constexpr std::size_t kMaxSourcesV4 = 10, kMaxSourcesV6 = 64;
  static constexpr std::size_t max_sources(IpFamily family) {
    return family == IpFamily::kIpv4 ? kMaxSourcesV4 : kMaxSourcesV6;
  }

  explicit GroupMember(Groups& groups);
  ~GroupMember();  // leaves all
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // All sources. kInvalidArgument when it is no group, kNoSuchDevice, kAddressInUse when it is joined.
  Result<void> join(InterfaceId interface, const IpAddress& group);
  // kAddressNotAvailable when it is not joined.
  Result<void> leave(InterfaceId interface, const IpAddress& group);
  // A source-specific membership: one more source. The group may be new.
  Result<void> join_source(InterfaceId interface, const IpAddress& group, const IpAddress& source);
  // One source less; without the last, the group is left.
  Result<void> leave_source(InterfaceId interface, const IpAddress& group, const IpAddress& source);
  // Of an any-source membership. kInvalidArgument when there is none of that kind; kAddressNotAvailable when
  // the source is blocked already, or is not.
  Result<void> block(InterfaceId interface, const IpAddress& group, const IpAddress& source);
  Result<void> unblock(InterfaceId interface, const IpAddress& group, const IpAddress& source);
  // The whole filter at once, of a group that is joined; include {} leaves it.
  Result<void> set_filter(InterfaceId interface, const IpAddress& group, SourceFilter filter);
  const Membership* find(InterfaceId interface, const IpAddress& group) const;
  const std::vector<Membership>& memberships() const { return memberships_; }

  // IP_MULTICAST_ALL: also takes what is sent to groups that others here have joined.
  bool& takes_all(IpFamily family) { return family == IpFamily::kIpv4 ? takes_all_v4_ : takes_all_v6_; }
  bool takes_all(IpFamily family) const { return family == IpFamily::kIpv4 ? takes_all_v4_ : takes_all_v6_; }
  // Whether a datagram from `source` to `group` is for this socket.
  bool accepts(InterfaceId interface, const IpAddress& group, const IpAddress& source) const;

 private:
  friend class Groups;

  Result<Membership*> add(InterfaceId interface, const IpAddress& group, FilterMode mode);
  Result<void> change_source(InterfaceId interface, const IpAddress& group, const IpAddress& source,
                             FilterMode mode, bool is_added);
  void updated(InterfaceId interface, const IpAddress& group);

  Groups* groups_;  // nullptr once the layer is gone
  std::vector<Membership> memberships_;
  bool takes_all_v4_ = true;
  bool takes_all_v6_ = true;
};

}  // namespace transom::ip
