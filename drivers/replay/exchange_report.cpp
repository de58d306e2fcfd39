#include "drivers/replay/exchange_report.h"

#include <algorithm>

namespace transom::drivers::replay {

namespace {

const Difference& difference_named(std::string_view id) {
  return **std::ranges::find_if(all_differences(), [&](const Difference* each) { return each->id == id; });
}

PacketRecord record_of(IpProtocol flow, const Saying& saying, std::uint64_t number) {
  PacketRecord record;
  record.number = number;
  const bool is_udp = saying.kind == "UDP";
  record.protocol = is_udp ? IpProtocol::kUdp : flow == IpProtocol::kIcmpv6 ? flow : IpProtocol::kIcmp;
  record.length = static_cast<std::uint32_t>(saying.octets.size());
  if (!is_udp && saying.octets.size() >= 2)
    record.kind = static_cast<std::uint16_t>(saying.octets[0] << 8 | saying.octets[1]);
  return record;
}

void add(Comparison& comparison, Rung rung) {
  if (rung.differences.empty()) ++comparison.same;
  for (const Difference* difference : rung.differences) ++comparison.counts[difference];
  comparison.rungs.push_back(std::move(rung));
}

}  // namespace

FlowReport report_of(const DatagramExchange& exchange, std::size_t number, std::size_t ours,
                     bool is_partial) {
  const DatagramScript& script = exchange.script();
  FlowReport report;
  report.number = number;
  report.flow.protocol = script.protocol;
  report.flow.ends[ours] = exchange.ours();
  report.flow.ends[1 - ours] = exchange.theirs();
  report.ours = ours;
  for (std::size_t i = 0; i < script.steps.size(); ++i) {
    const DatagramStep& step = script.steps[i];
    PacketRecord record;
    record.number = step.number;
    record.time = step.time;
    record.protocol = script.protocol;
    record.is_ours = true;
    record.is_fragment = step.is_fragment;
    record.length = static_cast<std::uint32_t>(step.octets.size());
    Rung rung{.recorded = record, .actual = std::nullopt, .differences = {}};
    if (i < exchange.steps_done()) {
      rung.actual = record;
    } else if (!is_partial) {
      rung.differences.push_back(&difference_named("no-answer"));
    }
    add(report.comparison, std::move(rung));
  }
  Comparison& peer = report.peer.emplace();
  for (std::size_t i = 0; i < script.expected.size(); ++i) {
    const ExpectedDatagram& expected = script.expected[i];
    Rung rung{.recorded = record_of(script.protocol, expected.saying, expected.number),
              .actual = std::nullopt,
              .differences = {}};
    const Arrival* const came = exchange.came(i);
    if (came != nullptr) rung.actual = record_of(script.protocol, came->saying, 0);
    const bool is_good = came != nullptr ? expected.equals(came->saying.octets) : is_partial;
    if (!is_good) rung.differences.push_back(&difference_named("datagram"));
    add(peer, std::move(rung));
  }
  for (std::uint64_t i = 0; i < exchange.added(); ++i) {
    PacketRecord record;
    record.protocol = script.protocol;
    add(peer,
        {.recorded = std::nullopt, .actual = record, .differences = {&difference_named("other-packet")}});
  }
  if (exchange.state() != LiveState::kDone && !is_partial)
    report.tcp.stall = "stalled; awaited: " + exchange.awaited();
  if (!exchange.are_equal() && !is_partial) report.least = Likeness::kUnknown;
  return report;
}

}  // namespace transom::drivers::replay
