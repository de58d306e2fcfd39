#include "drivers/sim/loss_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/units.h"

namespace transom::drivers::sim {

namespace {

std::string_view next_word(std::string_view& text) {
  constexpr std::string_view kBlanks = " ,\t";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

std::expected<LossModel, std::string> parse_loss(std::string_view text) {
  const auto refuse = [whole = text](std::string_view word) {
    return std::unexpected(fmt::format(
        "bad loss '{}': '{}' is not understood; as in '1%', 'gemodel 1% 10% 70% 0.1%' or 'list 3 7 9-12'",
        whole, word));
  };
  LossModel model;
  std::string_view word = next_word(text);
  if (word == "random") word = next_word(text);
  if (word == "gemodel") {
    LossModel::Burst burst;
    double* const places[] = {&burst.to_bad, &burst.to_good, &burst.loss_in_bad, &burst.loss_in_good};
    std::size_t given = 0;
    while (!(word = next_word(text)).empty()) {
      const auto value = parse_percentage(word);
      if (!value || given == std::size(places)) return refuse(word);
      *places[given++] = *value;
    }
    if (given == 0) return refuse("gemodel");
    if (given == 1) burst.to_good = 1 - burst.to_bad;  // tc-netem(8)
    model.burst.push_back(burst);
    return model;
  }
  if (word == "list") {
    while (!(word = next_word(text)).empty()) {
      const std::size_t dash = word.find('-');
      const auto first = parse_count(word.substr(0, dash));
      const auto last = dash == std::string_view::npos ? first : parse_count(word.substr(dash + 1));
      if (!first || !last || *first == 0 || *last < *first) return refuse(word);
      model.list.push_back({*first, *last});
    }
    if (model.list.empty()) return refuse("list");
    return model;
  }
  const auto value = parse_percentage(word);
  if (!value) return refuse(word);
  if (const std::string_view more = next_word(text); !more.empty()) return refuse(more);
  model.random = *value;
  return model;
}

LossProcess::LossProcess(LossModel model) : model_(std::move(model)) {
  std::ranges::stable_sort(model_.list, {}, &LossModel::Range::first);
}

bool LossProcess::next(Random& random) {
  ++count_;
  bool is_lost = model_.random > 0 && random.chance(model_.random);
  for (const LossModel::Burst& burst : model_.burst) {
    if (random.chance(is_bad_ ? burst.to_good : burst.to_bad)) is_bad_ = !is_bad_;
    is_lost |= random.chance(is_bad_ ? burst.loss_in_bad : burst.loss_in_good);
  }
  const auto& list = model_.list;
  while (next_range_ < list.size() && list[next_range_].last < count_) ++next_range_;
  return is_lost || (next_range_ < list.size() && list[next_range_].first <= count_);
}

}  // namespace transom::drivers::sim
