// The places of the neighbours of one interface: found by address through a keyed hash or by handle without
// one, bounded in number. When all are taken, the least valuable entry among a few makes room, so that a
// flood of addresses that nobody has, or of strangers who introduce themselves, does not push out those that
// answer (RFC 6583; ARP and NDP cache exhaustion).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "stack/base/context.h"
#include "stack/base/keyed_table.h"
#include "stack/link/link_layer.h"

namespace transom::link {

class NeighbourCache;

struct Neighbour {
  Neighbour(NeighbourCache& the_cache, std::uint32_t the_index) : cache(the_cache), index(the_index) {}

  bool has_mac() const { return state != NeighbourState::kIncomplete && state != NeighbourState::kFailed; }
  void on_timer();

  NeighbourCache& cache;
  std::uint32_t index;  // of its slot
  std::uint32_t generation = 0;
  bool in_use = false;
  IpAddress address;
  MacAddress mac;
  NeighbourState state = NeighbourState::kIncomplete;
  bool has_answered = false;  // it was REACHABLE once: more than hearsay
  std::uint8_t solicits = 0;  // without an answer
  std::optional<Instant> last_solicit;
  Instant confirmed{};
  Instant last_used{};
  PacketQueue pending;
  Timer timer{call_member<&Neighbour::on_timer>, this};
};

class NeighbourTable {
 public:
  // What a new entry is for decides what it may push out.
  enum class Purpose : std::uint8_t {
    kSending,
    kHearsay,   // somebody said who he is
    kOperator,  // a permanent entry
  };

  NeighbourTable(Context& context, std::size_t limit);

  Neighbour* find(const IpAddress& address) const { return index_.find(address); }
  // The same, by way of `handle` if it fits; brings it up to date.
  Neighbour* find(const IpAddress& address, NeighbourHandle* handle) const {
    if (handle != nullptr && handle->index < slots_.size()) {
      Neighbour& guess = *slots_[handle->index];
      if (guess.in_use && guess.generation == handle->generation && guess.address == address) return &guess;
    }
    return find_slowly(address, handle);
  }

  bool is_full() const { return free_.empty() && slots_.size() >= limit_; }
  // Who should make room; nullptr when all that was looked at is worth more than the new entry. The number of
  // steps is bounded.
  Neighbour* choose_victim(Purpose purpose);
  // An INCOMPLETE entry. The table is not full and has none for this address.
  Neighbour& insert(NeighbourCache& cache, const IpAddress& address);
  void erase(Neighbour& neighbour);

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& slot : slots_) {
      if (slot->in_use) visit(*slot);
    }
  }

 private:
  struct ByAddress {
    using Key = IpAddress;
    static const IpAddress& key(const Neighbour& neighbour) { return neighbour.address; }
    static std::uint64_t hash(const SipKey& key, const IpAddress& address);
  };

  Neighbour* find_slowly(const IpAddress& address, NeighbourHandle* handle) const;

  Context& context_;
  std::size_t limit_;
  std::vector<std::unique_ptr<Neighbour>> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t hand_ = 0;  // where the search for a victim goes on
  KeyedTable<Neighbour, ByAddress> index_;
};

}  // namespace transom::link
