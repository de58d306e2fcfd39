// Where the rules of a connection put what they find.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <tuple>

#include "drivers/judge/rules.h"
#include "drivers/judge/segment.h"

namespace transom::drivers::judge {

// What else would explain a violation. When the capture shows that it happens there, the violation becomes
// unknown.
struct Doubts {
  bool is_incomplete = false;  // the capture missed a packet
  bool is_damaged = false;     // the network damaged this one: its checksum cannot be checked
};

struct RawFinding {
  Finding finding;
  Doubts doubts;
};

// Of one connection: keeps a few of each kind, counts the others.
class Report {
 public:
  static constexpr std::uint64_t kKept = 3;  // of one rule and side

  using Sink = std::function<void(RawFinding)>;
  Report(std::uint64_t connection, const std::array<PassiveEndpoint, 2>& ends, Sink sink)
      : connection_(connection), ends_(&ends), sink_(std::move(sink)) {}

  // About the sender of `segment`.
  template <typename... Arguments>
  void violation(const Rule& rule, const Segment& segment, fmt::format_string<Arguments...> text,
                 Arguments&&... arguments) {
    add(rule, Verdict::kViolation, false, segment, fmt::format(text, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void violation_if_complete(const Rule& rule, const Segment& segment, fmt::format_string<Arguments...> text,
                             Arguments&&... arguments) {
    add(rule, Verdict::kViolation, true, segment, fmt::format(text, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void noteworthy(const Rule& rule, const Segment& segment, fmt::format_string<Arguments...> text,
                  Arguments&&... arguments) {
    add(rule, Verdict::kLegal, false, segment, fmt::format(text, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void unknown(const Rule& rule, const Segment& segment, fmt::format_string<Arguments...> text,
               Arguments&&... arguments) {
    add(rule, Verdict::kUnknown, false, segment, fmt::format(text, std::forward<Arguments>(arguments)...));
  }
  // Where and when, once the segment itself is gone.
  struct Place {
    Side side = Side::kFirst;
    std::uint64_t frame = 0;
    Duration time{};
    bool is_verified = true;

    Place() = default;
    explicit Place(const Segment& segment);
  };
  void add(const Rule& rule, Verdict verdict, bool only_if_complete, const Place& place, std::string text);

  // The capture has certainly missed a packet of this connection.
  void capture_missed() { has_missed_ = true; }
  bool has_missed() const { return has_missed_; }
  std::uint64_t left_out() const { return left_out_; }

 private:
  void add(const Rule& rule, Verdict verdict, bool only_if_complete, const Segment& segment,
           std::string text) {
    add(rule, verdict, only_if_complete, Place(segment), std::move(text));
  }

  std::uint64_t connection_;
  const std::array<PassiveEndpoint, 2>* ends_;
  Sink sink_;
  std::map<std::tuple<const Rule*, Side, Verdict>, std::uint64_t> counts_;
  std::uint64_t left_out_ = 0;
  bool has_missed_ = false;
};

}  // namespace transom::drivers::judge
