#include "drivers/replay/live_datagrams.h"

#include <algorithm>

#include "drivers/replay/group_flows.h"
#include "drivers/replay/ip_octets.h"
#include "stack/ip/groups.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kMaxIcmp = 4096;  // messages that wait to be looked at

constexpr std::array<std::pair<IpFamily, IpProtocol>, 3> kIcmp{{{IpFamily::kIpv4, IpProtocol::kIcmp},
                                                                {IpFamily::kIpv4, IpProtocol::kIgmp},
                                                                {IpFamily::kIpv6, IpProtocol::kIcmpv6}}};

// A group is the same everywhere, all hosts are those of the live network.
Endpoint now(const Endpoint& group) {
  if (group.address.is_multicast()) return group;
  return {IpAddress::v4(255, 255, 255, 255), group.port};
}

// Recorded, and as it has come.
bool is_same_group(const Endpoint& recorded, const Arrival& arrival) {
  const IpAddress& live = arrival.local.address;
  const bool is_same =
      recorded.address.is_multicast() ? live == recorded.address : !arrival.is_to_one && !live.is_multicast();
  return is_same && recorded.port == arrival.local.port;
}

std::vector<std::uint8_t> octets_of(const Packet& packet) {
  std::vector<std::uint8_t> octets(packet.size());
  packet.copy_out(0, octets);
  return octets;
}

}  // namespace

LiveDatagrams::LiveDatagrams(Host& host, const std::map<std::size_t, DatagramScript>& scripts,
                             const LiveSetup& setup, Pacing& pacing, LiveStage& stage)
    : host_(host), scripts_(scripts), setup_(setup), pacing_(pacing), stage_(stage) {
  if (scripts_.empty()) return;
  host_.ip().register_transport(IpProtocol::kUdp, *this);
  for (const auto& [family, protocol] : kIcmp) host_.ip().raw_receivers().add(family, protocol, *this);
  for (const auto& [flow, script] : scripts_)
    if (script.is_echo() && !script.is_opener && !script.group) host_.ip().config().answer_echo = false;
  join_groups();
}

void LiveDatagrams::join_groups() {
  for (const auto& [flow, script] : scripts_) {
    if (!script.group || script.is_echo() || !script.group->address.is_multicast()) continue;
    const auto destination = host_.ip().destination(script.group->address);
    if (!destination) continue;
    if (!member_) member_.emplace(host_.ip().groups());
    (void)member_->join((*destination)->interface->id(), script.group->address);  // else it is a member
  }
}

LiveDatagrams::~LiveDatagrams() {
  if (scripts_.empty()) return;
  host_.ip().register_transport(IpProtocol::kUdp, host_.udp());
  for (const auto& [family, protocol] : kIcmp) host_.ip().raw_receivers().remove(family, protocol, *this);
}

// The exchanges of the capture once more, a client's from other ports than before.
void LiveDatagrams::start_loop() {
  const Instant now = host_.context().now;
  const auto shift = static_cast<std::uint16_t>(stage_.loops_done() * scripts_.size());
  for (const auto& [flow, script] : scripts_) {
    const auto local = setup_.local_of(script.ours.address.family());
    const auto peer = setup_.peer_of(script.theirs.address.family());
    if (!script.is_opener) {
      waiting_.push_back(&script);
      stage_.expect_peer();
    } else if (script.group) {
      ask_many(script, shift);
    } else if (local && peer) {
      Endpoint ours{*local, script.ours.port}, theirs{*peer, script.theirs.port};
      if (script.protocol == IpProtocol::kUdp) {
        ours.port = Port{static_cast<std::uint16_t>(to_number(script.ours.port) + shift)};
        theirs.port = setup_.port.value_or(script.theirs.port);
      }
      stage_.open_at(add(script, ours, theirs), now + pacing_.gap(script.begin));
    }
  }
}

