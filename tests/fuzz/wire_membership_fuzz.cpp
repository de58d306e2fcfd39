#include "stack/wire/membership.h"

#include "tests/fuzz/wire_fuzz.h"

using namespace transom;
using namespace transom::wire;

namespace {

template <typename Message>
void check_message(IpFamily family, const std::vector<std::uint8_t>& message) {
  const auto parsed = Message::parse(family, message);
  if (!parsed) return;
  const auto octets = written(*parsed, parsed->size());
  const auto again = Message::parse(family, octets);
  require(again.has_value() && written(*again, again->size()) == octets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> message(data, data + size);
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    check_message<MembershipQuery>(family, message);
    check_message<MembershipReport>(family, message);
    check_message<OldMembershipMessage>(family, message);
  }
  return 0;
}
