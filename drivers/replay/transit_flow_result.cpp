// What is said of it all: in words, in numbers, and packet by packet.
#include <fmt/format.h>

#include <algorithm>

#include "drivers/replay/ip_octets.h"
#include "drivers/replay/transit_flow.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kKeptLines = 20;

}  // namespace

void TransitFlow::count(const Difference& difference, std::string line) {
  ++counts_[&difference];
  if (!line.empty() && lines_.size() < kKeptLines) lines_.push_back(std::move(line));
}

// Why nothing stands beside what was put in; nullptr where something does, or nothing was.
const Difference* TransitFlow::missing(std::size_t side, std::size_t unit) const {
  if (!sides_[side].units[unit].was_put_in || sides_[side].units[unit].has_come_out) return nullptr;
  const bool may_miss = options_.fidelity != Fidelity::kExact && script_.units[side][unit].is_pure_ack;
  return may_miss ? &kTransitAckMissing : &kTransitLost;
}

std::map<const Difference*, std::uint64_t> TransitFlow::counts() const {
  auto counts = counts_;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::size_t i = sides_[side].low; i < sides_[side].units.size(); ++i)
      if (const Difference* const why = missing(side, i)) ++counts[why];
    if (sides_[side].stream.different() > 0) counts[&kTransitOctets] += sides_[side].stream.different();
  }
  return counts;
}

std::vector<std::string> TransitFlow::lines() const {
  std::vector<std::string> lines = lines_;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::size_t i = sides_[side].low; i < sides_[side].units.size() && lines.size() < kKeptLines; ++i) {
      if (missing(side, i) == &kTransitLost)
        lines.push_back(fmt::format("packet {}: {}",
                                    script_.packets[script_.units[side][i].packets.front()].number,
                                    kTransitLost.title));
    }
  }
  return lines;
}

PacketRecord TransitFlow::record_of(std::size_t side, const Carried& carried, std::uint64_t number,
                                    Duration time) const {
  std::vector<std::uint8_t> whole = carried.header;
  whole.insert(whole.end(), carried.transport.begin(), carried.transport.end());
  const CapturedPacket packet = captured(whole);
  PacketRecord record;
  if (const auto view = PacketView::parse(packet)) {
    std::int64_t sequence = 0, acknowledgment = 0;
    const auto &own = sides_[side].offsets, &other = sides_[1 - side].offsets;
    if (view->tcp && own) sequence = own->of(view->tcp->sequence);
    if (view->tcp && view->tcp->flags.ack && other)
      acknowledgment = other->of(view->tcp->acknowledgment - sides_[1 - side].shift.value_or(0));
    record = make_record(packet, *view, sequence, acknowledgment, 0);
  }
  if (carried.packets > 1) {  // the header is that of the first fragment
    record.is_fragment = true;
    record.length = static_cast<std::uint32_t>(carried.transport.size());
    record.digest = digest_of(carried.transport);
  }
  record.protocol = carried.protocol;
  record.number = number;
  record.time = script_.begin + time;
  record.is_ours = side == 0;
  return record;
}

std::vector<Rung> TransitFlow::rungs(std::size_t side) const {
  std::vector<Rung> rungs;
  const Side& from = sides_[side];
  auto extra = from.extras.begin();
  for (std::size_t i = 0; i <= from.units.size(); ++i) {
    for (; extra != from.extras.end() && extra->before == i; ++extra) rungs.push_back(extra->rung);
    if (i == from.units.size()) break;
    if (script_.units[side][i].packets.empty()) continue;  // a later fragment
    const Unit& unit = from.units[i];
    const TransitPacket& packet = script_.packets[script_.units[side][i].packets.front()];
    if (!unit.was_put_in) continue;
    Rung& rung = rungs.emplace_back(
        Rung{record_of(side, unit.in, packet.number, packet.time), unit.out, unit.differences});
    if (const Difference* const why = missing(side, i)) rung.differences.push_back(why);
  }
  return rungs;
}

Likeness TransitFlow::likeness() const {
  Likeness worst = state_ == LiveState::kDone ? Likeness::kSame : Likeness::kUnknown;
  for (const auto& [difference, number] : counts()) worst = std::max(worst, difference->verdict);
  return worst;
}

std::size_t TransitFlow::left() const {
  return sides_[0].order.size() - sides_[0].next + sides_[1].order.size() - sides_[1].next;
}

std::string TransitFlow::awaited() const {
  for (std::size_t side = 0; side < 2; ++side) {
    if (!is_blocked(side)) continue;
    const TransitPacket& packet = script_.packets[sides_[side].order[sides_[side].next]];
    const TransitUnit& awaited = script_.units[1 - side][packet.awaits - 1];
    const std::string_view which = awaited.packets.empty() ? "a fragment" : "packet";
    return fmt::format("{} {} at port {}; packet {} follows it", which,
                       awaited.packets.empty() ? 0 : script_.packets[awaited.packets.front()].number,
                       side + 1, packet.number);
  }
  return fmt::format("{} packets that were put in", [&] {
    std::size_t out = 0;
    for (const Side& side : sides_)
      out += static_cast<std::size_t>(std::ranges::count_if(
          side.units, [](const Unit& unit) { return unit.was_put_in && !unit.has_come_out; }));
    return out;
  }());
}

}  // namespace transom::drivers::replay
