// What our end did in a replay, and the peer where it is alive, kept in a file to hold later runs against:
// golden.jsonl. The first line says of what it is and which fields are masked, that is not kept, as they are
// others in each run; then of each flow a line about it, and a line for each packet that our end sent, then
// for each of the peer's ("theirs":true).
//
//   {"golden":1,"role":"feed as server","masked":["time","isn","ports"]}
//   {"flow":0,"protocol":"TCP","ours":"192.0.2.2","theirs":"192.0.2.1","verdict":"legal","read":100,"equal":true}
//   {"flow":0,"flags":"S.","sequence":0,"acknowledgment":1,"length":0,"window":65160,"mss":1460,"scale":7}
#pragma once

#include <expected>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "drivers/replay/flow_report.h"

namespace transom::tools {

// Names of fields that can be masked: "time" (since the beginning), "isn" (the initial sequence number),
// "ports", "addresses", "octets" (the digest of what is carried), "windows", "identification" (of
// IP).
using Masks = std::set<std::string, std::less<>>;
// "time,isn,ports", or "" for none. The error says which names there are.
std::expected<Masks, std::string> parse_masks(std::string_view names);
// time, isn, ports; but for a feed, where it is as recorded, the identification.
Masks standard_masks(std::string_view role);

struct GoldenFlow {
  std::string protocol, ours, theirs;
  std::optional<std::uint32_t> initial;
  std::string verdict;     // of the replay, against the recording
  std::uint64_t read = 0;  // octets by our application
  bool octets_are_equal = true;
  std::string stall;
  std::vector<std::string> findings;                   // rules that were broken, or perhaps broken
  std::vector<drivers::replay::PacketRecord> packets;  // that our end sent
  std::vector<drivers::replay::PacketRecord> theirs_sent;
};

struct GoldenError {
  std::size_t line = 0;
  std::string message;
};

struct GoldenRecord {
  std::string role;
  Masks masked;
  std::vector<GoldenFlow> flows;

  static GoldenRecord of(std::string role, std::span<const drivers::replay::FlowReport> flows, Masks masked);
  // Of any text: what is no such record is refused with its line.
  static std::expected<GoldenRecord, GoldenError> parse(std::string_view text);
  std::string text() const;
};

struct GoldenDifference {
  drivers::replay::Likeness verdict = drivers::replay::Likeness::kSame;
  std::string text;
};

// What is otherwise in `actual`, aligned, each with its verdict and the rule. `actual` has the masks of
// `golden`.
std::vector<GoldenDifference> differences(const GoldenRecord& golden, const GoldenRecord& actual);
drivers::replay::Likeness worst_of(std::span<const GoldenDifference> differences);

}  // namespace transom::tools