// What is of the link comes from the link's address of ours.
IpAddress LiveDatagrams::local_among(const DatagramScript& script, const IpAddress& otherwise) const {
  if (!script.ours.address.is_link_local() || !script.group) return otherwise;
  const auto destination = host_.ip().destination(script.group->address);
  if (!destination) return otherwise;
  for (const link::InterfaceAddress& address : (*destination)->interface->addresses())
    if (address.prefix.address.family() == otherwise.family() && address.prefix.address.is_link_local())
      return address.prefix.address;
  return otherwise;
}

void LiveDatagrams::ask_many(const DatagramScript& script, std::uint16_t shift) {
  const auto local = setup_.local_of(script.ours.address.family());
  if (!local) return;
  Endpoint ours{local_among(script, *local), script.ours.port}, group = now(*script.group);
  const bool is_udp = script.protocol == IpProtocol::kUdp;
  // Who speaks from the group's port keeps it.
  if (is_udp && ours.port != group.port)
    ours.port = Port{static_cast<std::uint16_t>(to_number(ours.port) + shift)};
  if (is_udp) group.port = setup_.port.value_or(group.port);
  DatagramExchange& exchange = add(script, ours, group);
  asking_many_.insert_or_assign({script.protocol, is_udp ? ours : Endpoint{}, {}}, &exchange);
  if (is_udp) asking_many_.insert_or_assign({script.protocol, group, {}}, &exchange);
  stage_.open_at(exchange, host_.context().now + pacing_.gap(script.begin));
}

DatagramExchange& LiveDatagrams::add(const DatagramScript& script, const Endpoint& ours,
                                     const Endpoint& theirs) {
  const auto identification = static_cast<std::uint32_t>(host_.context().random.next());
  exchanges_.push_back(std::make_unique<DatagramExchange>(script, setup_.options, pacing_, ours, theirs,
                                                          identification, *this));
  current_.insert_or_assign(Key{script.protocol, ours, theirs}, exchanges_.back().get());
  return *exchanges_.back();
}

// Of the recorded exchanges with this port the next that begins with what has come; else the next.
DatagramExchange* LiveDatagrams::accept(const Arrival& arrival) {
  const auto fits = [&](const DatagramScript* script) {
    if (script->protocol != arrival.protocol) return false;
    if (script->group && !is_same_group(*script->group, arrival)) return false;
    if (script->group) return script->expected.front().saying.kind == arrival.saying.kind;
    return script->is_echo() ? script->expected.front().saying.kind == arrival.saying.kind
                             : setup_.port.value_or(script->ours.port) == arrival.local.port;
  };
  auto chosen = std::ranges::find_if(waiting_, [&](const DatagramScript* script) {
    return fits(script) && script->expected.front().equals(arrival.saying.octets);
  });
  if (chosen == waiting_.end()) chosen = std::ranges::find_if(waiting_, fits);
  if (chosen == waiting_.end()) return nullptr;
  const DatagramScript& script = **chosen;
  waiting_.erase(chosen);
  Endpoint ours = arrival.local;
  if (script.group) {
    const auto local = setup_.local_of(script.ours.address.family());
    if (!local) return nullptr;
    ours = {local_among(script, *local), script.ours.port};
  }
  DatagramExchange& exchange = add(script, ours, arrival.remote);
  current_.insert_or_assign({arrival.protocol, arrival.local, arrival.remote}, &exchange);
  exchange.start(host_.context().now);
  stage_.peer_came();
  stage_.add(exchange);
  return &exchange;
}

// False when it is of no exchange.
bool LiveDatagrams::take(const Arrival& arrival) {
  const auto found = current_.find({arrival.protocol, arrival.local, arrival.remote});
  DatagramExchange* exchange = found == current_.end() ? nullptr : found->second;
  if (exchange == nullptr) {
    const bool is_udp = arrival.protocol == IpProtocol::kUdp;
    const bool is_echo = is_icmp(arrival.protocol) && !arrival.saying.kind.starts_with("MLD");
    const auto asking = asking_many_.find({arrival.protocol, is_udp ? arrival.local : Endpoint{}, {}});
    if (asking != asking_many_.end() && !is_echo) exchange = asking->second;
  }
  if (exchange == nullptr || (exchange->state() != LiveState::kRunning && !exchange->script().is_opener)) {
    if (DatagramExchange* const other = accept(arrival)) exchange = other;
  }
  if (exchange == nullptr) return false;
  stage_.heard();
  exchange->receive(arrival, host_.context().now);
  stage_.look_at(*exchange);
  return true;
}

