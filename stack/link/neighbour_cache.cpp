#include "stack/link/neighbour_cache.h"

#include <bit>

namespace transom::link {

Neighbour::Neighbour(NeighbourCache& the_cache, std::uint32_t the_index)
    : cache(the_cache), index(the_index) {}

void Neighbour::on_timer() { cache.on_timer(*this); }

std::uint64_t NeighbourCache::ByAddress::hash(const SipKey& key, const IpAddress& address) {
  return siphash_words(key, std::bit_cast<std::array<std::uint64_t, 2>>(address.octets()));
}

NeighbourCache::NeighbourCache(Context& context, const LinkConfig& config, Interface& interface,
                               NeighbourResolver& resolver)
    : context_(context),
      config_(config),
      interface_(interface),
      resolver_(resolver),
      // RFC 4861 §6.3.2: between 0.5 and 1.5 times the base, so that hosts do not probe in step.
      reachable_time_(context.random.between(config.reachable_time / 2, config.reachable_time * 3 / 2)),
      table_(context.random.key()) {}

NeighbourCache::~NeighbourCache() = default;

// ---------------------------------------------------------------- entries

Neighbour* NeighbourCache::find(const IpAddress& address, NeighbourHandle* handle) {
  if (handle != nullptr && handle->index < slots_.size()) {
    Neighbour& guess = *slots_[handle->index];
    if (guess.in_use && guess.generation == handle->generation && guess.address == address) return &guess;
  }
  Neighbour* found = table_.find(address);
  if (found != nullptr && handle != nullptr) *handle = {found->index, found->generation};
  return found;
}

Neighbour* NeighbourCache::create(const IpAddress& address) {
  Neighbour* neighbour = nullptr;
  if (!free_.empty()) {
    neighbour = slots_[free_.back()].get();
    free_.pop_back();
  } else if (slots_.size() < config_.max_neighbours) {
    slots_.push_back(std::make_unique<Neighbour>(*this, static_cast<std::uint32_t>(slots_.size())));
    neighbour = slots_.back().get();
  } else {
    neighbour = evict();
  }
  if (neighbour == nullptr) return nullptr;
  neighbour->in_use = true;
  neighbour->address = address;
  neighbour->mac = MacAddress();
  neighbour->state = NeighbourState::kIncomplete;
  neighbour->solicits = 0;
  neighbour->confirmed = neighbour->last_used = context_.now;
  table_.insert(*neighbour);
  return neighbour;
}

// The clock algorithm: a bounded number of steps, and what was used lately gets a second chance.
Neighbour* NeighbourCache::evict() {
  constexpr int kSteps = 32;
  constexpr Duration kRecent = std::chrono::seconds(1);
  Neighbour* oldest = nullptr;
  for (int i = 0; i < kSteps; ++i) {
    clock_hand_ = (clock_hand_ + 1) % slots_.size();
    Neighbour& candidate = *slots_[clock_hand_];
    if (candidate.state == NeighbourState::kPermanent) continue;
    // An address that may not even exist must not push out one that answers.
    const bool is_valuable =
        candidate.state == NeighbourState::kReachable && context_.now - candidate.last_used < kRecent;
    if (is_valuable) continue;
    if (oldest == nullptr || candidate.last_used < oldest->last_used) oldest = &candidate;
  }
  if (oldest == nullptr) return nullptr;
  context_.count(Counter::kNeighTableOverflows);
  remove(*oldest);
  free_.pop_back();
  return oldest;
}

void NeighbourCache::remove(Neighbour& neighbour) {
  table_.erase(neighbour);
  neighbour.timer.cancel();
  neighbour.pending.clear();
  neighbour.in_use = false;
  ++neighbour.generation;
  free_.push_back(neighbour.index);
}

// ---------------------------------------------------------------- sending

bool NeighbourCache::is_fresh(const Neighbour& neighbour) const {
  return context_.now - neighbour.confirmed <= reachable_time_;
}

void NeighbourCache::send(Packet packet, const IpAddress& address, NeighbourHandle* handle) {
  Neighbour* neighbour = find(address, handle);
  if (neighbour == nullptr) {
    neighbour = create(address);
    if (neighbour == nullptr) {
      context_.drop(DropReason::kNeighbourTableFull, Counter::kNeighTableOverflows);
      return;
    }
    if (handle != nullptr) *handle = {neighbour->index, neighbour->generation};
    enqueue(*neighbour, std::move(packet));
    start_resolution(*neighbour);
    return;
  }
  neighbour->last_used = context_.now;
  switch (neighbour->state) {
    case NeighbourState::kReachable:
      if (is_fresh(*neighbour)) break;
      neighbour->state = NeighbourState::kStale;
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
      enqueue(*neighbour, std::move(packet));
      return;
    case NeighbourState::kFailed:
      resolver_.failed(interface_, std::move(packet));
      return;
  }
  resolver_.transmit(interface_, std::move(packet), neighbour->mac);
}

void NeighbourCache::enqueue(Neighbour& neighbour, Packet packet) {
  if (neighbour.pending.size() >=
      config_.max_pending_packets) {  // the latest are worth more (RFC 1122 §2.3.2.2)
    neighbour.pending.pop();
    context_.drop(DropReason::kNeighbourQueueFull, Counter::kNeighUnresolvedDrops);
  }
  neighbour.pending.push(std::move(packet));
}

// ---------------------------------------------------------------- asking

void NeighbourCache::start_resolution(Neighbour& neighbour) {
  neighbour.state = NeighbourState::kIncomplete;
  neighbour.solicits = 1;
  neighbour.timer.start(context_.timers, context_.now + config_.retrans_timer);
  resolver_.solicit(interface_, neighbour.address, nullptr);
}

void NeighbourCache::start_probing(Neighbour& neighbour) {
  neighbour.state = NeighbourState::kProbe;
  neighbour.solicits = 1;
  neighbour.timer.start(context_.timers, context_.now + config_.retrans_timer);
  resolver_.solicit(interface_, neighbour.address, &neighbour.mac);
}

void NeighbourCache::fail(Neighbour& neighbour) {
  constexpr Duration kRemembered = std::chrono::seconds(3);
  neighbour.state = NeighbourState::kFailed;
  neighbour.timer.start(context_.timers, context_.now + kRemembered);
  PacketQueue pending = std::move(neighbour.pending);
  while (Packet packet = pending.pop()) {
    context_.drop(DropReason::kNeighbourFailed, Counter::kNeighUnresolvedDrops);
    resolver_.failed(interface_, std::move(packet));
  }
}

void NeighbourCache::on_timer(Neighbour& neighbour) {
  switch (neighbour.state) {
    case NeighbourState::kIncomplete:
      if (neighbour.solicits >= config_.max_multicast_solicit) {
        fail(neighbour);
        return;
      }
      ++neighbour.solicits;
      neighbour.timer.start(context_.timers, context_.now + config_.retrans_timer);
      resolver_.solicit(interface_, neighbour.address, nullptr);
      return;
    case NeighbourState::kDelay:
      if (is_fresh(neighbour)) {  // something above confirmed it meanwhile
        neighbour.state = NeighbourState::kReachable;
        return;
      }
      start_probing(neighbour);
      return;
    case NeighbourState::kProbe:
      if (neighbour.solicits >= config_.max_unicast_solicit) {
        remove(neighbour);  // the next packet asks everybody
        return;
      }
      ++neighbour.solicits;
      neighbour.timer.start(context_.timers, context_.now + config_.retrans_timer);
      resolver_.solicit(interface_, neighbour.address, &neighbour.mac);
      return;
    case NeighbourState::kFailed:
      remove(neighbour);
      return;
    default:
      return;
  }
}

// ---------------------------------------------------------------- learning

void NeighbourCache::resolved(Neighbour& neighbour, const MacAddress& mac, NeighbourState state) {
  neighbour.mac = mac;
  neighbour.state = state;
  neighbour.timer.cancel();
  if (state == NeighbourState::kReachable) neighbour.confirmed = context_.now;
  PacketQueue pending = std::move(neighbour.pending);
  while (Packet packet = pending.pop()) resolver_.transmit(interface_, std::move(packet), mac);
}

void NeighbourCache::update(const IpAddress& address, const MacAddress& mac) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr || neighbour->state == NeighbourState::kPermanent) return;
  if (neighbour->state == NeighbourState::kIncomplete || neighbour->state == NeighbourState::kFailed) {
    resolved(*neighbour, mac, NeighbourState::kStale);
    return;
  }
  if (neighbour->mac == mac) return;
  context_.tell(AddressConflictEvent{interface_.id(), address, mac});
  if (neighbour->state == NeighbourState::kProbe) return;  // being asked already
  if (neighbour->state == NeighbourState::kReachable && is_fresh(*neighbour)) {
    start_probing(*neighbour);  // the old one may answer; if it does not, everybody is asked
    return;
  }
  resolved(*neighbour, mac, NeighbourState::kStale);
}

