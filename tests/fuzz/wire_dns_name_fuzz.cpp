#include "stack/wire/dns_name.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> octets(data, data + size);
  for (std::size_t start = 0; start < std::min<std::size_t>(size, 64); ++start) {
    std::size_t position = start;
    const auto name = read_dns_name(octets, position, true);
    if (!name) continue;
    require(position > start && position <= size && name->size() <= 253);
    std::vector<std::uint8_t> again(dns_name_size(*name));
    Writer writer(again);
    write_dns_name(writer, *name);
    require(writer.ok() && writer.remaining() == 0);
    std::size_t end = 0;
    require(read_dns_name(again, end, false) == *name && end == again.size());
  }
  return 0;
}
