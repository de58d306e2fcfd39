// A hash table of objects that live elsewhere, found by a key they carry. Open addressing with linear probing
// and backward-shift deletion; the hash is keyed, so that nobody outside can aim at a bucket. A look-up
// allocates nothing.
//
// `Traits` provides: `using Key`, `static const Key& key(const T&)` (or by value) and
// `static std::uint64_t hash(const SipKey&, const Key&)`.
#pragma once

#include <cstdint>
#include <vector>

#include "stack/base/siphash.h"

namespace transom {

template <typename T, typename Traits>
class KeyedTable {
 public:
  using Key = typename Traits::Key;

  explicit KeyedTable(const SipKey& sip_key) : sip_key_(sip_key) {}

  T* find(const Key& key) const {
    if (slots_.empty()) return nullptr;
    const std::uint32_t hash = hash_of(key);
    for (std::size_t i = hash & mask(); slots_[i].item != nullptr; i = (i + 1) & mask()) {
      if (slots_[i].hash == hash && Traits::key(*slots_[i].item) == key) return slots_[i].item;
    }
    return nullptr;
  }

  // The caller knows that no object with this key is in the table.
  void insert(T& item) {
    if ((size_ + 1) * 4 > slots_.size() * 3) rehash();
    place(hash_of(Traits::key(item)), &item);
    ++size_;
  }

  // True when the object was in the table.
  bool erase(const T& item) {
    if (slots_.empty()) return false;
    std::size_t hole = hash_of(Traits::key(item)) & mask();
    while (slots_[hole].item != &item) {
      if (slots_[hole].item == nullptr) return false;
      hole = (hole + 1) & mask();
    }
    // Move back every later entry of the run that would otherwise become unreachable.
    for (std::size_t i = (hole + 1) & mask(); slots_[i].item != nullptr; i = (i + 1) & mask()) {
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) >= ((i - hole) & mask())) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole] = Slot{};
    --size_;
    return true;
  }

  std::size_t size() const { return size_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.item != nullptr) visit(*slot.item);
    }
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    T* item = nullptr;
  };

  std::uint32_t hash_of(const Key& key) const {
    return static_cast<std::uint32_t>(Traits::hash(sip_key_, key));
  }
  std::size_t mask() const { return slots_.size() - 1; }

  void place(std::uint32_t hash, T* item) {
    std::size_t i = hash & mask();
    while (slots_[i].item != nullptr) i = (i + 1) & mask();
    slots_[i] = {hash, item};
  }
  void rehash() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.item != nullptr) place(slot.hash, slot.item);
    }
  }

  SipKey sip_key_;
  std::vector<Slot> slots_;  // a power of two of them, at most three quarters full
  std::size_t size_ = 0;
};

}  // namespace transom
