// What comes out of the device: which of the packets that were put in it is, and what has become of that.
#include <fmt/format.h>

#include <algorithm>

#include "drivers/replay/ip_octets.h"
#include "drivers/replay/shifted_numbers.h"
#include "drivers/replay/transit_flow.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kKeptExtras = 4096;
constexpr std::size_t kWindow = 4096;  // of units that what comes out is looked for in

}  // namespace

std::optional<std::size_t> TransitFlow::find(const Side& from, const Carried& out) const {
  const std::size_t end = std::min(from.units.size(), from.low + kWindow);
  std::optional<std::size_t> alike;
  for (std::size_t i = from.low; i < end; ++i) {
    const Unit& unit = from.units[i];
    if (!unit.was_put_in || unit.has_come_out) continue;
    if (is_same(unit.in, out)) return i;
    if (!alike && is_alike(unit.in, out)) alike = i;
  }
  return alike;
}

std::optional<std::size_t> TransitFlow::find_shifted(std::size_t side, const Carried& out,
                                                     Shifted which) const {
  const Side& from = sides_[side];
  for (std::size_t i = from.low; i < std::min(from.units.size(), from.low + kWindow); ++i) {
    if (!from.units[i].was_put_in || from.units[i].has_come_out) continue;
    if (which == Shifted::kText && script_.units[side][i].is_pure_ack) continue;
    if (is_shifted(from.units[i].in, out, which == Shifted::kAnyAcknowledgment)) return i;
  }
  return std::nullopt;
}

bool TransitFlow::is_awaiting(std::size_t side, const Carried& out) const {
  const Side& from = sides_[side];
  for (std::size_t i = from.low; i < std::min(from.units.size(), from.low + kWindow); ++i)
    if (from.units[i].was_put_in && !from.units[i].has_come_out && is_same(from.units[i].in, out))
      return true;
  return false;
}

bool TransitFlow::is_awaiting_shifted(std::size_t side, const Ends& seen, const Carried& out) const {
  return !sides_[side].shift && seen.theirs == this->seen(side).theirs &&
         find_shifted(side, out, Shifted::kAny);
}

// What a device has added to sequence numbers is taken off again: of the packet's own, and of those that it
// acknowledges. The first of a direction tells how much that is.
Carried TransitFlow::in_numbers_put_in(std::size_t side, const Carried& out) {
  Carried plain = out;
  if (out.protocol != IpProtocol::kTcp || out.is_fragment) return plain;
  Side& from = sides_[side];
  shift_numbers(plain.transport, 0 - from.shift.value_or(0), sides_[1 - side].shift.value_or(0));
  if (from.shift) return plain;
  if (find(from, plain)) {
    from.shift = 0;
    return plain;
  }
  auto found = find_shifted(side, plain, Shifted::kAny);
  if (!found) found = find_shifted(side, plain, Shifted::kAnyAcknowledgment);
  if (found) {
    from.shift = shift_of(from.units[*found].in, plain);
    shift_numbers(plain.transport, 0 - *from.shift, 0);
  }
  return plain;
}

