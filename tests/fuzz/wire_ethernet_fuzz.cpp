#include "stack/wire/ethernet.h"
#include "tests/fuzz/wire_fuzz.h"

using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_header<EthernetHeader>({data, size}, [](const EthernetHeader& header) { return header.size(); });
  return 0;
}
