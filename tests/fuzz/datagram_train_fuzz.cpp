// Feeds arbitrary octets to cut_datagrams(). What comes out must be the payload that went in, in order and
// behind headers as long as those that went in, and no buffer may be lost.
#include <vector>

#include "drivers/datagram_train.h"
#include "stack/wire/cursor.h"
#include "tests/fuzz/require.h"

namespace transom {
namespace {

void run(BufferPool& pool, wire::Reader& input) {
  const auto type = (input.u8() & 1) != 0 ? link::LinkType::kEthernet : link::LinkType::kPointToPoint;
  const auto payload = static_cast<std::uint16_t>(input.u16() % 2048);
  Packet frame = pool.copy_of(input.bytes(input.remaining() / 2));
  if (!frame) return;
  Slice slice = pool.allocate_slice(BufferSize::kFrame);
  slice.append(input.bytes(input.remaining()));
  frame.append_slice(std::move(slice));
  const std::vector<std::uint8_t> before = octets_of(frame);

  PacketQueue out;
  if (!drivers::cut_datagrams(frame, type, payload, out)) return require(out.empty());
  require(out.size() <= 128);
  std::vector<std::uint8_t> after;
  std::size_t headers = 0;
  for (bool is_first = true; Packet datagram = out.pop(); is_first = false) {
    const std::vector<std::uint8_t> octets = octets_of(datagram);
    // All but the last are full, so the first one tells the size of the headers.
    if (is_first && out.empty()) return require(octets.size() == before.size());
    if (is_first) headers = octets.size() - payload;
    require(octets.size() > headers && octets.size() - headers <= payload);
    after.insert(after.end(), octets.begin() + static_cast<std::ptrdiff_t>(headers), octets.end());
  }
  if (headers == 0) return;  // no payload: nothing to send
  require(headers + after.size() == before.size());
  require(std::equal(after.begin(), after.end(), before.begin() + static_cast<std::ptrdiff_t>(headers)));
}

}  // namespace
}  // namespace transom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transom::BufferPool pool({.frames = 256, .super_frames = 1});
  transom::wire::Reader input({data, size});
  transom::run(pool, input);
  return 0;
}
