#include "stack/tcp/congestion/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "stack/tcp/congestion/bbr.h"
#include "stack/tcp/congestion/cubic.h"
#include "stack/tcp/congestion/reno.h"
#include "stack/tcp/congestion/scalable.h"

namespace transom::tcp {

namespace {

std::string describe(const Parameter& parameter) {
  return fmt::format("{} ({} to {}{}{}, standard {})", parameter.name, parameter.low, parameter.high,
                     parameter.unit.empty() ? "" : " ", parameter.unit, parameter.standard);
}

std::string describe(const CongestionFactory& factory) {
  if (factory.parameters.empty()) return fmt::format("{} has no parameters", factory.name);
  std::string text = fmt::format("{} has", factory.name);
  for (const Parameter& parameter : factory.parameters)
    text += fmt::format("{} {}", &parameter == factory.parameters.data() ? "" : ",", describe(parameter));
  return text;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "beta=0.8,c=0.4"
std::expected<std::vector<double>, std::string> parse_values(const CongestionFactory& factory,
                                                             std::string_view text) {
  std::vector<double> values;
  for (const Parameter& parameter : factory.parameters) values.push_back(parameter.standard);
  while (!text.empty()) {
    const std::string_view assignment = text.substr(0, text.find(','));
    text.remove_prefix(std::min(assignment.size() + 1, text.size()));
    const std::size_t sign = assignment.find('=');
    const std::string_view name = assignment.substr(0, sign);
    const auto parameter = std::ranges::find(factory.parameters, name, &Parameter::name);
    if (parameter == factory.parameters.end())
      return std::unexpected(fmt::format("'{}' is no parameter: {}", name, describe(factory)));
    const auto value =
        sign == std::string_view::npos ? std::nullopt : parse_number(assignment.substr(sign + 1));
    // Written so that a NaN is refused.
    const bool is_in_range = value && *value >= parameter->low && *value <= parameter->high;
    if (!is_in_range) {
      return std::unexpected(
          fmt::format("'{}' is not understood; {} takes {}", assignment, factory.name, describe(*parameter)));
    }
    values[static_cast<std::size_t>(parameter - factory.parameters.begin())] = *value;
  }
  return values;
}

}  // namespace

CongestionRegistry::CongestionRegistry(std::string_view standard)
    : factories_{&kCubic, &kReno, &kBbr, &kDctcp, &kPrague}, standard_(factories_.front()) {
  if (const auto chosen = choose(standard)) standard_ = *chosen;
}

bool CongestionRegistry::add(const CongestionFactory& factory) {
  const CongestionFactory* const same = find(factory.name);
  if (same != nullptr) return same == &factory;
  const bool is_name = !factory.name.empty() && factory.name.find_first_of(":,=/") == std::string_view::npos;
  if (!is_name || factory.create == nullptr || factory.parameters.size() > kMaxParameters) return false;
  factories_.push_back(&factory);
  return true;
}

const CongestionFactory* CongestionRegistry::find(std::string_view name) const {
  const auto found = std::ranges::find(factories_, name, &CongestionFactory::name);
  return found == factories_.end() ? nullptr : *found;
}

std::expected<const CongestionFactory*, std::string> CongestionRegistry::choose(std::string_view text) {
  const std::size_t colon = text.find(':');
  const CongestionFactory* const base = find(text.substr(0, colon));
  if (base == nullptr) {
    std::string known;
    for (const CongestionFactory* factory : factories_) known += fmt::format(" {}", factory->name);
    return std::unexpected(
        fmt::format("there is no congestion control '{}'; there are{}", text.substr(0, colon), known));
  }
  if (colon == std::string_view::npos) return base;
  auto values = parse_values(*base, text.substr(colon + 1));
  if (!values) return std::unexpected(values.error());
  for (const Variant& variant : variants_) {
    if (variant.factory.name == base->name && variant.values == *values) return &variant.factory;
  }
  if (variants_.size() == kMaxVariants)
    return std::unexpected(fmt::format("{} sets of parameters are in use, that is the most", kMaxVariants));
  Variant& variant = variants_.emplace_back(std::move(*values), *base);
  variant.factory.values = variant.values;
  return &variant.factory;
}

}  // namespace transom::tcp
