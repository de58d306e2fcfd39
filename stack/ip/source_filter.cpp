#include "stack/ip/source_filter.h"

#include <algorithm>

namespace transom::ip {

bool SourceFilter::lists(const IpAddress& source) const {
  return std::ranges::binary_search(sources, source);
}

bool SourceFilter::add(const IpAddress& source) {
  const auto place = std::ranges::lower_bound(sources, source);
  if (place != sources.end() && *place == source) return false;
  sources.insert(place, source);
  return true;
}

bool SourceFilter::remove(const IpAddress& source) {
  const auto place = std::ranges::lower_bound(sources, source);
  if (place == sources.end() || *place != source) return false;
  sources.erase(place);
  return true;
}

SourceFilter merge(std::span<const SourceFilter* const> filters) {
  SourceFilter included;
  for (const SourceFilter* filter : filters) {
    if (filter->mode != FilterMode::kInclude) continue;
    for (const IpAddress& source : filter->sources) included.add(source);
  }
  const auto excludes = [](const SourceFilter* filter) { return filter->mode == FilterMode::kExclude; };
  const auto first = std::ranges::find_if(filters, excludes);
  if (first == filters.end()) return included;
  // What is refused by every socket that refuses anything, and asked for by none.
  SourceFilter merged{FilterMode::kExclude, (*first)->sources};
  std::erase_if(merged.sources, [&](const IpAddress& source) {
    return std::ranges::any_of(filters, [&](const SourceFilter* filter) { return filter->accepts(source); });
  });
  return merged;
}

}  // namespace transom::ip
