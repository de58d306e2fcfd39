// Results that the literature knows, and what we measure of them in the simulated network. The functions give
// the rows of the table in docs/validation.md.
#pragma once

#include <string>
#include <vector>

namespace transom::test {

struct ValidationRow {
  enum class Kind : std::uint8_t {
    kEqual,    // `measured` is `known`, but for `allowed` of it
    kAtLeast,  // `measured` is `known` or more
    kAtMost,
  };

  std::string result;  // what is known: "Reno's mean window, p = 0.1 %, RTT 50 ms"
  std::string source;  // who knows
  std::string unit;    // of both numbers
  Kind kind = Kind::kEqual;
  double known = 0;
  double measured = 0;
  double allowed = 0;  // share of `known`

  double error() const { return known == 0 ? 0 : measured / known - 1; }
  bool holds() const;
};

// 1.22 * MSS / (RTT * sqrt(p)), and CUBIC's response function with its Reno-friendly region.
std::vector<ValidationRow> validate_response_functions();
// The window after one loss, against C(t - K)^3 + W_max.
std::vector<ValidationRow> validate_cubic_curve();
std::vector<ValidationRow> validate_slow_start_exit();
// RTO, tail loss probe, RACK and the reduction of the window in recovery.
std::vector<ValidationRow> validate_timeouts();
std::vector<ValidationRow> validate_probes();
std::vector<ValidationRow> validate_proportional_reduction();
// Fairness, queues, and BBR under loss.
std::vector<ValidationRow> validate_shares();
std::vector<ValidationRow> validate_dctcp_queue();
std::vector<ValidationRow> validate_bbr_under_loss();

}  // namespace transom::test
