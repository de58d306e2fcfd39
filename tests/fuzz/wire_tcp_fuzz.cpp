#include "stack/wire/tcp.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check_header<TcpHeader>(input, [](const TcpHeader& header) { return header.size(); });

  // Options are reached through the data offset above; here the fuzzer need not find one.
  const Bytes area = input.first(std::min(input.size(), TcpOptions::kMaxSize));
  const auto options = TcpOptions::parse(area);
  if (!options) return 0;
  require(options->size() <= TcpOptions::kMaxSize && options->size() % 4 == 0);
  const auto octets = written(*options, options->size());
  const auto again = TcpOptions::parse(octets);
  require(again.has_value());
  // Only SACK blocks may be left out, and only for want of room.
  require(again->maximum_segment_size == options->maximum_segment_size &&
          again->window_scale == options->window_scale);
  require(again->sack_permitted == options->sack_permitted && again->timestamps == options->timestamps);
  require(again->sack_count <= options->sack_count);
  const std::size_t next_block = again->sack_count == 0 ? 12 : 8;  // the first one brings the option
  require(again->sack_count == options->sack_count || octets.size() + next_block > TcpOptions::kMaxSize);
  return 0;
}
