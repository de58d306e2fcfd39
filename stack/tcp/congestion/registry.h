// The congestion controls that a stack has, by name, and with parameters: "cubic", "cubic:beta=0.8,c=0.4".
#pragma once

#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "stack/tcp/congestion/congestion_control.h"

namespace transom::tcp {

class CongestionRegistry {
 public:
  // With those that are built in. `standard`: what connections get that name none; the first one when it is
  // not known.
  explicit CongestionRegistry(std::string_view standard = {});
  CongestionRegistry(const CongestionRegistry&) = delete;
  CongestionRegistry& operator=(const CongestionRegistry&) = delete;

  // False when the name is taken by another, is no name, or the factory has too many parameters. `factory`
  // must outlive the registry.
  bool add(const CongestionFactory& factory);
  // An algorithm by its name, without parameters; nullptr when there is none.
  const CongestionFactory* find(std::string_view name) const;
  // With or without parameters. On failure: a line that says what is not understood, and what would be. What
  // is given lives as long as the registry, so that only so many different ones are taken.
  std::expected<const CongestionFactory*, std::string> choose(std::string_view text);
  const CongestionFactory& standard() const { return *standard_; }
  // One that add() or choose() knows.
  void set_standard(const CongestionFactory& factory) { standard_ = &factory; }
  const std::vector<const CongestionFactory*>& all() const { return factories_; }

 private:
  static constexpr std::size_t kMaxVariants = 1000;
  struct Variant {  // an algorithm with parameters
    std::vector<double> values;
    CongestionFactory factory;
  };

  std::vector<const CongestionFactory*> factories_;
  std::deque<Variant> variants_;
  const CongestionFactory* standard_;
};

}  // namespace transom::tcp
