#include "drivers/replay/fragment_joiner.h"

#include <algorithm>

namespace transom::drivers::replay {

std::optional<std::vector<std::uint8_t>> FragmentJoiner::add(const PacketView& view, Bytes transport) {
  if (transport.size() < view.transport_length) return std::nullopt;
  if (!view.is_fragment) return std::vector(transport.begin(), transport.end());
  const std::size_t offset = view.fragment_offset;
  if (offset + transport.size() > kMaxSize) return std::nullopt;
  const FragmentKey key(view);
  if (!unfinished_.contains(key)) {
    if (unfinished_.size() >= kMaxDatagrams) {
      unfinished_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(key);
  }
  Pieces& pieces = unfinished_[key];
  pieces.by_offset.try_emplace(offset, transport.begin(), transport.end());
  if (!view.more_fragments) pieces.end = offset + transport.size();
  if (!pieces.end) return std::nullopt;
  std::vector<std::uint8_t> whole;
  for (const auto& [begin, octets] : pieces.by_offset) {
    if (begin > whole.size()) return std::nullopt;
    const std::size_t known = whole.size() - begin;
    if (known < octets.size())
      whole.insert(whole.end(), octets.begin() + static_cast<std::ptrdiff_t>(known), octets.end());
  }
  if (whole.size() < *pieces.end) return std::nullopt;
  whole.resize(*pieces.end);
  unfinished_.erase(key);
  std::erase(order_, key);
  return whole;
}

}  // namespace transom::drivers::replay
