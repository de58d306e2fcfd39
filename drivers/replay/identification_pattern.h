// How a recorded end numbered the IPv4 packets of one TCP connection, so that a stack in its place can do the
// same. Linux counts per connection from where chance began, and sends zero, which with DF is no number
// (RFC 6864 §4.1), where no socket speaks: SYN-ACKs, resets, acknowledgments in TIME-WAIT. Others send zero
// or the same value always, or number only what a device cuts out of super-segments, as we do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace transom::drivers::replay {

class IdentificationPattern {
 public:
  enum class Kind : std::uint8_t {
    kSynAck,
    kReset,  // without an ACK
    kResetAck,
    kLastAcknowledgment,  // after both FINs
    kOther,
  };

  // In the order in which they were sent. `length`: of the text, octets; a super-packet was several packets.
  void add(Kind kind, std::uint16_t identification, std::uint32_t length);

 private:
  friend class IdentificationNumbering;
  struct OfKind {
    std::uint32_t numbered = 0;  // in front of the first zero
    bool has_zero = false;
    bool is_numbered_again = false;  // behind it
  };
  // Of the numbers that are not zero; nullopt: neither a counter nor always the same.
  std::optional<std::uint16_t> step() const;

  std::array<OfKind, 5> kinds_{};
  std::optional<std::uint16_t> first_;
  std::uint16_t previous_ = 0, longest_step_ = 1;
  std::uint32_t counted_ = 0, repeated_ = 0, other_ = 0;  // steps
};

// Numbers by a pattern, which outlives it.
class IdentificationNumbering {
 public:
  explicit IdentificationNumbering(const IdentificationPattern& pattern) : pattern_(&pattern) {}

  // Of the next packet, or the first of so many that go in a row; nullopt where the recording does not tell.
  std::optional<std::uint16_t> next(IdentificationPattern::Kind kind, std::uint32_t packets = 1);

 private:
  const IdentificationPattern* pattern_;
  std::array<std::uint32_t, 5> sent_{};  // by kind
  std::uint16_t counted_ = 0;
};

}  // namespace transom::drivers::replay
