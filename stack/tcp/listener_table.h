// Which listener a segment is for. Listeners with the same local endpoint form a group: several there are
// with SO_REUSEPORT, or on different interfaces. Groups are found by keyed hash; within one, a connection's
// keyed hash chooses, so that they share the work evenly and a peer cannot aim at one of them.
#pragma once

#include <memory>
#include <vector>

#include "stack/base/keyed_table.h"
#include "stack/tcp/listener.h"
#include "stack/tcp/secrets.h"

namespace transom::tcp {

class ListenerTable {
 public:
  explicit ListenerTable(const SipKey& key) : key_(key), groups_(key) {}
  ~ListenerTable();
  ListenerTable(const ListenerTable&) = delete;
  ListenerTable& operator=(const ListenerTable&) = delete;

  void insert(Listener& listener);
  void erase(Listener& listener);
  // The closest match: bound to the address, to any address of the family, to any address at all. One that is
  // bound to the interface comes before those that are not.
  Listener* find(const FourTuple& tuple, InterfaceId interface) const;

  template <typename Visit>
  void for_each(Visit visit) const {
    groups_.for_each([&](const Group& group) {
      for (Listener* listener : group.listeners) visit(*listener);
    });
  }

 private:
  struct Group {
    Endpoint local;
    std::vector<Listener*> listeners;
  };
  struct LocalOf {
    using Key = Endpoint;
    static const Endpoint& key(const Group& group) { return group.local; }
    static std::uint64_t hash(const SipKey& sip_key, const Endpoint& local) {
      return hash_tuple(sip_key, {local, {}});
    }
  };

  Listener* pick(const Endpoint& local, const FourTuple& tuple, InterfaceId interface,
                 bool dual_stack_only = false) const;

  SipKey key_;
  KeyedTable<Group, LocalOf> groups_;
};

}  // namespace transom::tcp
