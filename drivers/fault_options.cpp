#include "drivers/fault_options.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "drivers/units.h"

namespace transom::drivers {

namespace {

template <typename Value>
bool store(std::optional<Value> value, Value& place) {
  if (!value) return false;
  place = *value;
  return true;
}

enum class Word : std::uint8_t { kGood, kUnknown, kBadPercentage, kBadDuration, kBadNumber };

Word apply(std::string_view key, std::string_view value, FaultOptions& options) {
  const auto percentage = [&](double& place) {
    return store(parse_percentage(value), place) ? Word::kGood : Word::kBadPercentage;
  };
  const auto duration = [&](Duration& place) {
    return store(parse_duration(value), place) ? Word::kGood : Word::kBadDuration;
  };
  if (key == "loss") return percentage(options.loss);
  if (key == "reorder") return percentage(options.reorder);
  if (key == "dup") return percentage(options.duplicate);
  if (key == "corrupt") return percentage(options.corrupt);
  if (key == "truncate") return percentage(options.truncate);
  if (key == "delay") return duration(options.delay);
  if (key == "jitter") return duration(options.jitter);
  if (key == "seed") return store(parse_count(value), options.seed) ? Word::kGood : Word::kBadNumber;
  return Word::kUnknown;
}

std::string complaint(Word kind, std::string_view word, std::string_view key) {
  switch (kind) {
    case Word::kBadPercentage:
      return fmt::format("bad fault '{}': {} takes a percentage from 0% to 100%, as in {}=1%", word, key,
                         key);
    case Word::kBadDuration:
      return fmt::format(
          "bad fault '{}': {} takes a time of at most a day in ns, us, ms, s or min, as in {}=10ms", word,
          key, key);
    case Word::kBadNumber:
      return fmt::format("bad fault '{}': {} takes a whole number, as in {}=7", word, key, key);
    default:
      return fmt::format(
          "unknown fault '{}'; known are loss, reorder, dup, corrupt and truncate (as in loss=1%), delay and "
          "jitter (as in "
          "delay=10ms) and seed (as in seed=7)",
          word);
  }
}

}  // namespace

std::expected<FaultOptions, std::string> parse_fault_options(std::string_view text) {
  constexpr std::string_view kSeparators = " ,\t\n";
  FaultOptions options;
  std::set<std::string_view> seen;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) return options;
    const std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(word.size());
    const std::size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    const Word kind = apply(key, value, options);
    if (kind != Word::kGood) return std::unexpected(complaint(kind, word, key));
    if (!seen.insert(key).second)
      return std::unexpected(fmt::format("fault '{}': {} is given twice", word, key));
  }
}

}  // namespace transom::drivers
