// From which sources a group is wanted (RFC 9776 §3): from those of a list, or from all but those.
//
//   include {}         nobody: not a member
//   include {a, b}     source-specific
//   exclude {}         everybody: an any-source membership
//   exclude {a}        everybody but a
#pragma once

#include <span>
#include <vector>

#include "stack/base/address.h"

namespace transom::ip {

enum class FilterMode : std::uint8_t { kInclude, kExclude };

struct SourceFilter {
  FilterMode mode = FilterMode::kInclude;
  std::vector<IpAddress> sources;  // sorted, each once

  static SourceFilter everybody() { return {FilterMode::kExclude, {}}; }
  bool is_nobody() const { return mode == FilterMode::kInclude && sources.empty(); }
  bool lists(const IpAddress& source) const;
  bool accepts(const IpAddress& source) const { return lists(source) == (mode == FilterMode::kInclude); }
  // False when it was there already, or was not.
  bool add(const IpAddress& source);
  bool remove(const IpAddress& source);

  friend bool operator==(const SourceFilter&, const SourceFilter&) = default;
};

// What an interface wants when its sockets want these: everything that any of them does (RFC 9776 §3.2).
SourceFilter merge(std::span<const SourceFilter* const> filters);

}  // namespace transom::ip
