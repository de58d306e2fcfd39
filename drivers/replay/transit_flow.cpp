#include "drivers/replay/transit_flow.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/ip_octets.h"
#include "drivers/replay/shifted_numbers.h"
#include "stack/wire/checksum.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kKeptPackets = 10;

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

void TransitFlow::note(std::string line, Instant now) {
  if (last_packets_.size() >= kKeptPackets) last_packets_.pop_front();
  const double seconds = anchor_ == kNever ? 0.0 : std::chrono::duration<double>(now - anchor_).count();
  last_packets_.push_back(fmt::format("{:>10.6f} {}", seconds, line));
}

}  // namespace transom::drivers::replay
