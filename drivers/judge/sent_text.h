// The octets that an end has sent lately, to be held against those that it sends again. Bounded for each end,
// and by a budget for all of them together.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "drivers/capture/position_ranges.h"
#include "stack/base/bytes.h"

namespace transom::drivers::judge {

struct TextBudget {
  std::size_t limit = std::size_t{64} << 20;  // octets
  std::size_t used = 0;
};

class SentText {
 public:
  static constexpr std::size_t kMaxOctets = std::size_t{1} << 20;

  explicit SentText(TextBudget& budget) : budget_(&budget) {}
  ~SentText() { budget_->used -= size_; }
  SentText(const SentText&) = delete;
  SentText& operator=(const SentText&) = delete;

  // Keeps what is not known yet, unless the budget is spent.
  void keep(Position begin, Bytes octets);
  // Where the first octet is that was another before.
  std::optional<Position> first_difference(Position begin, Bytes octets) const;
  void forget_below(Position position);

 private:
  void forget_first();

  TextBudget* budget_;
  std::map<Position, std::vector<std::uint8_t>> pieces_;
  std::size_t size_ = 0;
};

}  // namespace transom::drivers::judge
