#include "stack/tcp/congestion/registry.h"

#include <algorithm>

#include "stack/tcp/congestion/bbr.h"
#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/reno.h"
#include "stack/tcp/congestion/scalable.h"

namespace transom::tcp {

CongestionRegistry::CongestionRegistry(std::string_view standard)
    : factories_{&kCubic, &kReno, &kBbr, &kDctcp, &kPrague} {
  standard_ = find(standard);
  if (standard_ == nullptr) standard_ = factories_.front();
}

bool CongestionRegistry::add(const CongestionFactory& factory) {
  if (find(factory.name) != nullptr) return false;
  factories_.push_back(&factory);
  return true;
}

const CongestionFactory* CongestionRegistry::find(std::string_view name) const {
  const auto found = std::ranges::find(factories_, name, &CongestionFactory::name);
  return found == factories_.end() ? nullptr : *found;
}

}  // namespace transom::tcp
