#include "drivers/replay/transit_replay.h"

#include <algorithm>

#include "drivers/replay/datagram_script.h"
#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/ip_octets.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kMaxFrames = 65536;  // that wait to be looked at
constexpr std::size_t kMaxPieces = 4096;

// Who sent it counts as ours.
Ends as_ends(const std::pair<Endpoint, Endpoint>& ends) { return {ends.first, ends.second}; }

}  // namespace

TransitReplay::TransitReplay(Host& host, const std::array<TransitPort, 2>& ports,
                             const std::map<std::size_t, TransitScript>& scripts,
                             const std::map<IpAddress, IpAddress>& addresses, const LiveSetup& setup)
    : host_(host),
      ports_(ports),
      scripts_(scripts),
      addresses_(addresses),
      setup_(setup),
      pacing_(setup.speed),
      stage_(host, setup_, [this] { start_loop(); }) {
  for (std::size_t port = 0; port < 2; ++port)
    interfaces_[port] = host_.link().interface(ports_[port].interface);
  host_.link().add_tap(*this);
  stage_.begin();
}

TransitReplay::~TransitReplay() { host_.link().remove_tap(*this); }

// The same ends each time: a device may take it for the same conversation, as it would have been.
void TransitReplay::start_loop() {
  const auto now = [this](Endpoint end) {
    if (const auto found = addresses_.find(end.address); found != addresses_.end())
      end.address = found->second;
    return end;
  };
  for (const auto& [number, script] : scripts_) {
    flows_.push_back(std::make_unique<TransitFlow>(
        script, setup_.options, pacing_, std::array{now(script.ends[0]), now(script.ends[1])},
        [this](std::size_t side, Bytes packet) { put_in(side, packet); }));
    TransitFlow& flow = *flows_.back();
    for (std::size_t side = 0; side < 2; ++side) {
      const Ends seen = flow.seen(side);
      current_.insert_or_assign(Key{side, script.protocol, seen.ours, seen.theirs}, &flow);
    }
    stage_.open_at(flow, host_.context().now + pacing_.gap(script.begin));
  }
}

bool TransitReplay::is_over() const {
  return (setup_.limit && pacing_.packets() >= *setup_.limit) || stage_.is_over();
}

void TransitReplay::allow(std::uint64_t packets) {
  pacing_.allow(packets);
  stage_.wake_all();
}

// ---------------------------------------------------------------- in

void TransitReplay::put_in(std::size_t side, Bytes packet) {
  if (interfaces_[side]->type() != link::LinkType::kEthernet) return send_frame(side, packet);
  std::vector<std::uint8_t> frame(wire::EthernetHeader::kSize + packet.size());
  wire::Writer writer(frame);
  const auto type = packet[0] >> 4 == 4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6;
  wire::EthernetHeader{ports_[side].next_hop, interfaces_[side]->mac(), {}, type}.write(writer);
  std::ranges::copy(packet, frame.begin() + wire::EthernetHeader::kSize);
  send_frame(side, frame);
}

void TransitReplay::send_frame(std::size_t port, Bytes frame) {
  if (Packet packet = host_.context().pool.copy_of(frame))
    (void)host_.link().send_frame(*interfaces_[port], std::move(packet));
}

// ---------------------------------------------------------------- out

void TransitReplay::on_frame(Direction direction, const link::Interface& interface, const Packet& frame) {
  if (direction != Direction::kIn || frames_.size() >= kMaxFrames) return;
  const std::size_t port = &interface == interfaces_[0] ? 0 : 1;
  if (&interface != interfaces_[port]) return;
  Frame& taken = frames_.emplace_back(Frame{port, std::vector<std::uint8_t>(frame.size())});
  frame.copy_out(0, taken.octets);
  frame_timer_.start(host_.context().timers, host_.context().now);
}

void TransitReplay::take_frames() {
  for (const Frame& frame : std::exchange(frames_, {})) {
    const link::Interface& interface = *interfaces_[frame.port];
    Bytes packet(frame.octets);
    if (interface.type() == link::LinkType::kEthernet) {
      if (const auto answer = Neighbours({}, interface.mac()).answer_to(packet)) {
        send_frame(frame.port, *answer);
        continue;
      }
      wire::Reader reader(packet);
      const auto header = wire::EthernetHeader::parse(reader);
      if (!header || header->destination != interface.mac()) continue;
      if (header->type != wire::EtherType::kIpv4 && header->type != wire::EtherType::kIpv6) continue;
      packet = reader.rest();
    }
    take(frame.port, packet);
  }
}

