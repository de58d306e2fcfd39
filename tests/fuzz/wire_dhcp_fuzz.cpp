#include "stack/wire/dhcp.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> message(data, data + size);
  if (message.size() >= 240) {  // the fuzzer need not find these
    const std::uint8_t front[] = {static_cast<std::uint8_t>(1 + message[0] % 2), 1, 6};
    const std::uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
    std::copy(std::begin(front), std::end(front), message.begin());
    std::copy(std::begin(cookie), std::end(cookie), message.begin() + 236);
  }
  const auto parsed = DhcpMessage::parse(message);
  if (!parsed) return 0;
  require(parsed->routers.size() <= DhcpMessage::kMaxList &&
          parsed->dns_servers.size() <= DhcpMessage::kMaxList);
  const auto octets = written(*parsed, parsed->size());
  const auto again = DhcpMessage::parse(octets);
  require(again.has_value() && written(*again, again->size()) == octets);
  return 0;
}
