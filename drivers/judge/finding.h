// What a judge says about one packet of a capture.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stack/base/address.h"
#include "stack/base/time.h"

namespace transom::drivers::judge {

enum class Verdict : std::uint8_t {
  kLegal,      // allowed, but worth a look: a SHOULD that was not followed, or a sign of an attack
  kUnknown,    // cannot be decided from where the capture was taken
  kViolation,  // a MUST was broken
};
std::string_view to_string(Verdict verdict);  // "legal", "unknown", "violation"

// One of the two ends of a connection: the first is who sent the SYN, or else the first packet.
enum class Side : std::uint8_t { kFirst = 0, kSecond = 1 };
constexpr Side other(Side side) { return side == Side::kFirst ? Side::kSecond : Side::kFirst; }
constexpr std::size_t index_of(Side side) { return static_cast<std::size_t>(side); }

// A rule of an RFC. There is one object for each; they are compared by address.
struct Rule {
  std::string_view id;       // stable: "rfc9293-3.4-ack-beyond-sent"
  std::string_view section;  // "RFC 9293 §3.4"
  std::string_view title;    // what is not as it should be, in a few words
  Verdict worst;             // the hardest verdict that it can give

  friend bool operator==(const Rule& a, const Rule& b) { return &a == &b; }
};

struct Finding {
  const Rule* rule = nullptr;
  Verdict verdict = Verdict::kUnknown;
  std::uint64_t frame = 0;       // the number of the packet in the capture
  Duration time{};               // of that packet
  std::uint64_t connection = 0;  // ConnectionSummary::number; 0: none
  Side side = Side::kFirst;      // who is meant
  Endpoint from, to;             // who is meant, and the other end
  std::string state{};  // of who is meant, as far as it can be told: "ESTABLISHED"; empty outside of TCP
  std::string text{};   // one line
};

}  // namespace transom::drivers::judge