void TransitFlow::came_out(std::size_t side, const Ends& seen, const Carried& out, Instant now) {
  Side& from = sides_[side];
  note(fmt::format("< port {}: {} octets", 2 - side, out.header.size() + out.transport.size()), now);
  ++came_out_;
  const bool is_remapped = from.seen && (from.seen->ours != seen.ours || from.seen->theirs != seen.theirs);
  if (is_remapped) count(kTransitRemapped, fmt::format("the ends are {} and {} now", seen.ours, seen.theirs));
  from.seen = seen;
  Carried plain = in_numbers_put_in(side, out);
  if (is_stream()) take_stream(from, plain);
  auto found = find(from, plain);
  bool is_reshifted = false;
  if (!found && from.shift && (found = find_shifted(side, plain, Shifted::kText))) {
    is_reshifted = true;
    shift_numbers(plain.transport, 0 - shift_of(from.units[*found].in, plain), 0);
  }
  if (!found) {
    const bool is_again = std::ranges::any_of(
        from.units, [&](const Unit& unit) { return unit.has_come_out && is_same(unit.in, plain); });
    if (is_stream()) return run(now);    // in whatever segments: the stream tells
    if (is_again && again_ > 0) return;  // both have come through
    const Difference& difference = is_again ? kTransitTwice : kTransitAdded;
    if (from.extras.size() < kKeptExtras)
      from.extras.push_back(
          {from.low, {std::nullopt, record_of(side, plain, 0, now - anchor_), {&difference}}});
    return count(difference, fmt::format("{} octets at port {}: {}", out.header.size() + out.transport.size(),
                                         2 - side, difference.title));
  }
  Unit& unit = from.units[*found];
  const std::uint64_t number = script_.packets[script_.units[side][*found].packets.front()].number;
  const auto add = [&](const Difference& change, bool is_worth_a_line) {
    unit.differences.push_back(&change);
    count(change, is_worth_a_line ? fmt::format("packet {}: {}", number, change.title) : "");
  };
  if (is_remapped) unit.differences.push_back(&kTransitRemapped);
  if (is_reshifted) add(kTransitReshifted, true);
  if (!is_reshifted && from.shift.value_or(0) != 0) add(kTransitShifted, false);
  if (*found + 1 < from.reached && again_ == 0 && !is_stream()) add(kTransitOrder, true);
  const bool is_acknowledging_shifted = sides_[1 - side].shift.value_or(0) != 0;
  for (const Difference* change : changes_of(unit.in, plain, is_acknowledging_shifted))
    add(*change, change->verdict != Likeness::kLegal);
  unit.out = record_of(side, plain, number, now - anchor_);
  unit.has_come_out = true;
  from.reached = std::max(from.reached, *found + 1);
  advance(from);
  last_progress_ = sides_[1 - side].heard_at = now;
  again_at_ = kNever;
  patience_ = kPatience;
  run(now);
}

// What has come out without a gap counts, in whatever segments.
void TransitFlow::take_stream(Side& from, const Carried& out) {
  std::vector<std::uint8_t> whole = out.header;
  whole.insert(whole.end(), out.transport.begin(), out.transport.end());
  const auto view = PacketView::parse(captured(whole));
  if (!view || !view->tcp || view->tcp->flags.rst) return;
  if (!from.offsets) return;  // nothing was put in yet
  const std::int64_t at = from.offsets->of(view->tcp->sequence) + (view->tcp->flags.syn ? 1 : 0);
  if (at >= 1) from.stream.add(StreamCheck::Side::kActual, static_cast<std::uint64_t>(at - 1), view->payload);
  const auto reached = static_cast<std::int64_t>(from.stream.length(StreamCheck::Side::kActual)) + 1;
  const std::size_t side = &from == &sides_[0] ? 0 : 1;
  for (std::size_t i = from.low; i < from.units.size() && from.units[i].was_put_in; ++i) {
    const TransitUnit& unit = script_.units[side][i];
    const bool has_text = !unit.is_pure_ack && unit.end > 1;
    if (from.units[i].has_come_out || !has_text || unit.end > reached) continue;
    if (is_same(from.units[i].in, out)) continue;  // it is this one
    from.units[i].has_come_out = true;
    from.reached = std::max(from.reached, i + 1);
  }
  advance(from);
}

void TransitFlow::advance(Side& from) {
  while (from.low < from.units.size() && from.units[from.low].has_come_out) ++from.low;
  from.reached = std::max(from.reached, from.low);
}

void TransitFlow::refused(std::size_t side, Instant now) {
  count(kTransitRefused, fmt::format("port {}: {}", side + 1, kTransitRefused.title));
  note(fmt::format("< port {}: an error of the device", side + 1), now);
}

}  // namespace transom::drivers::replay
