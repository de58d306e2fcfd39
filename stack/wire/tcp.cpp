#include "stack/wire/tcp.h"

#include <algorithm>
#include <cassert>

namespace transom::wire {

namespace {

// IANA's "TCP Option Kind Numbers"; those with a length that can be checked.
enum Kind : std::uint8_t {
  kEndOfList = 0,
  kNoOperation = 1,
  kMaximumSegmentSize = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
  kMd5Signature = 19,    // RFC 2385
  kAuthentication = 29,  // RFC 5925
  kFastOpen = 34,        // RFC 7413
};

constexpr std::size_t kSackBlockSize = 8;
// NOP, NOP, timestamps, 10 octets: all the options of most segments.
constexpr std::uint32_t kAlignedTimestamps = 0x0101080a;
constexpr std::size_t kAlignedTimestampsSize = 12;

TcpTimestamps read_timestamps(Reader& reader) {
  const std::uint32_t value = reader.u32();
  return {value, reader.u32()};
}

void read_sacks(Bytes contents, TcpOptions& options) {
  Reader reader(contents);
  while (reader.remaining() > 0) {
    const SeqNum left(reader.u32());
    options.sack_blocks[options.sack_count++] = {left, SeqNum(reader.u32())};
  }
}

// Whether an option of this kind may have so many octets of contents, behind kind and length.
bool is_legal_size(std::uint8_t kind, std::size_t size) {
  switch (kind) {
    case kMaximumSegmentSize:
      return size == 2;
    case kWindowScale:
      return size == 1;
    case kSackPermitted:
      return size == 0;
    case kSack:
      return size > 0 && size % kSackBlockSize == 0 && size / kSackBlockSize <= TcpOptions::kMaxSackBlocks;
    case kTimestamps:
      return size == 8;
    case kMd5Signature:
      return size == 16;
    case kAuthentication:
      return size >= 2;
    default:
      return true;
  }
}

// Takes the option over unless the same kind came before.
void accept(TcpOptions& options, std::uint8_t kind, Bytes contents) {
  Reader reader(contents);
  switch (kind) {
    case kMaximumSegmentSize:
      if (!options.maximum_segment_size) options.maximum_segment_size = reader.u16();
      break;
    case kWindowScale:
      if (!options.window_scale) options.window_scale = reader.u8();
      break;
    case kSackPermitted:
      options.sack_permitted = true;
      break;
    case kSack:
      if (options.sack_count == 0) read_sacks(contents, options);
      break;
    case kTimestamps:
      if (!options.timestamps) options.timestamps = read_timestamps(reader);
      break;
    case kFastOpen:
      if (!options.fast_open) options.fast_open = FastOpenCookie::of(contents);
      break;
    default:
      break;  // RFC 9293 MUST-6: skipped
  }
}

// Octets of all options but the SACK blocks, each padded to a multiple of 4.
std::size_t size_without_sacks(const TcpOptions& options) {
  std::size_t size = 0;
  if (options.maximum_segment_size) size += 4;
  if (options.timestamps) size += kAlignedTimestampsSize;  // SACK permitted takes the place of its two NOPs
  if (options.sack_permitted && !options.timestamps) size += 4;
  if (options.window_scale) size += 4;
  if (options.fast_open) size += (2U + options.fast_open->size + 3U) / 4 * 4;
  return size;
}

// How many SACK blocks there is room for: at most four, and three of them with timestamps (RFC 2018 §3).
std::size_t sacks_that_fit(const TcpOptions& options) {
  const std::size_t used = size_without_sacks(options) + 4;
  return used < TcpOptions::kMaxSize ? (TcpOptions::kMaxSize - used) / kSackBlockSize : 0;
}

std::size_t sacks_to_write(const TcpOptions& options) {
  return std::min<std::size_t>(options.sack_count, sacks_that_fit(options));
}

void write_no_operations(Writer& writer, int count) {
  for (; count > 0; --count) writer.u8(kNoOperation);
}

void write_option(Writer& writer, Kind kind, std::size_t size_of_contents) {
  writer.u8(kind);
  writer.u8(static_cast<std::uint8_t>(size_of_contents + 2));
}

std::uint16_t pack(const TcpFlags& f) {
  return static_cast<std::uint16_t>(f.ae << 8 | f.cwr << 7 | f.ece << 6 | f.urg << 5 | f.ack << 4 |
                                    f.psh << 3 | f.rst << 2 | f.syn << 1 | static_cast<int>(f.fin));
}

TcpFlags unpack(std::uint16_t bits) {
  const auto is_set = [bits](int bit) { return (bits >> bit & 1) != 0; };
  return {.fin = is_set(0),
          .syn = is_set(1),
          .rst = is_set(2),
          .psh = is_set(3),
          .ack = is_set(4),
          .urg = is_set(5),
          .ece = is_set(6),
          .cwr = is_set(7),
          .ae = is_set(8)};
}

// False at an illegal option. Fills in place: copying a header costs more than reading it.
bool parse_options(Bytes octets, TcpOptions& options) {
  Reader reader(octets);
  if (octets.size() == kAlignedTimestampsSize && Reader(octets).u32() == kAlignedTimestamps) {
    reader.skip(4);
    options.timestamps = read_timestamps(reader);
    return true;
  }
  while (reader.remaining() > 0) {
    const std::uint8_t kind = reader.u8();
    if (kind == kEndOfList) break;
    if (kind == kNoOperation) continue;
    // RFC 9293 MUST-7: a length below 2, one beyond the header, and none at all end the walk.
    const std::size_t length = reader.u8();
    if (length < 2) return false;
    const Bytes contents = reader.bytes(length - 2);
    if (!reader.ok() || !is_legal_size(kind, contents.size())) return false;
    accept(options, kind, contents);
  }
  return true;
}

}  // namespace

// ---------------------------------------------------------------- FastOpenCookie

std::optional<FastOpenCookie> FastOpenCookie::of(Bytes octets) {
  if (!is_legal_size(octets.size())) return std::nullopt;
  FastOpenCookie cookie;
  std::ranges::copy(octets, cookie.octets.begin());
  cookie.size = static_cast<std::uint8_t>(octets.size());
  return cookie;
}

// ---------------------------------------------------------------- TcpOptions

bool TcpOptions::add_sack(const SackBlock& block) {
  if (sack_count >= sacks_that_fit(*this)) return false;
  sack_blocks[sack_count++] = block;
  return true;
}

std::size_t TcpOptions::size() const {
  const std::size_t blocks = sacks_to_write(*this);
  return size_without_sacks(*this) + (blocks == 0 ? 0 : 4 + blocks * kSackBlockSize);
}

std::expected<TcpOptions, ParseError> TcpOptions::parse(Bytes octets) {
  std::expected<TcpOptions, ParseError> options;
  if (!parse_options(octets, *options)) options = std::unexpected(ParseError::kBadOption);
  return options;
}

void TcpOptions::write(Writer& writer) const {
  if (maximum_segment_size) {
    write_option(writer, kMaximumSegmentSize, 2);
    writer.u16(*maximum_segment_size);
  }
  if (sack_permitted) {
    if (!timestamps) write_no_operations(writer, 2);
    write_option(writer, kSackPermitted, 0);
  }
  if (timestamps) {
    if (!sack_permitted) write_no_operations(writer, 2);
    write_option(writer, kTimestamps, 8);
    writer.u32(timestamps->value);
    writer.u32(timestamps->echo);
  }
  if (window_scale) {
    write_no_operations(writer, 1);
    write_option(writer, kWindowScale, 1);
    writer.u8(*window_scale);
  }
  if (fast_open) {
    write_option(writer, kFastOpen, fast_open->size);
    writer.bytes(fast_open->bytes());
    if (fast_open->size % 4 == 0) write_no_operations(writer, 2);
  }
  if (const std::size_t blocks = sacks_to_write(*this); blocks > 0) {
    write_no_operations(writer, 2);
    write_option(writer, kSack, blocks * kSackBlockSize);
    for (const SackBlock& block : sacks().first(blocks)) {
      writer.u32(block.left.value());
      writer.u32(block.right.value());
    }
  }
}

// ---------------------------------------------------------------- TcpHeader

std::expected<TcpHeader, ParseError> TcpHeader::parse(Reader& reader) {
  std::expected<TcpHeader, ParseError> header;  // the one object of every return, so that it is never copied
  const Bytes fixed = reader.bytes(kMinSize);
  if (fixed.size() != kMinSize) {
    header = std::unexpected(ParseError::kTruncated);
    return header;
  }
  Reader fields(fixed.first<kMinSize>());  // a size known here spares a bounds check per field
  header->source_port = static_cast<Port>(fields.u16());
  header->destination_port = static_cast<Port>(fields.u16());
  header->sequence = SeqNum(fields.u32());
  header->acknowledgment = SeqNum(fields.u32());
  const std::uint16_t offset_and_flags = fields.u16();
  header->flags = unpack(offset_and_flags);
  header->window = fields.u16();
  header->checksum = fields.u16();
  header->urgent_pointer = fields.u16();

  const std::size_t header_size = (offset_and_flags >> 12) * std::size_t{4};
  if (header_size < kMinSize || header_size - kMinSize > reader.remaining()) {
    header = std::unexpected(ParseError::kBadLength);
    return header;
  }
  const Bytes options = reader.bytes(header_size - kMinSize);
  if (!parse_options(options, header->options)) header = std::unexpected(ParseError::kBadOption);
  return header;
}

void TcpHeader::write(Writer& writer) const {
  const std::size_t header_size = size();
  const MutableBytes octets = writer.take(header_size);
  if (octets.empty()) return;
  Writer fields(octets.first<kMinSize>());
  fields.u16(to_number(source_port));
  fields.u16(to_number(destination_port));
  fields.u32(sequence.value());
  fields.u32(acknowledgment.value());
  fields.u16(static_cast<std::uint16_t>(header_size / 4 << 12 | pack(flags)));
  fields.u16(window);
  fields.u16(checksum);
  fields.u16(urgent_pointer);
  Writer option_fields(octets.subspan(kMinSize));
  options.write(option_fields);
  assert(option_fields.ok() && option_fields.remaining() == 0);
}

}  // namespace transom::wire
