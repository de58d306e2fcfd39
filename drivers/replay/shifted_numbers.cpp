#include "drivers/replay/shifted_numbers.h"

#include "stack/wire/checksum.h"
#include "stack/wire/tcp.h"

namespace transom::drivers::replay {

namespace {

void add_at(MutableBytes octets, std::size_t offset, std::uint32_t value) {
  const MutableBytes field = octets.subspan(offset, 4);
  const std::uint32_t before = wire::Reader(field).u32();
  wire::Writer(field).u32(before + value);
}

// Both edges of each block. `options` may be malformed.
void shift_sack_blocks(MutableBytes options, std::uint32_t value) {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kSack = 5;
  for (std::size_t at = 0; at < options.size() && options[at] != kEnd;) {
    if (options[at] == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return;
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return;
    if (options[at] == kSack)
      for (std::size_t edge = at + 2; edge + 4 <= at + length; edge += 4) add_at(options, edge, value);
    at += length;
  }
}

}  // namespace

void shift_numbers(MutableBytes segment, std::uint32_t sequence, std::uint32_t acknowledgment) {
  constexpr std::size_t kSequence = 4, kAcknowledgment = 8, kDataOffset = 12, kFlags = 13;
  constexpr std::uint8_t kAck = 0x10;
  constexpr std::size_t kChecksum = wire::TcpHeader::kChecksumOffset;
  if (segment.size() < wire::TcpHeader::kMinSize) return;
  const std::size_t header = std::size_t{segment[kDataOffset] / 16U} * 4;
  if (header < wire::TcpHeader::kMinSize || header > segment.size()) return;
  const auto sum_of_rest = [&] {
    wire::ChecksumSum sum;
    sum.add(segment.first(kChecksum));
    sum.add(segment.subspan(kChecksum + 2, header - kChecksum - 2));
    return sum.fold();
  };
  const std::uint16_t before = sum_of_rest();
  add_at(segment, kSequence, sequence);
  if ((segment[kFlags] & kAck) != 0) {
    add_at(segment, kAcknowledgment, acknowledgment);
    shift_sack_blocks(segment.subspan(wire::TcpHeader::kMinSize, header - wire::TcpHeader::kMinSize),
                      acknowledgment);
  }
  const std::uint16_t after = sum_of_rest();
  if (after == before) return;
  const MutableBytes field = segment.subspan(kChecksum, 2);
  wire::ChecksumSum sum;  // RFC 1624 §3
  sum.add_u16(static_cast<std::uint16_t>(~wire::Reader(field).u16()));
  sum.add_u16(static_cast<std::uint16_t>(~before));
  sum.add_u16(after);
  wire::Writer(field).u16(sum.checksum());
}

}  // namespace transom::drivers::replay
