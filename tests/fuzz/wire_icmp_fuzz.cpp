#include "stack/wire/icmp.h"

#include "stack/wire/checksum.h"
#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  check_header<IcmpHeader>(input, [](const IcmpHeader&) { return IcmpHeader::kSize; });

  std::vector<std::uint8_t> message(input.begin(), input.end());
  if (message.size() < IcmpHeader::kSize) return 0;
  write_icmp_checksum(message);
  require(checksum(message) == 0);
  const IpAddress source = IpAddress::v6({0xfe, 0x80, data[0], data[1]});
  const IpAddress destination = IpAddress::v6({0x20, 0x01, data[2]});
  write_icmpv6_checksum(message, source, destination);
  auto sum =
      pseudo_header_sum(source, destination, IpProtocol::kIcmpv6, static_cast<std::uint32_t>(message.size()));
  sum.add(message);
  require(sum.checksum() == 0);
  return 0;
}