void TransitReplay::take(std::size_t port, Bytes octets) {
  const std::size_t side = 1 - port;  // that has put it in
  const CapturedPacket packet = captured(octets);
  const auto view = PacketView::parse(packet);
  if (!view || view->destination.is_multicast()) return;
  const Bytes header = octets.first(view->transport_offset);
  const Bytes transport = behind_ip(packet, *view);
  Carried out{.protocol = view->protocol,
              .header = {header.begin(), header.end()},
              .transport = {transport.begin(), transport.end()}};
  Ends ends = as_ends(ends_of(packet, *view));
  if (const auto quoted = quoted_by(view->protocol, transport)) {
    // Of the other end, about a packet that it got; else of the device.
    const Ends about = as_ends(ends_of(quoted->packet, quoted->view));
    const auto found = current_.find(Key{port, quoted->view.protocol, about.ours, about.theirs});
    const auto theirs = current_.find(Key{side, quoted->view.protocol, about.theirs, about.ours});
    TransitFlow* const flow = theirs != current_.end() ? theirs->second : nullptr;
    if (flow != nullptr && flow->is_awaiting(side, out)) {
      flow->came_out(side, flow->seen(side), out, host_.context().now);
      return stage_.look_at(*flow);
    }
    TransitFlow* refused = found != current_.end() ? found->second : flow;
    if (refused == nullptr) {
      ++strangers_;
      return;
    }
    refused->refused(port, host_.context().now);
    return stage_.look_at(*refused);
  }
  if (view->is_fragment) {
    out.is_fragment = true;
    if (view->fragment_offset == 0)
      if (TransitFlow* const flow = flow_of(side, view->protocol, ends, out);
          flow != nullptr && flow->is_awaiting(side, out)) {
        flow->came_out(side, ends, out, host_.context().now);
        return stage_.look_at(*flow);
      }
    if (pieces_[port].size() >= kMaxPieces) pieces_[port].clear();
    const auto [at, is_new] = pieces_[port].try_emplace(FragmentKey(*view));
    Carried& known = at->second;
    known.protocol = view->protocol;
    known.packets = is_new ? 1 : known.packets + 1;
    if (view->fragment_offset == 0 || known.header.empty()) known.header = out.header;
    const auto whole = joiners_[port].add(*view, transport);
    if (!whole) return;
    out = std::move(known);
    pieces_[port].erase(FragmentKey(*view));
    out.transport = *whole;
    out.is_fragment = false;
    if (view->protocol == IpProtocol::kUdp || view->protocol == IpProtocol::kTcp) {
      wire::Reader reader(*whole);
      ends.ours.port = Port{reader.u16()};
      ends.theirs.port = Port{reader.u16()};
    } else if (whole->size() >= 8) {
      wire::Reader reader(Bytes(*whole).subspan(4));
      ends.ours.port = ends.theirs.port = Port{reader.u16()};
    }
  }
  TransitFlow* const flow = flow_of(side, view->protocol, ends, out);
  if (flow == nullptr) {
    ++strangers_;
    return;
  }
  flow->came_out(side, ends, out, host_.context().now);
  stage_.look_at(*flow);
}

// By its ends, as they have been seen or as they were put in; else the flow that awaits just this, whose ends
// have been translated.
TransitFlow* TransitReplay::flow_of(std::size_t side, IpProtocol protocol, const Ends& ends,
                                    const Carried& out) {
  const Key key{side, protocol, ends.ours, ends.theirs};
  if (const auto found = current_.find(key); found != current_.end()) return found->second;
  const auto awaits = [&](const TransitFlow& flow, bool is_shifted) {
    if (flow.script().protocol != protocol) return false;
    return is_shifted ? flow.is_awaiting_shifted(side, ends, out) : flow.is_awaiting(side, out);
  };
  for (const bool is_shifted : {false, true}) {
    for (const auto& flow : flows_) {
      if (!awaits(*flow, is_shifted)) continue;
      current_.insert_or_assign(key, flow.get());
      return flow.get();
    }
  }
  return nullptr;
}

}  // namespace transom::drivers::replay
