#include "stack/link/address_book.h"

#include <algorithm>

namespace transom::link {

namespace {

bool is_assignable(const IpPrefix& prefix) {
  const IpAddress& address = prefix.address;
  return !address.is_multicast() && !address.is_unspecified() && !address.is_limited_broadcast() &&
         prefix.length <= address.bits();
}

}  // namespace

AddressBook::Entry* AddressBook::find(const Interface& interface, const IpAddress& address) {
  const auto found = std::ranges::find_if(entries_, [&](const auto& entry) {
    return &entry->interface == &interface && entry->address == address;
  });
  return found == entries_.end() ? nullptr : found->get();
}

AddressBook::History& AddressBook::history_of(const Interface& interface) {
  const auto number = static_cast<std::size_t>(interface.id());
  if (histories_.size() <= number) histories_.resize(number + 1);
  return histories_[number];
}

// ---------------------------------------------------------------- into use

Result<void> AddressBook::add(Interface& interface, const IpPrefix& address, const AddressTraits& traits) {
  if (!is_assignable(address)) return std::unexpected(Error::kInvalidArgument);
  if (interface.find_address(address.address) != nullptr) return std::unexpected(Error::kAddressInUse);
  interface.addresses().push_back({address, AddressState::kTentative, traits});
  entries_.push_back(std::make_unique<Entry>(*this, interface, address.address));
  Entry& entry = *entries_.back();
  if (interface.type() != LinkType::kEthernet || !interface.config().conflict_detection.enabled) {
    become_usable(entry);
    return {};
  }
  const std::uint64_t random = context_.random.next();
  for (std::size_t i = 0; i < entry.nonce.size(); ++i)
    entry.nonce[i] = static_cast<std::uint8_t>(random >> (8 * i));
  entry.timer.start(context_.timers, earliest_start(interface, address.address.family()));
  return {};
}

// RFC 5227 §2.1.1 and RFC 4862 §5.4.2: after a random delay, so that hosts which start together do not probe
// in step.
Instant AddressBook::earliest_start(const Interface& interface, IpFamily family) {
  const ConflictDetection& detection = interface.config().conflict_detection;
  Instant start = context_.now + context_.random.between(Duration::zero(), detection.probe_wait);
  if (family == IpFamily::kIpv6) return start;
  History& history = history_of(interface);
  if (history.conflicts >= detection.max_conflicts) {
    start = std::max(start, history.last_attempt + detection.rate_limit_interval);
  }
  history.last_attempt = start;
  return start;
}

Result<void> AddressBook::remove(Interface& interface, const IpAddress& address) {
  const auto erased = std::erase_if(
      interface.addresses(), [&](const InterfaceAddress& entry) { return entry.prefix.address == address; });
  std::erase_if(entries_, [&](const auto& entry) {
    return &entry->interface == &interface && entry->address == address;
  });
  if (erased == 0) return std::unexpected(Error::kAddressNotAvailable);
  changed();
  return {};
}

void AddressBook::step(Entry& entry) {
  if (state_of(entry) != AddressState::kTentative) return announce(entry);
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  const int probes = entry.address.is_v4() ? detection.probe_count : detection.dad_transmits;
  if (entry.probes_sent >= probes) return become_usable(entry);  // nobody objected
  probe(entry);
}

void AddressBook::probe(Entry& entry) {
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  ++entry.probes_sent;
  if (entry.address.is_v6()) {
    // RFC 4862 §5.4.2: the solicited-node group is joined, and reported, first.
    if (entry.probes_sent == 1) changed();
    ndp_.solicit_for_detection(entry.interface, entry.address, entry.nonce);
    return wait(entry, detection.dad_interval);
  }
  arp_.probe(entry.interface, entry.address);
  const bool is_last = entry.probes_sent == detection.probe_count;
  wait(entry,
       is_last ? detection.announce_wait : context_.random.between(detection.probe_min, detection.probe_max));
}

void AddressBook::become_usable(Entry& entry) {
  entry.interface.find_address(entry.address)->state = AddressState::kPreferred;
  if (entry.interface.type() == LinkType::kEthernet) {
    const ConflictDetection& detection = entry.interface.config().conflict_detection;
    if (entry.address.is_v4()) history_of(entry.interface).conflicts = 0;
    entry.announcements_left = entry.address.is_v4() && detection.enabled ? detection.announce_count : 1;
    announce(entry);
  }
  changed();
}

void AddressBook::announce(Entry& entry) {
  if (entry.announcements_left == 0) return;
  --entry.announcements_left;
  if (entry.address.is_v4()) {
    arp_.announce(entry.interface, entry.address);
  } else {
    ndp_.announce(entry.interface, entry.address);
  }
  if (entry.announcements_left > 0) {
    wait(entry, entry.interface.config().conflict_detection.announce_interval);
  }
}

void AddressBook::set_deprecated(Interface& interface, const IpAddress& address, bool is_deprecated) {
  InterfaceAddress* const entry = interface.find_address(address);
  const AddressState wanted = is_deprecated ? AddressState::kDeprecated : AddressState::kPreferred;
  if (entry == nullptr || !entry->is_usable() || entry->state == wanted) return;
  entry->state = wanted;
  changed();
}

// ---------------------------------------------------------------- conflicts

void AddressBook::report(const Entry& entry, const MacAddress& other) {
  context_.count(entry.address.is_v4() ? Counter::kArpConflicts : Counter::kNdpConflicts);
  context_.tell(AddressConflictEvent{entry.interface.id(), entry.address, other});
}

void AddressBook::become_duplicate(Entry& entry, const MacAddress& other) {
  entry.timer.cancel();
  entry.interface.find_address(entry.address)->state = AddressState::kDuplicated;
  if (entry.address.is_v4()) ++history_of(entry.interface).conflicts;
  // RFC 4862 §5.4.5: a MAC address that is not ours alone makes every packet doubtful.
  if (entry.address == link_local_address(entry.interface.mac())) entry.interface.stop_ipv6();
  report(entry, other);
  changed();
}

void AddressBook::conflicting_claim(Interface& interface, const IpAddress& address, const MacAddress& other) {
  Entry* const entry = find(interface, address);
  if (entry == nullptr) return;
  switch (state_of(*entry)) {
    case AddressState::kTentative:
      return become_duplicate(*entry, other);
    case AddressState::kPreferred:
    case AddressState::kDeprecated:
      return defend(*entry, other);
    case AddressState::kDuplicated:
      return;
  }
}

// RFC 5227 §2.4: announced once; who claims it again within the interval gets it (b), or is let talk (c). For
// IPv6 a conflict after detection is only reported (RFC 4862 §5.4.4).
void AddressBook::defend(Entry& entry, const MacAddress& other) {
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  if (entry.address.is_v6()) return report(entry, other);
  const bool is_repeated =
      entry.last_conflict && context_.now - *entry.last_conflict < detection.defend_interval;
  if (is_repeated && detection.gives_up) return become_duplicate(entry, other);
  report(entry, other);
  if (is_repeated) return;
  entry.last_conflict = context_.now;
  arp_.announce(entry.interface, entry.address);
}

void AddressBook::conflicting_probe(Interface& interface, const IpAddress& address, const MacAddress& other) {
  Entry* const entry = find(interface, address);
  if (entry != nullptr && state_of(*entry) == AddressState::kTentative) become_duplicate(*entry, other);
}

void AddressBook::conflicting_detection(Interface& interface, const IpAddress& address,
                                        const std::optional<Ndp::Nonce>& nonce) {
  Entry* const entry = find(interface, address);
  if (entry == nullptr || state_of(*entry) != AddressState::kTentative) return;
  if (nonce && *nonce == entry->nonce) return;  // our own, come back (RFC 7527 §4.2)
  become_duplicate(*entry, MacAddress());
}

}  // namespace transom::link
