#include "stack/wire/ipv6.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

namespace {

void check_options(Bytes options) {
  Ipv6OptionWalk walk(options);
  Ipv6Option option;
  std::size_t end = 0;
  while (walk.next(option)) {
    require(option.offset == end);  // so the walk advances, and leaves nothing out
    end = option.offset + (option.type == Ipv6Option::kPad1 ? 1 : 2 + option.data.size());
    require(end <= options.size());
  }
  require(!walk.ok() || end == options.size());
}

// The extension headers as a chain, as far as they go.
void check_chain(Reader& reader) {
  while (const auto header = Ipv6ExtensionHeader::parse(reader)) {
    require(header->size % 8 == 0 && header->body.size() + 2 == header->size);
    require(Ipv6RoutingHeader::parse(header->body).has_value());
    check_options(header->body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check_header<Ipv6Header>(input, [](const Ipv6Header&) { return Ipv6Header::kSize; });
  check_header<Ipv6FragmentHeader>(input,
                                   [](const Ipv6FragmentHeader&) { return Ipv6FragmentHeader::kSize; });
  check_options(input);
  Reader reader(input);
  if (Ipv6Header::parse_quoted(reader)) check_chain(reader);
  Reader bare_reader(input);
  check_chain(bare_reader);
  return 0;
}
