// What the fuzz targets of stack/wire share. A target parses; what parses is written, and what was written
// must parse to the same octets again.
#pragma once

#include <vector>

#include "stack/wire/cursor.h"
#include "tests/fuzz/require.h"

namespace transom::wire {

// The header in exactly `size` octets: write() sets every one of them, and none besides.
template <typename Header>
std::vector<std::uint8_t> written(const Header& header, std::size_t size) {
  std::vector<std::uint8_t> zeros(size, 0x00);
  std::vector<std::uint8_t> ones(size, 0xff);
  Writer zeros_writer(zeros);
  Writer ones_writer(ones);
  header.write(zeros_writer);
  header.write(ones_writer);
  require(zeros_writer.ok() && zeros_writer.remaining() == 0);
  require(zeros == ones);
  return zeros;
}

template <typename Header, typename Size>
void check_header(Bytes input, Size size_of) {
  Reader reader(input);
  const auto header = Header::parse(reader);
  if (!header) return;
  require(reader.ok() && reader.position() <= input.size());
  const auto octets = written(*header, size_of(*header));
  // What follows the header belongs to the input still: lengths in the header count it.
  std::vector<std::uint8_t> again = octets;
  again.insert(again.end(), input.begin() + static_cast<std::ptrdiff_t>(reader.position()), input.end());
  again.resize(again.size() +
               64);  // a header written longer than it was read (padded options) moves nothing out of reach
  Reader second_reader(again);
  const auto second = Header::parse(second_reader);
  require(second.has_value());
  require(written(*second, size_of(*second)) == octets);
}

}  // namespace transom::wire
