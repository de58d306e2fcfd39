// Is what each end did in a capture legal?
//
// A Judge is given the packets of a capture, of any stack, in the order of the file. It follows both ends of
// each connection by what they say, and holds every packet against the rules of the RFCs (rules.h). Where a
// capture is taken decides what can be known: a packet that passed may have been lost before it arrived, and
// one that arrived may have been missed. What cannot be decided is kUnknown, or nothing is said about it.
//
// Memory is bounded: of a connection only what may be asked for again is kept, and of too many connections
// the one that was silent for longest is given up, which is counted.
//
//   Judge judge;
//   while (auto packet = *reader.next()) judge.take(*packet);
//   judge.end();
//   for (const Finding& finding : judge.findings()) ...
#pragma once

#include <memory>

#include "drivers/judge/finding.h"
#include "drivers/judge/judge_options.h"
#include "drivers/judge/rules.h"

namespace transom::drivers::judge {

class Judge {
 public:
  struct Counts {
    std::uint64_t packets = 0;
    std::uint64_t missed = 0;          // as whoever captured says
    std::uint64_t not_ip = 0;          // or whose headers were cut
    std::uint64_t tcp = 0;             // segments that were looked into
    std::uint64_t unreadable_tcp = 0;  // whose header was cut or malformed
    std::uint64_t connections = 0;
    std::uint64_t evicted_connections = 0;  // given up for want of room; what came of them later is a new one
    std::uint64_t left_out_findings = 0;    // beyond the limits
    std::uint64_t left_out_summaries = 0;
  };

  explicit Judge(JudgeOptions options = {});
  ~Judge();
  Judge(Judge&&) noexcept;
  Judge& operator=(Judge&&) noexcept;

  void take(const CapturedPacket& packet);
  // Before end(): whoever captured says that it has missed so many packets. What one of them would explain is
  // unknown then.
  void missed(std::uint64_t packets);
  // No more packets come. What waited for evidence is decided.
  void end();

  // After end(): in the order of their frames.
  const std::vector<Finding>& findings() const;
  const std::vector<ConnectionSummary>& connections() const;
  const Counts& counts() const;
  // The hardest verdict; nullopt: nothing was found.
  std::optional<Verdict> worst() const;
  // Packets of connections passed that were not captured, as far as can be told.
  bool capture_is_incomplete() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace transom::drivers::judge
