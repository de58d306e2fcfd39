#include "stack/ip/group_member.h"

#include <algorithm>
#include <utility>

#include "stack/ip/groups.h"

namespace transom::ip {

GroupMember::GroupMember(Groups& groups) : groups_(&groups) { groups.add(*this); }

GroupMember::~GroupMember() {
  if (groups_ == nullptr) return;
  const std::vector<Membership> left = std::exchange(memberships_, {});
  for (const Membership& membership : left) updated(membership.interface, membership.group);
  groups_->remove(*this);
}

const GroupMember::Membership* GroupMember::find(InterfaceId interface, const IpAddress& group) const {
  const auto found = std::ranges::find_if(memberships_, [&](const Membership& membership) {
    return membership.group == group && membership.interface == interface;
  });
  return found == memberships_.end() ? nullptr : &*found;
}

bool GroupMember::accepts(InterfaceId interface, const IpAddress& group, const IpAddress& source) const {
  const Membership* const membership = find(interface, group);
  return membership != nullptr ? membership->filter.accepts(source) : takes_all(group.family());
}

void GroupMember::updated(InterfaceId interface, const IpAddress& group) {
  if (groups_ != nullptr) groups_->update(interface, group);
}

Result<GroupMember::Membership*> GroupMember::add(InterfaceId interface, const IpAddress& group,
                                                  FilterMode mode) {
  if (!group.is_multicast()) return std::unexpected(Error::kInvalidArgument);
  if (groups_ == nullptr || !groups_->has_interface(interface)) return std::unexpected(Error::kNoSuchDevice);
  if (find(interface, group) != nullptr) return std::unexpected(Error::kAddressInUse);
  const auto count = static_cast<std::size_t>(std::ranges::count(
      memberships_, group.family(), [](const Membership& membership) { return membership.group.family(); }));
  if (count >= (group.is_v4() ? kMaxGroupsV4 : kMaxGroupsV6)) return std::unexpected(Error::kNoBuffers);
  memberships_.push_back({group, interface, {mode, {}}});
  return &memberships_.back();
}

Result<void> GroupMember::join(InterfaceId interface, const IpAddress& group) {
  if (const auto added = add(interface, group, FilterMode::kExclude); !added)
    return std::unexpected(added.error());
  updated(interface, group);
  return {};
}

Result<void> GroupMember::leave(InterfaceId interface, const IpAddress& group) {
  const auto erased = std::erase_if(memberships_, [&](const Membership& membership) {
    return membership.group == group && membership.interface == interface;
  });
  if (erased == 0) return std::unexpected(Error::kAddressNotAvailable);
  updated(interface, group);
  return {};
}

Result<void> GroupMember::join_source(InterfaceId interface, const IpAddress& group,
                                      const IpAddress& source) {
  const auto added = add(interface, group, FilterMode::kInclude);
  if (!added && added.error() != Error::kAddressInUse) return std::unexpected(added.error());
  return change_source(interface, group, source, FilterMode::kInclude, true);
}

Result<void> GroupMember::leave_source(InterfaceId interface, const IpAddress& group,
                                       const IpAddress& source) {
  return change_source(interface, group, source, FilterMode::kInclude, false);
}

Result<void> GroupMember::block(InterfaceId interface, const IpAddress& group, const IpAddress& source) {
  return change_source(interface, group, source, FilterMode::kExclude, true);
}

Result<void> GroupMember::unblock(InterfaceId interface, const IpAddress& group, const IpAddress& source) {
  return change_source(interface, group, source, FilterMode::kExclude, false);
}

Result<void> GroupMember::change_source(InterfaceId interface, const IpAddress& group,
                                        const IpAddress& source, FilterMode mode, bool is_added) {
  if (!group.is_multicast() || source.family() != group.family())
    return std::unexpected(Error::kInvalidArgument);
  auto* const membership = const_cast<Membership*>(std::as_const(*this).find(interface, group));
  if (membership == nullptr) return std::unexpected(Error::kInvalidArgument);
  SourceFilter& filter = membership->filter;
  // As Linux: the kind of a membership may change only while it lists no sources.
  if (filter.mode != mode && !filter.sources.empty()) return std::unexpected(Error::kInvalidArgument);
  if (!is_added) {
    if (!filter.lists(source)) return std::unexpected(Error::kAddressNotAvailable);
    if (mode == FilterMode::kInclude && filter.sources.size() == 1) return leave(interface, group);
    filter.remove(source);
  } else {
    if (filter.sources.size() >= max_sources(group.family())) return std::unexpected(Error::kNoBuffers);
    filter.mode = mode;
    if (!filter.add(source)) return std::unexpected(Error::kAddressNotAvailable);
  }
  updated(interface, group);
  return {};
}

Result<void> GroupMember::set_filter(InterfaceId interface, const IpAddress& group, SourceFilter filter) {
  if (!group.is_multicast()) return std::unexpected(Error::kInvalidArgument);
  if (filter.is_nobody()) return leave(interface, group);
  if (filter.sources.size() > max_sources(group.family())) return std::unexpected(Error::kNoBuffers);
  auto* const membership = const_cast<Membership*>(std::as_const(*this).find(interface, group));
  if (membership == nullptr) return std::unexpected(Error::kInvalidArgument);
  membership->filter = std::move(filter);
  updated(interface, group);
  return {};
}

}  // namespace transom::ip
