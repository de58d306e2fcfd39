#include "stack/wire/arp.h"
#include "tests/fuzz/wire_fuzz.h"

using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_header<ArpPacket>({data, size}, [](const ArpPacket&) { return ArpPacket::kSize; });
  return 0;
}
