// Quantities as people write them, with the units of tc(8). nullopt for what is not one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stack/base/time.h"

namespace transom::drivers {

std::optional<std::uint64_t> parse_count(std::string_view text);  // "64"
std::optional<double> parse_decimal(std::string_view text);       // "0.5", not negative
std::optional<double> parse_percentage(std::string_view text);    // "1%" is 0.01; 0% to 100%
std::optional<Duration> parse_duration(std::string_view text);    // "10ms": ns, us, ms, s, min; at most a day
// Bits per second: "100mbit", "1.5gbit", "56kbit", "800bit"; in octets with bps, kbps, mbps, gbps.
std::optional<std::uint64_t> parse_rate(std::string_view text);
// Octets: "1500", "64kb" (1024 octets), "10mb", "1gb".
std::optional<std::uint64_t> parse_size(std::string_view text);

std::string format_rate(std::uint64_t bits_per_second);  // "95.3 Mbit/s"
std::string format_size(std::uint64_t octets);           // "9.54 MiB"
std::string format_duration(Duration duration);          // "40.2 ms"

}  // namespace transom::drivers
