#include "stack/udp/demux.h"

#include <algorithm>
#include <bit>

namespace transom::udp {

namespace {

constexpr std::uint16_t kFirstDynamicPort = 49152;
constexpr std::uint32_t kDynamicPorts = 65536 - kFirstDynamicPort;

std::array<std::uint64_t, 5> words_of(const Endpoint& local, const Endpoint& remote) {
  const auto a = std::bit_cast<std::array<std::uint64_t, 2>>(local.address.octets());
  const auto b = std::bit_cast<std::array<std::uint64_t, 2>>(remote.address.octets());
  return {a[0], a[1], b[0], b[1], std::uint64_t{to_number(local.port)} << 16 | to_number(remote.port)};
}

// Whether a datagram could be for either, by address alone.
bool covers(const IpAddress& wide, bool dual_stack, const IpAddress& other) {
  if (wide == other) return true;
  if (!wide.is_unspecified()) return false;
  return wide.family() == other.family() || (wide.is_v6() && dual_stack);
}

}  // namespace

std::uint64_t Demux::Traits::hash(const SipKey& sip_key, const Key& key) {
  return siphash_words(sip_key, words_of(key.local, key.remote));
}

Demux::Demux(Random& random) : random_(random), pick_key_(random.key()), groups_(random.key()) {}

Demux::~Demux() {
  std::vector<Group*> all;
  groups_.for_each([&](Group& group) { all.push_back(&group); });
  for (Group* group : all) delete group;
}

// As Linux: two sockets may share a port when their addresses or interfaces differ, or when both ask for it.
bool Demux::conflicts(const SocketState& wanted, const Endpoint& local) const {
  const auto found = ports_.find(to_number(local.port));
  if (found == ports_.end()) return false;
  return std::ranges::any_of(found->second, [&](const SocketState* other) {
    if ((wanted.reuse_address && other->reuse_address) || (wanted.reuse_port && other->reuse_port))
      return false;
    const InterfaceId mine = wanted.options.bound_interface;
    const InterfaceId theirs = other->options.bound_interface;
    if (mine != InterfaceId::kAny && theirs != InterfaceId::kAny && mine != theirs) return false;
    return covers(local.address, wanted.dual_stack, other->local.address) ||
           covers(other->local.address, other->dual_stack, local.address);
  });
}

std::optional<Port> Demux::choose_port(const SocketState& wanted, const IpAddress& address) const {
  const auto start = static_cast<std::uint32_t>(random_.below(kDynamicPorts));
  for (std::uint32_t i = 0; i < kDynamicPorts; ++i) {
    const auto port = static_cast<std::uint16_t>(kFirstDynamicPort + (start + i) % kDynamicPorts);
    // A chosen port is never shared, whatever the socket would put up with.
    if (!ports_.contains(port)) return static_cast<Port>(port);
  }
  for (std::uint32_t i = 0; i < kDynamicPorts; ++i) {
    const auto port = static_cast<Port>(kFirstDynamicPort + (start + i) % kDynamicPorts);
    if (!conflicts(wanted, {address, port})) return port;
  }
  return std::nullopt;
}

void Demux::add(SocketState& socket) {
  Group* group = groups_.find(key_of(socket));
  if (group == nullptr) {
    group = new Group{key_of(socket), {}};
    groups_.insert(*group);
  }
  group->sockets.push_back(&socket);
  ports_[to_number(socket.local.port)].push_back(&socket);
}

void Demux::remove(SocketState& socket) {
  Group* const group = groups_.find(key_of(socket));
  std::erase(group->sockets, &socket);
  if (group->sockets.empty()) {
    groups_.erase(*group);
    delete group;
  }
  const auto users = ports_.find(to_number(socket.local.port));
  std::erase(users->second, &socket);
  if (users->second.empty()) ports_.erase(users);
}

SocketState* Demux::find(const Flow& flow) const {
  SocketState* found = nullptr;
  for_each_group(flow, [&](const Group& group) {
    found = pick(group, flow);
    return found != nullptr;
  });
  return found;
}

bool Demux::is_for(const SocketState& socket, const Flow& flow) {
  const InterfaceId bound = socket.options.bound_interface;
  if (bound != InterfaceId::kAny && flow.interface != InterfaceId::kAny && bound != flow.interface)
    return false;
  const bool crosses_families =
      socket.local.address.is_unspecified() && socket.local.address.is_v6() && flow.local.address.is_v4();
  return !crosses_families || socket.dual_stack;
}

SocketState* Demux::pick(const Group& group, const Flow& flow) const {
  const std::size_t count = group.sockets.size();
  if (count > 1 && group.sockets.front()->reuse_port) {
    const std::size_t chosen = siphash_words(pick_key_, words_of(flow.local, flow.remote)) % count;
    if (is_for(*group.sockets[chosen], flow)) return group.sockets[chosen];
  }
  for (std::size_t i = count; i-- > 0;) {
    if (is_for(*group.sockets[i], flow)) return group.sockets[i];
  }
  return nullptr;
}

}  // namespace transom::udp
