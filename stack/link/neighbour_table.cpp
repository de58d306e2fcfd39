#include "stack/link/neighbour_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "stack/link/neighbour_cache.h"

namespace transom::link {

namespace {

// What an entry is worth, the least first.
enum class Worth : std::uint8_t { kHearsay, kFailed, kUnresolved, kIdle, kInUse };

Worth worth_of(const Neighbour& neighbour, Instant now) {
  constexpr Duration kRecent = std::chrono::seconds(1);
  if (neighbour.state == NeighbourState::kPermanent) return Worth::kInUse;
  if (neighbour.state == NeighbourState::kFailed) return Worth::kFailed;
  if (neighbour.state == NeighbourState::kIncomplete) return Worth::kUnresolved;
  if (!neighbour.has_answered) return Worth::kHearsay;
  return now - neighbour.last_used < kRecent ? Worth::kInUse : Worth::kIdle;
}

}  // namespace

void Neighbour::on_timer() { cache.on_timer(*this); }

std::uint64_t NeighbourTable::ByAddress::hash(const SipKey& key, const IpAddress& address) {
  return siphash_words(key, std::bit_cast<std::array<std::uint64_t, 2>>(address.octets()));
}

NeighbourTable::NeighbourTable(Context& context, std::size_t limit)
    : context_(context), limit_(std::max<std::size_t>(limit, 1)), index_(context.random.key()) {}

Neighbour* NeighbourTable::find_slowly(const IpAddress& address, NeighbourHandle* handle) const {
  Neighbour* const found = index_.find(address);
  if (found != nullptr && handle != nullptr) *handle = {found->index, found->generation};
  return found;
}

Neighbour* NeighbourTable::choose_victim(Purpose purpose) {
  constexpr std::size_t kSteps = 32;
  const auto rank = [&](const Neighbour& neighbour) {
    return std::tuple(worth_of(neighbour, context_.now), neighbour.last_used);
  };
  Neighbour* victim = nullptr;
  for (std::size_t i = 0; i < std::min(kSteps, slots_.size()); ++i) {
    hand_ = (hand_ + 1) % slots_.size();
    Neighbour& candidate = *slots_[hand_];
    if (victim == nullptr || rank(candidate) < rank(*victim)) victim = &candidate;
  }
  if (victim == nullptr) return nullptr;
  const Worth highest = purpose == Purpose::kHearsay ? Worth::kFailed : Worth::kIdle;
  return worth_of(*victim, context_.now) <= highest ? victim : nullptr;
}

Neighbour& NeighbourTable::insert(NeighbourCache& cache, const IpAddress& address) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<Neighbour>(cache, free_.back()));
  }
  Neighbour& neighbour = *slots_[free_.back()];
  free_.pop_back();
  neighbour.in_use = true;
  neighbour.address = address;
  neighbour.mac = MacAddress();
  neighbour.state = NeighbourState::kIncomplete;
  neighbour.has_answered = false;
  neighbour.solicits = 0;
  neighbour.last_solicit.reset();
  neighbour.confirmed = neighbour.last_used = context_.now;
  index_.insert(neighbour);
  return neighbour;
}

void NeighbourTable::erase(Neighbour& neighbour) {
  index_.erase(neighbour);
  neighbour.timer.cancel();
  neighbour.in_use = false;
  ++neighbour.generation;
  free_.push_back(neighbour.index);
}

}  // namespace transom::link
