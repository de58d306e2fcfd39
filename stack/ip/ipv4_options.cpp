#include "stack/ip/ipv4_options.h"

#include "stack/wire/ipv4.h"

namespace transom::ip {

namespace {

// RFC 791 §3.1: the pointer counts from the option's first octet, from 1. It is legal up to one behind the
// option: "full".
bool is_legal_pointer(const wire::Ipv4Option& option, std::uint8_t smallest, std::size_t entry) {
  if (option.data.empty()) return false;
  const std::size_t pointer = option.data[0];
  const std::size_t length = option.data.size() + 2;
  return pointer >= smallest && (pointer - smallest) % entry == 0 && pointer <= length + 1;
}

bool is_legal(const wire::Ipv4Option& option) {
  constexpr std::uint8_t kFirstAddress = 4, kFirstTimestamp = 5;
  switch (option.type) {
    case wire::Ipv4Option::kRecordRoute:
      return is_legal_pointer(option, kFirstAddress, 4);
    case wire::Ipv4Option::kTimestamp:
      return option.data.size() >= 2 && is_legal_pointer(option, kFirstTimestamp, 4);
    default:
      return true;
  }
}

}  // namespace

Ipv4OptionsVerdict judge_ipv4_options(Bytes options) {
  wire::Ipv4OptionWalk walk(options);
  wire::Ipv4Option option;
  while (walk.next(option)) {
    if (option.type == wire::Ipv4Option::kLooseSourceRoute ||
        option.type == wire::Ipv4Option::kStrictSourceRoute)
      return Ipv4OptionsVerdict::kSourceRoute;
    if (!is_legal(option)) return Ipv4OptionsVerdict::kMalformed;
  }
  return walk.ok() ? Ipv4OptionsVerdict::kLegal : Ipv4OptionsVerdict::kMalformed;
}

bool may_send_ipv4_options(Bytes options) {
  constexpr std::size_t kMaxSize = wire::Ipv4Header::kMaxSize - wire::Ipv4Header::kMinSize;
  return options.size() <= kMaxSize && options.size() % 4 == 0 &&
         judge_ipv4_options(options) == Ipv4OptionsVerdict::kLegal;
}

}  // namespace transom::ip
