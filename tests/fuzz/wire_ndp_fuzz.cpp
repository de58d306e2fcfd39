#include "stack/wire/ndp.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

namespace {

template <typename Message>
void check_message(std::vector<std::uint8_t> message, Icmpv6Type type) {
  if (message.size() >= 2) {  // the fuzzer need not find these two
    message[0] = static_cast<std::uint8_t>(type);
    message[1] = 0;
  }
  const auto parsed = Message::parse(message);
  if (!parsed) return;
  require(parsed->options.prefix_count <= NdpOptions::kMaxPrefixes);
  const auto octets = written(*parsed, parsed->size());
  const auto again = Message::parse(octets);
  require(again.has_value() && written(*again, again->size()) == octets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> message(data, data + size);
  check_message<NeighborSolicitation>(message, Icmpv6Type::kNeighborSolicitation);
  check_message<NeighborAdvertisement>(message, Icmpv6Type::kNeighborAdvertisement);
  check_message<RouterSolicitation>(message, Icmpv6Type::kRouterSolicitation);
  check_message<RouterAdvertisement>(message, Icmpv6Type::kRouterAdvertisement);
  check_message<NdpRedirect>(message, Icmpv6Type::kRedirect);
  return 0;
}
