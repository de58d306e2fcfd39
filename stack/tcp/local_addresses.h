// Local addresses that many small records have in common, each with the interface that its packets are bound
// to: one copy of each, counted, under a number of 32 bits. A record keeps the number: 4 octets and not 18.
#pragma once

#include <memory>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/age_list.h"
#include "stack/base/keyed_table.h"

namespace transom::tcp {

struct LocalAddress {
  IpAddress address;
  InterfaceId interface = InterfaceId::kAny;

  friend bool operator==(const LocalAddress&, const LocalAddress&) = default;
};

class LocalAddresses {
 public:
  using Number = std::uint32_t;

  explicit LocalAddresses(const SipKey& key) : by_address_(key) {}

  // The number of this one; the same each time while anybody holds it. To be released as often as held. What
  // nobody holds is kept until its number is needed: records come and go.
  Number hold(const LocalAddress& local);
  void release(Number number);
  const LocalAddress& operator[](Number number) const { return entries_[number]->local; }

 private:
  struct Entry {
    LocalAddress local;
    Number number = 0;
    std::uint32_t holders = 0;
    AgeLinks<Entry> links{};
  };
  struct ByAddress {
    using Key = LocalAddress;
    static const LocalAddress& key(const Entry& entry) { return entry.local; }
    static std::uint64_t hash(const SipKey& key, const LocalAddress& local);
  };

  Entry& enter(const LocalAddress& local);

  KeyedTable<Entry, ByAddress> by_address_;
  std::vector<std::unique_ptr<Entry>> entries_;  // by number
  AgeList<Entry> unused_;
};

}  // namespace transom::tcp
