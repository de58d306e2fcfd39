#include "drivers/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>

namespace transom::drivers {

namespace {

struct Unit {
  std::string_view suffix;  // none of them is the end of one that stands further down
  double factor;
};

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_with_unit(std::string_view text, std::span<const Unit> units, double limit) {
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.suffix)) continue;
    const auto count = parse_number<double>(text.substr(0, text.size() - unit.suffix.size()));
    if (!count || !(*count >= 0 && *count * unit.factor <= limit)) return std::nullopt;  // NaN too
    return *count * unit.factor;
  }
  return std::nullopt;
}

std::string format_scaled(double value, double step, std::span<const std::string_view> units) {
  std::size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} {}", value, units[unit])
                   : fmt::format("{:.3g} {}", value, units[unit]);
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) { return parse_number<std::uint64_t>(text); }

std::optional<double> parse_decimal(std::string_view text) {
  const auto number = parse_number<double>(text);
  return number && *number >= 0 && *number < 1e18 ? number : std::nullopt;
}

std::optional<double> parse_percentage(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto percent = parse_number<double>(text.substr(0, text.size() - 1));
  if (!percent || !(*percent >= 0 && *percent <= 100)) return std::nullopt;  // this refuses NaN too
  return *percent / 100;
}

std::optional<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<Unit, 5> kUnits{
      {{"min", 60e9}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
  constexpr double kDay = 86400e9;
  const auto nanoseconds = parse_with_unit(text, kUnits, kDay);
  if (!nanoseconds) return std::nullopt;
  return Duration(static_cast<std::int64_t>(*nanoseconds));
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  static constexpr std::array<Unit, 8> kUnits{{{"kbit", 1e3},
                                               {"mbit", 1e6},
                                               {"gbit", 1e9},
                                               {"bit", 1},
                                               {"kbps", 8e3},
                                               {"mbps", 8e6},
                                               {"gbps", 8e9},
                                               {"bps", 8}}};
  constexpr double kTerabit = 1e12;
  const auto rate = parse_with_unit(text, kUnits, kTerabit);
  if (!rate || *rate < 1) return std::nullopt;
  return static_cast<std::uint64_t>(*rate);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<Unit, 5> kUnits{
      {{"kb", 1024}, {"mb", 1024.0 * 1024}, {"gb", 1024.0 * 1024 * 1024}, {"b", 1}, {"", 1}}};
  constexpr double kTebibyte = 1099511627776.0;
  const auto octets = parse_with_unit(text, kUnits, kTebibyte);
  if (!octets) return std::nullopt;
  return static_cast<std::uint64_t>(*octets);
}

std::string format_rate(std::uint64_t bits_per_second) {
  static constexpr std::array<std::string_view, 4> kUnits{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  return format_scaled(static_cast<double>(bits_per_second), 1000, kUnits);
}

std::string format_size(std::uint64_t octets) {
  static constexpr std::array<std::string_view, 4> kUnits{"B", "KiB", "MiB", "GiB"};
  return format_scaled(static_cast<double>(octets), 1024, kUnits);
}

std::string format_duration(Duration duration) {
  static constexpr std::array<std::string_view, 4> kUnits{"ns", "us", "ms", "s"};
  return format_scaled(static_cast<double>(duration.count()), 1000, kUnits);
}

}  // namespace transom::drivers
