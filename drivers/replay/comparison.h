// What our end of a flow sent, held against what the recorded end sent: aligned, and each difference with the
// rule that allows it, or that it breaks, or neither when that cannot be told.
//
// Packets are the same when they carry the same octets of the stream, the same of SYN, FIN and RST, and the
// same acknowledgment. When they were sent is not compared: that is for a judge of the whole capture.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "drivers/replay/packet_record.h"

namespace transom::drivers::replay {

enum class Likeness : std::uint8_t { kSame, kLegal, kUnknown, kViolation };
std::string_view to_string(Likeness likeness);  // "same", "legal", "unknown", "violation"

// Why a difference is what it is. There is one object for each; they are compared by address.
struct Difference {
  std::string_view id;  // stable: "acknowledgment-policy"
  Likeness verdict;
  std::string_view section;  // "RFC 9293 §3.8.6.3"
  std::string_view title;
};
std::span<const Difference* const> all_differences();

// One line of the two columns.
struct Rung {
  std::optional<PacketRecord> recorded, actual;
  std::vector<const Difference*> differences;

  Likeness likeness() const;
};

// What is known of the run besides the packets.
struct ComparisonContext {
  bool has_failed = false;  // the connection ended with an error, or the flow stalled
  // All was said and heard: a reset behind that only says that the application had gone.
  bool has_ended_well = false;
  bool may_close = false;                 // the application is another than the recorded one
  bool compares_octets = true;            // else it is known from elsewhere which may be others
  bool compares_identifications = false;  // of IP: they were chosen as recorded
};

struct Comparison {
  std::vector<Rung> rungs;  // of our end only
  std::map<const Difference*, std::uint64_t> counts;
  std::uint64_t same = 0;
  std::uint64_t left_out = 0;  // sent as recorded, and not among the rungs: far from all that is worth a look

  Likeness likeness() const;  // the worst
};

Comparison compare(std::span<const PacketRecord> recorded, std::span<const PacketRecord> actual,
                   const ComparisonContext& context = {});

}  // namespace transom::drivers::replay
