#include "stack/wire/checksum.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

// The first octet says how many cuts there are, the next ones where; the sum of the pieces must be that of
// the whole.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader reader({data, size});
  const Bytes cuts = reader.bytes(reader.u8() % 16);
  Bytes left = reader.rest();
  std::uint32_t plain = 0;
  for (std::size_t i = 0; i < left.size(); ++i) plain += i % 2 == 0 ? std::uint32_t{left[i]} << 8 : left[i];
  while (plain > 0xffff) plain = (plain & 0xffff) + (plain >> 16);

  ChecksumSum sum;
  for (const std::uint8_t cut : cuts) {
    const std::size_t piece = std::min<std::size_t>(cut, left.size());
    sum.add(left.first(piece));
    left = left.subspan(piece);
  }
  sum.add(left);
  require(sum.fold() == plain);
  return 0;
}
