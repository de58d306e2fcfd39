// What went wrong first in a run.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace transom::test {

struct Violation {
  std::string rule;  // the same for the same kind of trouble: shrinking keeps it
  std::string what;
};

class Judge {
 public:
  void violate(std::string_view rule, const std::string& what) {
    if (!first_) first_ = Violation{std::string(rule), what};
  }
  const std::optional<Violation>& first() const { return first_; }

 private:
  std::optional<Violation> first_;
};

}  // namespace transom::test