void NeighbourCache::learn(const IpAddress& address, const MacAddress& mac) {
  if (table_.find(address) == nullptr) {
    Neighbour* neighbour = create(address);
    if (neighbour == nullptr) return;
    resolved(*neighbour, mac, NeighbourState::kStale);
    return;
  }
  update(address, mac);
}

void NeighbourCache::answered(const IpAddress& address, const Answer& answer) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr || neighbour->state == NeighbourState::kPermanent) return;  // creates nothing
  if (neighbour->state == NeighbourState::kIncomplete || neighbour->state == NeighbourState::kFailed) {
    if (answer.mac == nullptr) return;
    resolved(*neighbour, *answer.mac, answer.solicited ? NeighbourState::kReachable : NeighbourState::kStale);
    return;
  }
  const bool differs = answer.mac != nullptr && *answer.mac != neighbour->mac;
  if (differs && !answer.overrides) {  // RFC 4861 §7.2.5, case I.a: only a doubt
    if (neighbour->state == NeighbourState::kReachable) neighbour->state = NeighbourState::kStale;
    return;
  }
  if (differs) {
    context_.tell(AddressConflictEvent{interface_.id(), address, *answer.mac});
    neighbour->mac = *answer.mac;
  }
  if (answer.solicited) {
    resolved(*neighbour, neighbour->mac, NeighbourState::kReachable);
  } else if (differs) {
    neighbour->state = NeighbourState::kStale;
    neighbour->timer.cancel();
  }
}

