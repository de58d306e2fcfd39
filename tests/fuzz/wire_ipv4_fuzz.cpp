#include "stack/wire/ipv4.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

namespace {

void check_options(Bytes options) {
  Ipv4OptionWalk walk(options);
  Ipv4Option option;
  std::size_t octets = 0;
  while (walk.next(option)) {
    octets += 2 + option.data.size();
    require(octets <= options.size());  // so the walk ends
  }
  require(!walk.next(option));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check_header<Ipv4Header>(input, [](const Ipv4Header& header) { return header.size(); });
  check_options(input);

  Reader reader(input);
  const auto quoted = Ipv4Header::parse_quoted(reader);
  if (!quoted) return 0;
  require(reader.position() == quoted->size());
  check_options(quoted->options);
  const auto octets = written(*quoted, quoted->size());
  require(Ipv4Header::has_valid_checksum(octets));
  Reader whole_reader(input);
  if (Ipv4Header::parse(whole_reader)) require(quoted->payload_size() <= whole_reader.remaining());
  return 0;
}
