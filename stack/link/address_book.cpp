#include "stack/link/address_book.h"

#include <algorithm>

namespace transom::link {

AddressBook::Entry* AddressBook::find(const Interface& interface, const IpAddress& address) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return &entry->interface == &interface && entry->address == address;
  });
  return found == entries_.end() ? nullptr : found->get();
}

Result<void> AddressBook::add(Interface& interface, const IpPrefix& address) {
  if (address.address.is_multicast() || address.address.is_unspecified() ||
      address.address.is_limited_broadcast()) {
    return std::unexpected(Error::kInvalidArgument);
  }
  if (interface.find_address(address.address) != nullptr) return std::unexpected(Error::kAddressInUse);
  interface.addresses().push_back({address, AddressState::kTentative});
  entries_.push_back(std::make_unique<Entry>(*this, interface, address.address));
  Entry& entry = *entries_.back();
  const ConflictDetection& detection = interface.config().conflict_detection;
  if (interface.type() != LinkType::kEthernet || !detection.enabled) {
    become_usable(entry);
    return {};
  }
  if (address.address.is_v4()) {
    wait(entry, context_.random.between(Duration::zero(), detection.probe_wait));
  } else {
    const std::uint64_t random = context_.random.next();
    for (std::size_t i = 0; i < entry.nonce.size(); ++i)
      entry.nonce[i] = static_cast<std::uint8_t>(random >> (8 * i));
    step_ipv6(entry);
  }
  return {};
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
  if (entry.address.is_v4()) {
    step_ipv4(entry);
  } else {
    step_ipv6(entry);
  }
}

void AddressBook::step_ipv4(Entry& entry) {
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  if (entry.interface.find_address(entry.address)->is_usable()) {
    announce_ipv4(entry);
    return;
  }
  if (entry.probes_sent == detection.probe_count) {  // nobody objected for ANNOUNCE_WAIT
    become_usable(entry);
    return;
  }
  ++entry.probes_sent;
  arp_.probe(entry.interface, entry.address);
  const bool is_last = entry.probes_sent == detection.probe_count;
  wait(entry,
       is_last ? detection.announce_wait : context_.random.between(detection.probe_min, detection.probe_max));
}

void AddressBook::announce_ipv4(Entry& entry) {
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  ++entry.announcements_sent;
  arp_.announce(entry.interface, entry.address);
  if (entry.announcements_sent < detection.announce_count) wait(entry, detection.announce_interval);
}

void AddressBook::step_ipv6(Entry& entry) {
  const ConflictDetection& detection = entry.interface.config().conflict_detection;
  if (entry.probes_sent == detection.dad_transmits) {
    become_usable(entry);
    return;
  }
  ++entry.probes_sent;
  ndp_.solicit_for_detection(entry.interface, entry.address, entry.nonce);
  wait(entry, detection.dad_interval);
}

void AddressBook::become_usable(Entry& entry) {
  entry.interface.find_address(entry.address)->state = AddressState::kPreferred;
  if (entry.address.is_v4() && entry.interface.type() == LinkType::kEthernet) announce_ipv4(entry);
  changed();
}

void AddressBook::become_duplicate(Entry& entry, const MacAddress& other) {
  entry.timer.cancel();
  entry.interface.find_address(entry.address)->state = AddressState::kDuplicated;
  context_.count(Counter::kArpConflicts);
  context_.tell(AddressConflictEvent{entry.interface.id(), entry.address, other});
  changed();
}

void AddressBook::conflicting_claim(Interface& interface, const IpAddress& address, const MacAddress& other) {
  Entry* entry = find(interface, address);
  if (entry == nullptr) return;
  const AddressState state = interface.find_address(address)->state;
  if (state == AddressState::kDuplicated) return;
  if (state == AddressState::kTentative) {
    become_duplicate(*entry, other);
    return;
  }
  // In use: RFC 5227 §2.4 (b), defend it, but not more often than once per interval, so that two defenders do
  // not quarrel.
  context_.count(Counter::kArpConflicts);
  context_.tell(AddressConflictEvent{interface.id(), address, other});
  const Duration interval = interface.config().conflict_detection.defend_interval;
  if (!address.is_v4() || (entry->last_defence && context_.now - *entry->last_defence < interval)) return;
  entry->last_defence = context_.now;
  arp_.announce(interface, address);
}

void AddressBook::conflicting_probe(Interface& interface, const IpAddress& address, const MacAddress& other) {
  Entry* entry = find(interface, address);
  if (entry != nullptr && interface.find_address(address)->state == AddressState::kTentative)
    become_duplicate(*entry, other);
}

void AddressBook::conflicting_detection(Interface& interface, const IpAddress& address,
                                        const std::optional<Ndp::Nonce>& nonce) {
  Entry* entry = find(interface, address);
  if (entry == nullptr || interface.find_address(address)->state != AddressState::kTentative) return;
  if (nonce && *nonce == entry->nonce) return;  // our own, come back (RFC 7527 §4.2)
  become_duplicate(*entry, MacAddress());
}

}  // namespace transom::link
