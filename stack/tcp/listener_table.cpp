#include "stack/tcp/listener_table.h"

#include <algorithm>

namespace transom::tcp {

ListenerTable::~ListenerTable() {
  std::vector<Group*> all;
  groups_.for_each([&](Group& group) { all.push_back(&group); });
  for (Group* group : all) delete group;
}

void ListenerTable::insert(Listener& listener) {
  Group* group = groups_.find(listener.local());
  if (group == nullptr) {
    group = new Group{listener.local(), {}};
    groups_.insert(*group);
  }
  group->listeners.push_back(&listener);
}

void ListenerTable::erase(Listener& listener) {
  Group* const group = groups_.find(listener.local());
  if (group == nullptr) return;
  std::erase(group->listeners, &listener);
  if (!group->listeners.empty()) return;
  groups_.erase(*group);
  delete group;
}

Listener* ListenerTable::pick(const Endpoint& local, const FourTuple& tuple, InterfaceId interface,
                              bool dual_stack_only) const {
  const Group* const group = groups_.find(local);
  if (group == nullptr) return nullptr;
  for (const InterfaceId bound : {interface, InterfaceId::kAny}) {
    const auto is_candidate = [&](const Listener* listener) {
      return listener->interface() == bound && (!dual_stack_only || listener->dual_stack());
    };
    const auto count = static_cast<std::uint64_t>(std::ranges::count_if(group->listeners, is_candidate));
    if (count == 0) continue;
    std::uint64_t chosen = count == 1 ? 0 : hash_tuple(key_, tuple) % count;
    for (Listener* listener : group->listeners) {
      if (is_candidate(listener) && chosen-- == 0) return listener;
    }
  }
  return nullptr;
}

Listener* ListenerTable::find(const FourTuple& tuple, InterfaceId interface) const {
  const Endpoint& local = tuple.local;
  if (Listener* exact = pick(local, tuple, interface)) return exact;
  const Endpoint any_of_family{IpAddress::any(local.address.family()), local.port};
  if (Listener* any = pick(any_of_family, tuple, interface)) return any;
  if (local.address.is_v6()) return nullptr;
  return pick({IpAddress(), local.port}, tuple, interface, true);
}

}  // namespace transom::tcp
