// Feeds arbitrary octets, cut into head and slices anywhere, with arbitrary metadata to segment() and
// complete_checksum(). What comes out must be exactly the payload that went in, in order, and no buffer may
// be lost.
#include <vector>

#include "stack/link/segmentation.h"
#include "stack/wire/cursor.h"
#include "tests/fuzz/require.h"

namespace transom {
namespace {

void run(BufferPool& pool, wire::Reader& input) {
  PacketInfo info;
  info.segment_size = static_cast<std::uint16_t>(input.u16() % 2048);
  info.checksum_field = input.u16();
  info.checksum = static_cast<ChecksumState>(input.u8() % 3);
  const std::size_t ip_offset = input.u8() % 40;
  const bool checksums = (input.u8() & 1) != 0;
  const std::size_t slice_count = input.u8() % (Packet::kMaxTail + 1);
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < slice_count; ++i) sizes.push_back(input.u16() % 1024);

  const std::size_t in_slices = [&] {
    std::size_t sum = 0;
    for (std::size_t& size : sizes) {
      size = std::min(size, input.remaining() - sum);
      sum += size;
    }
    return sum;
  }();
  Packet packet = pool.copy_of(input.bytes(input.remaining() - in_slices));
  if (!packet) return;
  for (const std::size_t size : sizes) {
    Slice slice = pool.allocate_slice(BufferSize::kFrame);
    slice.append(input.bytes(size));
    packet.append_slice(std::move(slice));
  }
  packet.info() = info;

  const std::vector<std::uint8_t> before = octets_of(packet);
  PacketQueue out;
  const bool done = link::segment(pool, std::move(packet), ip_offset, checksums, out);
  require(done == !out.empty());
  if (!done) return;
  if (info.segment_size == 0) {
    require(out.size() == 1);
    require(octets_of(out.pop()).size() == before.size());
    return;
  }
  std::vector<std::uint8_t> payload;
  std::size_t header_size = 0;
  for (bool is_first = true; Packet piece = out.pop(); is_first = false) {
    const std::vector<std::uint8_t> octets = octets_of(piece);
    if (is_first) {
      // All segments but the last are full, so the first one tells the size of the headers.
      const bool is_only = out.empty();
      header_size = octets.size() - (is_only ? 0 : info.segment_size);
      if (is_only) {
        require(octets.size() == before.size());
        return;
      }
    }
    require(octets.size() > header_size && octets.size() - header_size <= info.segment_size);
    payload.insert(payload.end(), octets.begin() + static_cast<std::ptrdiff_t>(header_size), octets.end());
    require(piece.info().segment_size == 0);
  }
  require(header_size + payload.size() == before.size());
  require(
      std::equal(payload.begin(), payload.end(), before.begin() + static_cast<std::ptrdiff_t>(header_size)));
}

}  // namespace
}  // namespace transom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transom::BufferPool pool({.frames = 8192, .super_frames = 16});
  transom::wire::Reader input({data, size});
  transom::run(pool, input);
  return 0;
}
