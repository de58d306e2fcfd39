#include "drivers/replay/transit_flow.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/ip_octets.h"
#include "drivers/replay/shifted_numbers.h"
#include "stack/wire/checksum.h"

namespace transom::drivers::replay {

namespace {

constexpr Duration kPatience = std::chrono::milliseconds(250);  // doubled each time, up to:
constexpr Duration kMaxPatience = std::chrono::seconds(1);
constexpr std::size_t kKeptPackets = 10;
constexpr std::size_t kKeptLines = 20;
constexpr std::size_t kKeptExtras = 4096;
constexpr std::size_t kWindow = 4096;  // of units that what comes out is looked for in

// The identifier of an echo as the other end has it; the editor maps ports alone.
void set_echo_identifier(MutableBytes octets, Port identifier) {
  const CapturedPacket packet = captured(octets);
  const auto view = PacketView::parse(packet);
  if (!view || view->transport_length < 8) return;
  const auto before = echo_identifier(packet, *view);
  if (!before || *before == to_number(identifier)) return;
  const std::size_t at = view->transport_offset;
  wire::ChecksumSum sum;  // RFC 1624 §3
  sum.add_u16(static_cast<std::uint16_t>(~u16_at(octets, at + 2)));
  sum.add_u16(static_cast<std::uint16_t>(~*before));
  sum.add_u16(to_number(identifier));
  put_u16(octets, at + 4, to_number(identifier));
  put_u16(octets, at + 2, sum.checksum());
}

}  // namespace

TransitFlow::TransitFlow(const TransitScript& script, const LiveOptions& options, Pacing& pacing,
                         const std::array<Endpoint, 2>& ends, PutIn put_in)
    : script_(script), options_(options), pacing_(pacing), ends_(ends), put_in_call_(std::move(put_in)) {
  for (std::size_t i = 0; i < script_.packets.size(); ++i) sides_[script_.packets[i].side].order.push_back(i);
  for (std::size_t side = 0; side < 2; ++side) {
    sides_[side].units.resize(script_.units[side].size());
    for (std::size_t i = 0; i < script_.units[side].size(); ++i)
      sides_[side].units[i].has_come_out = script_.units[side][i].packets.empty();
    advance(sides_[side]);
  }
}

void TransitFlow::start(Instant now) {
  anchor_ = last_progress_ = now;
  patience_ = kPatience;
  for (Side& side : sides_) side.last_step = side.heard_at = now;
  run(now);
}

Ends TransitFlow::seen(std::size_t side) const {
  return sides_[side].seen.value_or(Ends{ends_[side], ends_[1 - side]});
}

// ---------------------------------------------------------------- what is due

bool TransitFlow::is_heard(const TransitPacket& packet) const {
  return options_.when == When::kRecorded || packet.awaits <= sides_[1 - packet.side].reached;
}

bool TransitFlow::is_blocked(std::size_t side) const {
  const Side& own = sides_[side];
  return own.next < own.order.size() && !is_heard(script_.packets[own.order[own.next]]);
}

Instant TransitFlow::due(std::size_t side) const {
  const Side& own = sides_[side];
  const TransitPacket& packet = script_.packets[own.order[own.next]];
  const Instant instant = options_.when == When::kCausal
                              ? std::max(own.last_step, own.heard_at) + pacing_.gap(packet.think)
                              : anchor_ + pacing_.gap(packet.time);
  return std::max(instant, pacing_.earliest(anchor_));
}

void TransitFlow::run(Instant now) {
  if (state_ != LiveState::kRunning || anchor_ == kNever) return;
  for (std::size_t side = 0; side < 2; ++side) {
    Side& own = sides_[side];
    while (own.next < own.order.size() && !is_blocked(side) && due(side) <= now) {
      pacing_.took_step();
      put_in(script_.packets[own.order[own.next++]], now);
      own.last_step = last_progress_ = now;
    }
  }
  const bool awaits = wants_again(0) || wants_again(1);
  if (!awaits) {
    again_at_ = kNever;
    patience_ = kPatience;
  } else if (again_at_ == kNever) {
    again_at_ = now + patience_;
  } else if (again_at_ <= now) {
    put_in_again(now);
    patience_ = std::min(2 * patience_, kMaxPatience);
    again_at_ = now + patience_;
  }
  finish_if_done(now);
  if (state_ == LiveState::kRunning && stall_at() <= now) state_ = LiveState::kStalled;
}

// The other end waits for packets of TCP that have not come out, or all has been put in and they have not.
bool TransitFlow::wants_again(std::size_t side) const {
  if (options_.fidelity == Fidelity::kExact || script_.protocol != IpProtocol::kTcp) return false;
  const Side& own = sides_[side];
  if (is_blocked(1 - side)) return true;
  if (own.next < own.order.size()) return false;
  for (std::size_t i = own.low; i < own.units.size(); ++i)
    if (!own.units[i].has_come_out && !script_.units[side][i].is_pure_ack) return true;
  return false;
}

// Thinking is no stall.
Instant TransitFlow::stall_at() const {
  Instant stall = last_progress_ + options_.stall;
  for (std::size_t side = 0; side < 2; ++side) {
    if (sides_[side].next == sides_[side].order.size() || is_blocked(side)) continue;
    const Instant next = due(side);
    if (next == kNever) return kNever;
    stall = std::max(stall, next + options_.stall);
  }
  return stall;
}

Instant TransitFlow::next_deadline() const {
  if (state_ != LiveState::kRunning || anchor_ == kNever) return kNever;
  Instant next = std::min({stall_at(), again_at_, linger_until_});
  for (std::size_t side = 0; side < 2; ++side)
    if (sides_[side].next < sides_[side].order.size() && !is_blocked(side)) next = std::min(next, due(side));
  return next;
}

void TransitFlow::finish_if_done(Instant now) {
  bool is_on_its_way = false;
  for (std::size_t side = 0; side < 2; ++side) {
    const Side& own = sides_[side];
    if (own.next < own.order.size()) return;
    for (std::size_t i = own.low; i < own.units.size(); ++i) {
      const bool may_miss = options_.fidelity != Fidelity::kExact && script_.units[side][i].is_pure_ack;
      if (!own.units[i].has_come_out && !may_miss) return;
      is_on_its_way = is_on_its_way || !own.units[i].has_come_out;
    }
  }
  // What may be lost is waited for a little, lest it come out among the packets of the next loop.
  linger_until_ = is_on_its_way ? last_progress_ + kPatience : kNever;
  if (!is_on_its_way || now >= linger_until_) state_ = LiveState::kDone;
}

// ---------------------------------------------------------------- in

void TransitFlow::put_in(const TransitPacket& packet, Instant now) {
  const std::size_t side = packet.side;
  const Ends theirs = seen(1 - side);  // where the other end seems to be
  const Ends live{ends_[side], theirs.ours};
  std::vector<std::uint8_t> octets = packet.octets;
  EndpointChanges changes({script_.ends[side], script_.ends[1 - side]}, live);
  PacketEditor(changes).edit(captured(packet.octets), octets);
  if (script_.protocol == IpProtocol::kIcmp || script_.protocol == IpProtocol::kIcmpv6)
    set_echo_identifier(octets, live.theirs.port);

  auto view = PacketView::parse(captured(octets));
  if (view && view->tcp && sides_[1 - side].shift.value_or(0) != 0) {  // the end has seen other numbers
    shift_numbers(MutableBytes(octets).subspan(view->transport_offset), 0, *sides_[1 - side].shift);
    view = PacketView::parse(captured(octets));
  }
  Unit& unit = sides_[side].units[packet.unit];
  const bool is_joined = script_.units[side][packet.unit].is_joined;
  if (view) {
    const Bytes header = Bytes(octets).first(view->transport_offset);
    const Bytes transport = Bytes(octets).subspan(view->transport_offset);
    if (!unit.was_put_in || !is_joined) unit.in = {};
    const std::size_t end = view->fragment_offset + transport.size();
    if (is_joined && unit.in.transport.size() < end) unit.in.transport.resize(end);
    if (!is_joined) unit.in.transport.resize(transport.size());
    std::ranges::copy(transport, unit.in.transport.begin() + (is_joined ? view->fragment_offset : 0));
    if (!is_joined || view->fragment_offset == 0) unit.in.header.assign(header.begin(), header.end());
    unit.in.protocol = view->protocol;
    unit.in.packets = script_.units[side][packet.unit].packets.size();
    unit.in.is_fragment = view->is_fragment && !is_joined;
    if (view->tcp) {
      Side& own = sides_[side];
      // Of a connection that had begun before, the first octet that is seen is the first of all.
      if (!own.offsets) own.offsets = SequenceOffsets(view->tcp->sequence - (view->tcp->flags.syn ? 0 : 1));
      const std::int64_t at = own.offsets->of(view->tcp->sequence) + (view->tcp->flags.syn ? 1 : 0);
      if (!view->tcp->flags.rst) own.offsets->see(view->tcp->sequence + view->sequence_length());
      if (is_stream() && at >= 1)
        own.stream.add(StreamCheck::Side::kRecorded, static_cast<std::uint64_t>(at - 1), view->payload);
    }
  }
  unit.was_put_in = true;
  ++put_in_;
  note(fmt::format("> port {}: packet {}, {} octets", side + 1, packet.number, octets.size()), now);
  pacing_.sent(octets.size());
  put_in_call_(side, octets);
}

// All of TCP that has not come out, where somebody waits for it.
void TransitFlow::put_in_again(Instant now) {
  for (std::size_t side = 0; side < 2; ++side) {
    if (!wants_again(side)) continue;
    const Side& own = sides_[side];
    for (std::size_t i = 0; i < own.next; ++i) {
      const TransitPacket& packet = script_.packets[own.order[i]];
      if (own.units[packet.unit].has_come_out) continue;
      ++again_;
      put_in(packet, now);
    }
  }
}

// ---------------------------------------------------------------- out

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

// ---------------------------------------------------------------- in words and numbers

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

void TransitFlow::note(std::string line, Instant now) {
  if (last_packets_.size() >= kKeptPackets) last_packets_.pop_front();
  const double seconds = anchor_ == kNever ? 0.0 : std::chrono::duration<double>(now - anchor_).count();
  last_packets_.push_back(fmt::format("{:>10.6f} {}", seconds, line));
}

}  // namespace transom::drivers::replay
