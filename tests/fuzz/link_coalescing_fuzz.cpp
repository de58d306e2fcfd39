// Feeds arbitrary frames, often copies of the one before with a few octets changed and the sequence number
// moved on, to SegmentRun. Whatever it joins, the payload of the whole is that of its parts, in order; what
// it does not join stays as it is; and what it returns can be cut into as many segments again.
#include <vector>

#include "stack/link/coalescing.h"
#include "stack/link/segmentation.h"
#include "stack/wire/cursor.h"
#include "tests/fuzz/require.h"

namespace transom {
namespace {

using Octets = std::vector<std::uint8_t>;

void run(BufferPool& pool, wire::Reader& input) {
  const std::size_t ip_offset = (input.u8() & 1) != 0 ? 14 : 0;
  const ChecksumState checksum = (input.u8() & 3) != 0 ? ChecksumState::kVerified : ChecksumState::kUnknown;
  const std::size_t size = std::min<std::size_t>(input.u16() % 1600, input.remaining());
  const Bytes first = input.bytes(size);
  Octets frame(first.begin(), first.end());
  const std::size_t payload = input.u16() % 1600;
  const std::size_t sequence = ip_offset + ((input.u8() & 1) != 0 ? 20 : 40) + 4;

  const auto packet_of = [&] {
    Packet packet = pool.copy_of(frame);
    if (packet) packet.info().checksum = checksum;
    return packet;
  };
  Packet front = packet_of();
  if (!front) return;
  const Octets before = frame;
  link::SegmentRun joined(pool, ip_offset, std::move(front));
  std::size_t count = 1;
  for (int i = 0; i < 50 && input.remaining() > 0; ++i) {
    if (sequence + 4 <= frame.size()) {
      wire::Reader reader(Bytes(frame).subspan(sequence));
      wire::Writer writer(MutableBytes(frame).subspan(sequence));
      writer.u32(static_cast<std::uint32_t>(reader.u32() + payload));
    }
    for (std::size_t changes = input.u8() & 3; changes > 0 && !frame.empty(); --changes)
      frame[input.u16() % frame.size()] = input.u8();
    const Packet next = packet_of();
    if (!next) break;
    if (joined.join(next)) ++count;
    require(octets_of(next) == frame);
  }
  Packet whole = std::move(joined).take();
  if (count == 1) {
    require(octets_of(whole) == before);
    return;
  }
  require(whole.info().segment_size != 0);
  PacketQueue segments;
  require(link::segment(pool, std::move(whole), ip_offset, true, segments));
  require(segments.size() == count);
}

}  // namespace
}  // namespace transom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transom::BufferPool pool({.frames = 256, .super_frames = 4});
  transom::wire::Reader input({data, size});
  transom::run(pool, input);
  return 0;
}
