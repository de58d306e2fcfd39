#include "stack/wire/udp.h"
#include "tests/fuzz/wire_fuzz.h"

using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_header<UdpHeader>({data, size}, [](const UdpHeader&) { return UdpHeader::kSize; });
  return 0;
}