// ---------------------------------------------------------------- from the Host

void LiveDatagrams::receive(const ip::Received& received, Packet packet) {
  packet.prepend(received.header_size);
  Arrival arrival;
  arrival.protocol = received.protocol;
  arrival.packet = octets_of(packet);
  arrival.header_size = received.header_size;
  const CapturedPacket whole = captured(arrival.packet);
  const auto view = PacketView::parse(whole);
  const auto saying = saying_of(received.protocol, Bytes(arrival.packet).subspan(received.header_size));
  const bool is_vouched = packet.info().checksum != ChecksumState::kUnknown;
  if (!view || !view->udp || !saying || (view->transport_checksum == ChecksumVerdict::kBad && !is_vouched))
    return;
  arrival.is_to_one = received.to_unicast;
  arrival.local = {received.destination, view->udp->destination_port};
  arrival.remote = {received.source, view->udp->source_port};
  arrival.saying = *saying;
  if (take(arrival)) return;
  packet.trim_front(received.header_size);
  host_.ip().send_port_unreachable(received, packet);
}

bool LiveDatagrams::icmp_error(const ip::IcmpError& error) {
  wire::Reader reader(error.transport);
  const auto header = wire::UdpHeader::parse(reader);
  return header && current_.contains({IpProtocol::kUdp,
                                      {error.source, header->source_port},
                                      {error.destination, header->destination_port}});
}

// Looked at when the Host is done with it.
bool LiveDatagrams::on_packet(const ip::Received& /*received*/, const Packet& packet) {
  if (icmp_.size() >= kMaxIcmp) return false;
  icmp_.push_back(octets_of(packet));
  icmp_timer_.start(host_.context().timers, host_.context().now);
  return true;
}

void LiveDatagrams::take_icmp() {
  for (std::vector<std::uint8_t>& packet : std::exchange(icmp_, {})) {
    const CapturedPacket whole = captured(packet);
    const auto view = PacketView::parse(whole);
    if (!view || view->transport_checksum == ChecksumVerdict::kBad) continue;
    const Bytes message = whole.octets.subspan(view->transport_offset);
    if (is_about_groups(view->protocol, message) && !is_group_query(view->protocol, message)) continue;
    const auto saying = saying_of(view->protocol, message);
    if (!saying) continue;
    Arrival arrival;
    arrival.header_size = view->transport_offset;
    arrival.saying = *saying;
    if (const auto quoted = quoted_by(view->protocol, message)) {
      // About a packet of ours, whoever says it.
      arrival.protocol = quoted->view.protocol;
      std::tie(arrival.local, arrival.remote) = ends_of(quoted->packet, quoted->view);
    } else {
      arrival.protocol = view->protocol;
      std::tie(arrival.remote, arrival.local) = ends_of(whole, *view);
    }
    arrival.packet = std::move(packet);
    (void)take(arrival);
  }
}

// ---------------------------------------------------------------- to the Host

bool LiveDatagrams::send_packet(Bytes octets, const IpAddress& to) {
  const auto destination = host_.ip().destination(to);
  const auto view = PacketView::parse(captured(octets));
  if (!destination || !view) return false;
  if (octets.size() > host_.ip().path_mtu(**destination) && !view->is_fragment)
    return send_message(view->protocol, view->source, to, octets.subspan(view->transport_offset));
  Packet packet = host_.context().pool.copy_of(octets);
  return packet && host_.ip().send_with_header(**destination, std::move(packet)).has_value();
}

bool LiveDatagrams::send_message(IpProtocol protocol, const IpAddress& from, const IpAddress& to,
                                 Bytes message) {
  const auto destination = host_.ip().destination(to);
  Packet packet = host_.context().pool.copy_of(message);
  if (!destination || !packet) return false;
  return host_.ip().send(**destination, from, protocol, std::move(packet)).has_value();
}

}  // namespace transom::drivers::replay
