// Which socket a datagram is for, and which ports are free.
//
// Sockets that have the same addresses and ports form a group; groups are found by keyed hash of those. A
// datagram has at most four groups to look into, from the closest match to the widest:
//
//   connected to its source > bound to its destination > bound to any address of the family > dual-stack "::"
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "stack/base/keyed_table.h"
#include "stack/base/random.h"
#include "stack/udp/socket_state.h"

namespace transom::udp {

// A datagram's addresses, as seen from here. Without an interface it matches whatever the socket is bound to.
struct Flow {
  Endpoint local;
  Endpoint remote;
  InterfaceId interface = InterfaceId::kAny;
};

class Demux {
 public:
  explicit Demux(Random& random);
  ~Demux();

  // Whether `wanted`, with this local endpoint, may not be bound because of a socket that is.
  bool conflicts(const SocketState& wanted, const Endpoint& local) const;
  // A free port for `wanted` at random; nullopt when all are taken.
  std::optional<Port> choose_port(const SocketState& wanted, const IpAddress& address) const;

  // Under its local and remote endpoints, which must not change before remove().
  void add(SocketState& socket);
  void remove(SocketState& socket);

  // The socket for a unicast datagram; of several that share everything, by hash of the flow (SO_REUSEPORT)
  // or the latest.
  SocketState* find(const Flow& flow) const;
  // Every socket that a multicast or broadcast datagram is for.
  template <typename Visit>
  void for_each(const Flow& flow, Visit visit) const {
    for_each_group(flow, [&](const Group& group) {
      for (SocketState* socket : group.sockets) {
        if (is_for(*socket, flow)) visit(*socket);
      }
      return false;
    });
  }

 private:
  struct Key {
    Endpoint local;
    Endpoint remote;  // nothing in it unless connected
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Group {
    Key key;
    std::vector<SocketState*> sockets;  // in the order in which they were bound
  };
  struct Traits {
    using Key = Demux::Key;
    static const Key& key(const Group& group) { return group.key; }
    static std::uint64_t hash(const SipKey& sip_key, const Key& key);
  };

  static Key key_of(const SocketState& socket) { return {socket.local, socket.remote.value_or(Endpoint{})}; }
  static bool is_for(const SocketState& socket, const Flow& flow);
  SocketState* pick(const Group& group, const Flow& flow) const;

  // Calls `visit` with each group, the closest first, until it returns true.
  template <typename Visit>
  void for_each_group(const Flow& flow, Visit visit) const {
    const Port port = flow.local.port;
    const Key keys[] = {{flow.local, flow.remote},
                        {flow.local, Endpoint{}},
                        {{IpAddress::any(flow.local.address.family()), port}, Endpoint{}},
                        {{IpAddress(), port}, Endpoint{}}};
    const std::size_t count = flow.local.address.is_v4() ? 4 : 3;
    for (std::size_t i = 0; i < count; ++i) {
      const Group* const group = groups_.find(keys[i]);
      if (group != nullptr && visit(*group)) return;
    }
  }

  Random& random_;
  SipKey pick_key_;
  KeyedTable<Group, Traits> groups_;
  std::unordered_map<std::uint16_t, std::vector<SocketState*>> ports_;  // only our own side binds
};

}  // namespace transom::udp
