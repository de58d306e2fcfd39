// The congestion controls that a stack has, by name.
#pragma once

#include <string_view>
#include <vector>

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class CongestionRegistry {
 public:
  // With those that are built in. `standard`: the name of the one for connections that name none; the first
  // one when it is not known.
  explicit CongestionRegistry(std::string_view standard = {});

  // False when the name is taken. `factory` must outlive the registry.
  bool add(const CongestionFactory& factory);
  const CongestionFactory* find(std::string_view name) const;  // nullptr when there is none
  const CongestionFactory& standard() const { return *standard_; }
  const std::vector<const CongestionFactory*>& all() const { return factories_; }

 private:
  std::vector<const CongestionFactory*> factories_;
  const CongestionFactory* standard_;
};

}  // namespace transom::tcp
