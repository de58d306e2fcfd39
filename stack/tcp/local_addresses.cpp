#include "stack/tcp/local_addresses.h"

#include <bit>

namespace transom::tcp {

LocalAddresses::Number LocalAddresses::hold(const LocalAddress& local) {
  Entry* entry = by_address_.find(local);
  if (entry == nullptr) entry = &enter(local);
  if (entry->holders++ == 0) unused_.remove(*entry);
  return entry->number;
}

void LocalAddresses::release(Number number) {
  Entry& entry = *entries_[number];
  if (--entry.holders == 0) unused_.push(entry);
}

LocalAddresses::Entry& LocalAddresses::enter(const LocalAddress& local) {
  if (Entry* entry = unused_.oldest()) {
    by_address_.erase(*entry);
    entry->local = local;
    by_address_.insert(*entry);
    return *entry;
  }
  const auto number = static_cast<Number>(entries_.size());
  Entry& entry = *entries_.emplace_back(std::make_unique<Entry>(Entry{.local = local, .number = number}));
  by_address_.insert(entry);
  unused_.push(entry);
  return entry;
}

std::uint64_t LocalAddresses::ByAddress::hash(const SipKey& key, const LocalAddress& local) {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(local.address.octets());
  return siphash_words(
      key, std::array<std::uint64_t, 3>{words[0], words[1], static_cast<std::uint64_t>(local.interface)});
}

}  // namespace transom::tcp
