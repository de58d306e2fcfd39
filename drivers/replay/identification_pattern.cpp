#include "drivers/replay/identification_pattern.h"

#include <algorithm>

namespace transom::drivers::replay {

void IdentificationPattern::add(Kind kind, std::uint16_t identification, std::uint32_t length) {
  constexpr std::uint32_t kShortest = 536;  // RFC 9293 §3.7.1: segments are hardly cut shorter
  OfKind& of_kind = kinds_[static_cast<std::size_t>(kind)];
  const auto step = static_cast<std::uint16_t>(identification - previous_);
  const bool has_come_round = first_ && step <= longest_step_;
  if (identification == 0 && !has_come_round) {
    of_kind.has_zero = true;
    return;
  }
  if (of_kind.has_zero) {
    of_kind.is_numbered_again = true;
  } else {
    ++of_kind.numbered;
  }
  if (!first_) {
    first_ = identification;
  } else {
    ++(step == 0 ? repeated_ : step <= longest_step_ ? counted_ : other_);
  }
  previous_ = identification;
  longest_step_ = static_cast<std::uint16_t>(std::clamp(length / kShortest + 1, 1U, 128U));
}

// Packets that others put in, and duplicates, do not hide a counter.
std::optional<std::uint16_t> IdentificationPattern::step() const {
  if (counted_ >= other_ && (counted_ > 0 || repeated_ == 0)) return std::uint16_t{1};
  return other_ == 0 ? std::optional(std::uint16_t{0}) : std::nullopt;
}

std::optional<std::uint16_t> IdentificationNumbering::next(IdentificationPattern::Kind kind,
                                                           std::uint32_t packets) {
  const auto index = static_cast<std::size_t>(kind);
  const auto& of_kind = pattern_->kinds_[index];
  const bool is_counted = of_kind.is_numbered_again && packets > 1;
  if (of_kind.has_zero && !is_counted && sent_[index]++ >= of_kind.numbered) return std::uint16_t{0};
  const auto step = pattern_->step();
  if (!pattern_->first_ || !step) return std::nullopt;
  const auto number = static_cast<std::uint16_t>(*pattern_->first_ + counted_);
  counted_ = static_cast<std::uint16_t>(counted_ + *step * packets);
  return number;
}

}  // namespace transom::drivers::replay
