// Misbehaviours that are planted, each named by its rule; and beside each, what looks alike and is allowed. A
// list for each part of a conversation; planted_test.cpp runs them all.
#pragma once

#include <span>

#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {

struct Planted {
  using Act = void (*)(Talk&);

  const char* name;
  std::string_view rule;
  Verdict verdict;
  Act misbehave;
  Act behave;  // must not be named by the rule
  JudgeOptions options{};
};

// What GoogleTest prints of one.
std::ostream& operator<<(std::ostream& out, const Planted& planted);

std::span<const Planted> planted_in_packets();
std::span<const Planted> planted_in_headers();
std::span<const Planted> planted_in_acknowledgments();
std::span<const Planted> planted_in_the_course();
std::span<const Planted> planted_in_the_network();

constexpr auto kViolation = Verdict::kViolation;
constexpr auto kUnknown = Verdict::kUnknown;
constexpr auto kLegal = Verdict::kLegal;

inline JudgeOptions complete() { return {.is_complete = true}; }
inline JudgeOptions at_second() { return {.captured_at = {IpAddress::v4(10, 0, 0, 2)}}; }
inline JudgeOptions at_first() { return {.captured_at = {IpAddress::v4(10, 0, 0, 1)}}; }

inline JudgeOptions at_second_without_offload() {
  return {.captured_at = {IpAddress::v4(10, 0, 0, 2)}, .has_offload = false};
}

inline const IpAddress kA = IpAddress::v4(10, 0, 0, 1), kB = IpAddress::v4(10, 0, 0, 2);
inline const IpAddress kA6 = *IpAddress::parse("2001:db8::1"), kB6 = *IpAddress::parse("2001:db8::2");

}  // namespace transom::drivers::judge::test