void NeighbourCache::arp_reply(const IpAddress& address, const MacAddress& mac) {
  const Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr) return;
  const bool is_awaited =
      neighbour->state == NeighbourState::kIncomplete || neighbour->state == NeighbourState::kProbe;
  if (is_awaited) {
    answered(address, {.mac = &mac, .solicited = true, .overrides = true});
  } else {
    update(address, mac);
  }
}

std::optional<MacAddress> NeighbourCache::known_mac(const IpAddress& address) const {
  const Neighbour* neighbour = table_.find(address);
  const bool is_known = neighbour != nullptr && neighbour->state != NeighbourState::kIncomplete &&
                        neighbour->state != NeighbourState::kFailed;
  return is_known ? std::optional(neighbour->mac) : std::nullopt;
}

void NeighbourCache::confirm(const IpAddress& address, NeighbourHandle* handle) {
  Neighbour* neighbour = find(address, handle);
  if (neighbour == nullptr) return;
  neighbour->confirmed = context_.now;
  if (neighbour->state == NeighbourState::kStale || neighbour->state == NeighbourState::kProbe) {
    neighbour->state = NeighbourState::kReachable;
    neighbour->timer.cancel();
  }
}

void NeighbourCache::suspect(const IpAddress& address) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr) return;
  const bool is_trusted = neighbour->state == NeighbourState::kReachable ||
                          neighbour->state == NeighbourState::kStale ||
                          neighbour->state == NeighbourState::kDelay;
  if (is_trusted) start_probing(*neighbour);
}

void NeighbourCache::set_permanent(const IpAddress& address, const MacAddress& mac) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr) neighbour = create(address);
  if (neighbour != nullptr) resolved(*neighbour, mac, NeighbourState::kPermanent);
}

bool NeighbourCache::forget(const IpAddress& address) {
  Neighbour* neighbour = table_.find(address);
  if (neighbour == nullptr) return false;
  remove(*neighbour);
  return true;
}

void NeighbourCache::list(std::vector<NeighbourInfo>& out) const {
  for (const auto& slot : slots_) {
    if (!slot->in_use) continue;
    const bool has_mac = slot->state != NeighbourState::kIncomplete && slot->state != NeighbourState::kFailed;
    const bool has_aged = slot->state == NeighbourState::kReachable && !is_fresh(*slot);
    out.push_back({slot->address, has_mac ? std::optional(slot->mac) : std::nullopt, interface_.id(),
                   has_aged ? NeighbourState::kStale : slot->state, slot->confirmed});
  }
}

}  // namespace transom::link
