// The TCP header and its options (RFC 9293 §3.1, §3.2; RFC 7323; RFC 2018; RFC 7413).
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |          Source Port          |       Destination Port        |
//   |                        Sequence Number                        |
//   |                    Acknowledgment Number                      |
//   | Offset| Rsrvd |C|E|U|A|P|R|S|F|            Window             |
//   |           Checksum            |         Urgent Pointer        |
//   |                    Options, 0 to 40 octets                    |
#pragma once

#include <array>
#include <expected>
#include <optional>

#include "stack/base/address.h"
#include "stack/base/seq_num.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

struct TcpFlags {
  bool fin = false, syn = false, rst = false, psh = false, ack = false, urg = false, ece = false, cwr = false;
  bool ae = false;  // accurate ECN, the lowest reserved bit (RFC 9768)

  friend bool operator==(const TcpFlags&, const TcpFlags&) = default;
};

struct SackBlock {
  SeqNum left;   // first sequence number of the block
  SeqNum right;  // the one behind its last

  friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

struct TcpTimestamps {
  std::uint32_t value = 0;
  std::uint32_t echo = 0;

  friend bool operator==(const TcpTimestamps&, const TcpTimestamps&) = default;
};

// RFC 7413 §4.1.1: 4 to 16 octets, an even number of them; none: the request for a cookie.
struct FastOpenCookie {
  static constexpr std::size_t kMinSize = 4;
  static constexpr std::size_t kMaxSize = 16;

  std::array<std::uint8_t, kMaxSize> octets{};  // those behind `size` are 0
  std::uint8_t size = 0;

  bool is_request() const { return size == 0; }
  Bytes bytes() const { return {octets.data(), size}; }
  static bool is_legal_size(std::size_t size) {
    return size == 0 || (size >= kMinSize && size <= kMaxSize && size % 2 == 0);
  }
  // nullopt for an illegal size.
  static std::optional<FastOpenCookie> of(Bytes octets);

  friend bool operator==(const FastOpenCookie&, const FastOpenCookie&) = default;
};

struct TcpOptions {
  static constexpr std::size_t kMaxSize = 40;
  static constexpr std::size_t kMaxSackBlocks = 4;

  std::optional<std::uint16_t> maximum_segment_size{};
  std::optional<std::uint8_t> window_scale{};  // as sent; the receiver of a value above 14 uses 14
  bool sack_permitted = false;
  std::optional<TcpTimestamps> timestamps{};
  std::array<SackBlock, kMaxSackBlocks> sack_blocks{};
  std::uint8_t sack_count = 0;
  std::optional<FastOpenCookie> fast_open{};  // means something in a SYN only

  std::span<const SackBlock> sacks() const { return {sack_blocks.data(), sack_count}; }
  bool add_sack(const SackBlock& block);

  // Octets on the wire, padded to a multiple of 4.
  std::size_t size() const;
  friend bool operator==(const TcpOptions&, const TcpOptions&) = default;

  // Unknown options are skipped by their length. kBadOption at a length below 2, one beyond the header, or
  // one that is wrong for its kind; but a fast-open cookie of a wrong length is skipped (RFC 7413 §4.1.1).
  // The first of a repeated option counts.
  static std::expected<TcpOptions, ParseError> parse(Bytes octets);
  // In Linux's order: SYN: mss, sackOK and TS (or nop nop TS), nop wscale, FO; else nop nop TS, nop nop SACK.
  void write(Writer& writer) const;
};

struct TcpHeader {
  static constexpr std::size_t kMinSize = 20;
  static constexpr std::size_t kMaxSize = 60;
  static constexpr std::size_t kChecksumOffset = 16;

  Port source_port{};
  Port destination_port{};
  SeqNum sequence;
  SeqNum acknowledgment;
  TcpFlags flags;
  std::uint16_t window = 0;  // unscaled, as on the wire
  std::uint16_t checksum = 0;
  std::uint16_t urgent_pointer = 0;
  TcpOptions options;

  std::size_t size() const { return kMinSize + options.size(); }
  friend bool operator==(const TcpHeader&, const TcpHeader&) = default;

  // kTruncated below 20 octets, kBadLength for a data offset below 5 or beyond the octets at hand,
  // kBadOption.
  static std::expected<TcpHeader, ParseError> parse(Reader& reader);
  void write(Writer& writer) const;  // writes `checksum` as it stands
};

}  // namespace transom::wire
