#include "socket_api/kept_options.h"

#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include "socket_api/option_value.h"

namespace transom::sockets {

namespace {

struct Rule {
  int name;
  int lowest;
  int highest;
  int error;  // outside of that
  int initial;
  bool is_flag;  // shown as 0 or 1
};

constexpr std::array kRules{
    Rule{SO_DEBUG, INT_MIN, INT_MAX, 0, 0, true},
    Rule{SO_DONTROUTE, INT_MIN, INT_MAX, 0, 0, true},
    Rule{SO_PRIORITY, 0, 6, EPERM, 0, false},  // beyond is for CAP_NET_ADMIN
    Rule{SO_MARK, INT_MIN, INT_MAX, 0, 0, false},
    Rule{SO_BUSY_POLL, 0, INT_MAX, EINVAL, 0, false},
    Rule{SO_PREFER_BUSY_POLL, INT_MIN, INT_MAX, 0, 0, true},
    Rule{SO_INCOMING_CPU, INT_MIN, INT_MAX, 0, -1, false},
    Rule{SO_SELECT_ERR_QUEUE, INT_MIN, INT_MAX, 0, 0, true},
    Rule{SO_BSDCOMPAT, INT_MIN, INT_MAX, 0, 0, true},
};

}  // namespace

KeptOptions::KeptOptions() {
  static_assert(kRules.size() == kCount);
  std::ranges::transform(kRules, values_.begin(), &Rule::initial);
}

Outcome<void> KeptOptions::set(int name, Bytes value) {
  const auto rule = std::ranges::find(kRules, name, &Rule::name);
  if (rule == kRules.end()) return fail(ENOPROTOOPT);
  const auto number = read_option<int>(value);
  if (!number) return std::unexpected(number.error());
  if (*number < rule->lowest || *number > rule->highest) return fail(rule->error);
  values_[static_cast<std::size_t>(rule - kRules.begin())] = rule->is_flag ? int{*number != 0} : *number;
  return {};
}

Outcome<std::size_t> KeptOptions::get(int name, MutableBytes out) const {
  const auto rule = std::ranges::find(kRules, name, &Rule::name);
  if (rule == kRules.end()) return fail(ENOPROTOOPT);
  return write_int_option(out, values_[static_cast<std::size_t>(rule - kRules.begin())]);
}

}  // namespace transom::sockets
