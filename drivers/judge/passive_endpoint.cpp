#include "drivers/judge/passive_endpoint.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::judge {

std::string PassiveEndpoint::state_text() const {
  const auto least = tcp::to_string(at_least.state());
  const auto most = tcp::to_string(at_most.state());
  return least == most ? std::string(most) : fmt::format("{} or {}", least, most);
}

namespace {

// RFC 3168 §6.1.1, RFC 9768 §3.1: what the SYN-ACKs of `answering` say to the SYNs of `asking`.
Agreement::Ecn agreed_ecn(const PassiveEndpoint& asking, const PassiveEndpoint& answering) {
  using Ecn = Agreement::Ecn;
  const auto asks = [](const wire::TcpHeader& syn) {
    return !syn.flags.ack && syn.flags.ece && syn.flags.cwr;
  };
  if (!any_syn(asking, asks)) return Ecn::kNone;
  const bool asks_accurate = any_syn(asking, [](const wire::TcpHeader& syn) { return syn.flags.ae; });
  std::optional<Ecn> agreed;
  for (const wire::TcpHeader& answer : answering.syns) {
    if (!answer.flags.ack) continue;
    Ecn this_one = Ecn::kNone;
    if (answer.flags.ece && !answer.flags.cwr && !answer.flags.ae) this_one = Ecn::kClassic;
    if (asks_accurate && (answer.flags.ae || answer.flags.cwr)) this_one = Ecn::kAccurate;
    if (agreed && *agreed != this_one) return Ecn::kUnsure;
    agreed = this_one;
  }
  return agreed.value_or(Ecn::kNone);
}

}  // namespace

Agreement Agreement::of(const PassiveEndpoint& first, const PassiveEndpoint& second) {
  Agreement agreement;
  if (!first.is_from_start() || !second.is_from_start()) return agreement;
  agreement.is_known = true;
  const auto both = [&](auto has) { return any_syn(first, has) && any_syn(second, has); };
  agreement.scaled = both([](const wire::TcpHeader& syn) { return syn.options.window_scale.has_value(); });
  agreement.timestamps = both([](const wire::TcpHeader& syn) { return syn.options.timestamps.has_value(); });
  agreement.ecn = agreed_ecn(first, second);
  if (agreement.ecn == Ecn::kNone) agreement.ecn = agreed_ecn(second, first);
  return agreement;
}

std::uint32_t largest_segment(const PassiveEndpoint& receiver) {
  const std::uint32_t without_option = receiver.address.address.is_v4() ? 536 : 1220;
  std::uint32_t largest = 0;
  for (const wire::TcpHeader& syn : receiver.syns)
    largest = std::max<std::uint32_t>(largest, syn.options.maximum_segment_size.value_or(without_option));
  return largest;
}

}  // namespace transom::drivers::judge
