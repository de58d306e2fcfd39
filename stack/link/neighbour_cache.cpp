#include "stack/link/neighbour_cache.h"

namespace transom::link {

NeighbourCache::NeighbourCache(Context& context, const LinkConfig& config, Interface& interface,
                               NeighbourResolver& resolver)
    : context_(context),
      config_(config),
      interface_(interface),
      resolver_(resolver),
      // RFC 4861 §6.3.2: between 0.5 and 1.5 times the base, so that hosts do not probe in step.
      reachable_time_(context.random.between(config.reachable_time / 2, config.reachable_time * 3 / 2)),
      table_(context, config.max_neighbours) {}

// ---------------------------------------------------------------- entries

Neighbour* NeighbourCache::create(const IpAddress& address, NeighbourTable::Purpose purpose) {
  if (table_.is_full()) {
    context_.count(Counter::kNeighTableOverflows);
    Neighbour* const victim = table_.choose_victim(purpose);
    if (victim == nullptr) return nullptr;
    remove(*victim);
  }
  return &table_.insert(*this, address);
}

void NeighbourCache::remove(Neighbour& neighbour) {
  PacketQueue pending = take_pending(neighbour);
  table_.erase(neighbour);
  while (pending.pop()) context_.drop(DropReason::kNeighbourTableFull, Counter::kNeighUnresolvedDrops);
}

PacketQueue NeighbourCache::take_pending(Neighbour& neighbour) {
  pending_ -= neighbour.pending.size();
  return std::move(neighbour.pending);
}

// ---------------------------------------------------------------- sending

void NeighbourCache::send(Packet packet, const IpAddress& address, NeighbourHandle* handle) {
  Neighbour* neighbour = table_.find(address, handle);
  if (neighbour == nullptr) {
    neighbour = create(address, NeighbourTable::Purpose::kSending);
    if (neighbour == nullptr) {
      return context_.drop(DropReason::kNeighbourTableFull, Counter::kNeighUnresolvedDrops);
    }
    if (handle != nullptr) *handle = {neighbour->index, neighbour->generation};
    enqueue(*neighbour, std::move(packet));
    start_asking(*neighbour, NeighbourState::kIncomplete);
    return;
  }
  neighbour->last_used = context_.now;
  switch (neighbour->state) {
    case NeighbourState::kReachable:
      if (is_fresh(*neighbour)) break;
      [[fallthrough]];
    case NeighbourState::kStale:  // RFC 4861 §7.3.3: send, and see whether anything above confirms
      neighbour->state = NeighbourState::kDelay;
      neighbour->timer.start(context_.timers, context_.now + config_.delay_first_probe);
      break;
    case NeighbourState::kDelay:
    case NeighbourState::kProbe:
    case NeighbourState::kPermanent:
      break;
    case NeighbourState::kIncomplete:
      return enqueue(*neighbour, std::move(packet));
    case NeighbourState::kFailed:
      context_.drop(DropReason::kNeighbourFailed, Counter::kNeighUnresolvedDrops);
      return resolver_.failed(interface_, std::move(packet));
  }
  resolver_.transmit(interface_, std::move(packet), neighbour->mac);
}

void NeighbourCache::enqueue(Neighbour& neighbour, Packet packet) {
  if (neighbour.pending.size() >= config_.max_pending_packets || pending_ >= config_.max_pending_in_all) {
    context_.drop(DropReason::kNeighbourQueueFull, Counter::kNeighUnresolvedDrops);
    if (neighbour.pending.empty()) return;  // others hold all the room
    neighbour.pending.pop();                // the latest is worth more (RFC 1122 §2.3.2.2)
    --pending_;
  }
  neighbour.pending.push(std::move(packet));
  ++pending_;
}

// ---------------------------------------------------------------- asking

// RFC 4861 §6.3.4: of IPv6, as the routers of the link say.
Duration NeighbourCache::retrans_timer(const Neighbour& neighbour) const {
  const Duration advertised = interface_.advertised().retrans_timer;
  return neighbour.address.is_v6() && advertised != Duration::zero() ? advertised : config_.retrans_timer;
}

// The random part stays the same (RFC 4861 §6.3.2).
Duration NeighbourCache::reachable_time(const Neighbour& neighbour) const {
  const Duration advertised = interface_.advertised().reachable_time;
  if (neighbour.address.is_v4() || advertised == Duration::zero()) return reachable_time_;
  constexpr Duration kGrain = std::chrono::milliseconds(1);
  return advertised * (reachable_time_ / kGrain) / std::max<std::int64_t>(config_.reachable_time / kGrain, 1);
}

void NeighbourCache::start_asking(Neighbour& neighbour, NeighbourState state) {
  neighbour.state = state;
  neighbour.solicits = 0;
  ask(neighbour);
}

void NeighbourCache::ask(Neighbour& neighbour) {
  // RFC 1122 §2.3.2.1: not more often than once a second for one destination, whatever made us doubt.
  if (neighbour.last_solicit && context_.now - *neighbour.last_solicit < retrans_timer(neighbour)) {
    neighbour.timer.start(context_.timers, *neighbour.last_solicit + retrans_timer(neighbour));
    return;
  }
  ++neighbour.solicits;
  neighbour.last_solicit = context_.now;
  neighbour.timer.start(context_.timers, context_.now + retrans_timer(neighbour));
  resolver_.solicit(interface_, neighbour.address,
                    neighbour.state == NeighbourState::kProbe ? &neighbour.mac : nullptr);
}

void NeighbourCache::fail(Neighbour& neighbour) {
  neighbour.state = NeighbourState::kFailed;
  neighbour.timer.start(context_.timers, context_.now + retrans_timer(neighbour) * 3);
  PacketQueue pending = take_pending(neighbour);
  while (Packet packet = pending.pop()) {
    context_.drop(DropReason::kNeighbourFailed, Counter::kNeighUnresolvedDrops);
    resolver_.failed(interface_, std::move(packet));
  }
}

void NeighbourCache::on_timer(Neighbour& neighbour) {
  switch (neighbour.state) {
    case NeighbourState::kIncomplete:
      return neighbour.solicits < config_.max_multicast_solicit ? ask(neighbour) : fail(neighbour);
    case NeighbourState::kDelay:  // nothing above confirmed it meanwhile
      return start_asking(neighbour, NeighbourState::kProbe);
    case NeighbourState::kProbe:  // RFC 4861 §7.3.3: deleted; the next packet asks everybody
      return neighbour.solicits < config_.max_unicast_solicit ? ask(neighbour) : remove(neighbour);
    case NeighbourState::kFailed:
      return remove(neighbour);
    case NeighbourState::kReachable:
    case NeighbourState::kStale:
    case NeighbourState::kPermanent:
      return;
  }
}

// ---------------------------------------------------------------- learning

void NeighbourCache::settle(Neighbour& neighbour, MacAddress mac, NeighbourState state) {
  neighbour.mac = mac;
  neighbour.state = state;
  neighbour.timer.cancel();
  if (state == NeighbourState::kReachable) {
    neighbour.confirmed = context_.now;
    neighbour.has_answered = true;
  }
  PacketQueue pending = take_pending(neighbour);
  while (Packet packet = pending.pop()) resolver_.transmit(interface_, std::move(packet), mac);
}

void NeighbourCache::overhear(const IpAddress& address, const MacAddress& mac) {
  Neighbour* const neighbour = table_.find(address);
  if (neighbour == nullptr || neighbour->state == NeighbourState::kPermanent) return;
  if (!neighbour->has_mac()) return settle(*neighbour, mac, NeighbourState::kStale);
  if (neighbour->mac == mac) return;
  context_.tell(AddressConflictEvent{interface_.id(), address, mac});
  if (neighbour->state == NeighbourState::kProbe) return;  // being asked already, at the address it had
  if (neighbour->state == NeighbourState::kReachable && is_fresh(*neighbour)) {
    return start_asking(*neighbour, NeighbourState::kProbe);
  }
  settle(*neighbour, mac, NeighbourState::kStale);
}

void NeighbourCache::learn(const IpAddress& address, const MacAddress& mac) {
  if (table_.find(address) != nullptr) return overhear(address, mac);
  Neighbour* const neighbour = create(address, NeighbourTable::Purpose::kHearsay);
  if (neighbour != nullptr) settle(*neighbour, mac, NeighbourState::kStale);
}

void NeighbourCache::learn_from_solicitation(const IpAddress& address, const MacAddress& mac) {
  Neighbour* const neighbour = table_.find(address);
  if (neighbour == nullptr || !neighbour->has_mac()) return learn(address, mac);
  if (neighbour->state == NeighbourState::kPermanent || neighbour->mac == mac) return;
  context_.tell(AddressConflictEvent{interface_.id(), address, mac});
  settle(*neighbour, mac, NeighbourState::kStale);
}

void NeighbourCache::advertised(const IpAddress& address, const Advertised& what) {
  Neighbour* const neighbour = table_.find(address);  // an advertisement creates no entry
  if (neighbour == nullptr || neighbour->state == NeighbourState::kPermanent) return;
  if (!neighbour->has_mac()) {
    if (what.mac == nullptr) return;
    return settle(*neighbour, *what.mac,
                  what.solicited ? NeighbourState::kReachable : NeighbourState::kStale);
  }
  const bool differs = what.mac != nullptr && *what.mac != neighbour->mac;
  if (differs) context_.tell(AddressConflictEvent{interface_.id(), address, *what.mac});
  if (differs && !what.overrides) {  // RFC 4861 §7.2.5, case I: only a doubt
    if (neighbour->state == NeighbourState::kReachable) neighbour->state = NeighbourState::kStale;
    return;
  }
  const MacAddress mac = differs ? *what.mac : neighbour->mac;
  if (what.solicited) return settle(*neighbour, mac, NeighbourState::kReachable);
  if (differs) settle(*neighbour, mac, NeighbourState::kStale);
}

void NeighbourCache::arp_reply(const IpAddress& address, const MacAddress& mac) {
  Neighbour* const neighbour = table_.find(address);
  if (neighbour == nullptr) return;
  // A probe went to one MAC address only: from another one comes no answer to it.
  const bool answers_probe = neighbour->state == NeighbourState::kProbe && neighbour->mac == mac;
  if (neighbour->state == NeighbourState::kIncomplete || answers_probe) {
    return settle(*neighbour, mac, NeighbourState::kReachable);
  }
  overhear(address, mac);
}

std::optional<MacAddress> NeighbourCache::known_mac(const IpAddress& address) const {
  const Neighbour* const neighbour = table_.find(address);
  return neighbour != nullptr && neighbour->has_mac() ? std::optional(neighbour->mac) : std::nullopt;
}

void NeighbourCache::confirm(const IpAddress& address, NeighbourHandle* handle) {
  Neighbour* const neighbour = table_.find(address, handle);
  if (neighbour == nullptr) return;
  neighbour->confirmed = context_.now;
  const NeighbourState state = neighbour->state;
  if (state == NeighbourState::kReachable) return;  // as a rule
  if (state == NeighbourState::kStale || state == NeighbourState::kDelay || state == NeighbourState::kProbe) {
    settle(*neighbour, neighbour->mac, NeighbourState::kReachable);
  }
}

void NeighbourCache::suspect(const IpAddress& address) {
  Neighbour* const neighbour = table_.find(address);
  if (neighbour == nullptr) return;
  const NeighbourState state = neighbour->state;
  if (state == NeighbourState::kReachable || state == NeighbourState::kStale ||
      state == NeighbourState::kDelay) {
    start_asking(*neighbour, NeighbourState::kProbe);
  }
}

// ---------------------------------------------------------------- for the operator

bool NeighbourCache::set_permanent(const IpAddress& address, const MacAddress& mac) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr) neighbour = create(address, NeighbourTable::Purpose::kOperator);
  if (neighbour == nullptr) return false;
  settle(*neighbour, mac, NeighbourState::kPermanent);
  return true;
}

bool NeighbourCache::forget(const IpAddress& address) {
  Neighbour* const neighbour = table_.find(address);
  if (neighbour == nullptr) return false;
  remove(*neighbour);
  return true;
}

void NeighbourCache::list(std::vector<NeighbourInfo>& out) const {
  table_.for_each([&](const Neighbour& neighbour) {
    const bool has_aged = neighbour.state == NeighbourState::kReachable && !is_fresh(neighbour);
    out.push_back({neighbour.address, neighbour.has_mac() ? std::optional(neighbour.mac) : std::nullopt,
                   interface_.id(), has_aged ? NeighbourState::kStale : neighbour.state,
                   neighbour.confirmed});
  });
}

}  // namespace transom::link
