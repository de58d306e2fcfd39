// The smallest part of a capture in which a judge still finds the same.
//
// First the packets of other connections go, then what lies behind, then whatever else is not needed, in ever
// smaller pieces (delta debugging: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
// Input", 2002). The same is: the same rule, verdict, end and state. The packets that stay are unchanged.
#pragma once

#include <functional>

#include "drivers/judge/judge.h"

namespace transom::drivers::judge {

// A packet that owns its octets.
struct KeptPacket {
  explicit KeptPacket(const CapturedPacket& packet);
  // Good as long as this one.
  CapturedPacket view() const;

  CapturedPacket packet;
  std::vector<std::uint8_t> octets;
};

// What has to stay.
struct Signature {
  const Rule* rule = nullptr;
  Verdict verdict = Verdict::kViolation;
  Endpoint from;
  std::string state{};

  static Signature of(const Finding& finding);
  bool is_in(const std::vector<Finding>& findings) const;
};

// Which packets, by their place in `packets`, suffice: none of them can be left out alone. Empty when even
// all of them do not show it. `tries`: how often a judge was asked at the most.
std::vector<std::size_t> shrink(const std::vector<KeptPacket>& packets, const Signature& wanted,
                                const JudgeOptions& options, std::size_t tries = 20000);

// The same for any question about a part of `count` things.
std::vector<std::size_t> minimise(std::vector<std::size_t> all,
                                  const std::function<bool(const std::vector<std::size_t>&)>& still_shows);

// A GoogleTest case that holds the packets and expects the finding.
std::string as_test_case(const std::vector<KeptPacket>& packets, const std::vector<std::size_t>& chosen,
                         const Signature& wanted);

}  // namespace transom::drivers::judge
