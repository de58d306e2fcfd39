#include "drivers/replay/live_replay.h"

#include <algorithm>

#include "drivers/replay/icmp_errors.h"
#include "drivers/replay/sent_fragments.h"
#include "stack/tcp/segment.h"

namespace transom::drivers::replay {

LiveReplay::LiveReplay(Host& host, const LiveScripts& scripts, const LiveSetup& setup)
    : host_(host),
      scripts_(scripts),
      setup_(setup),
      pacing_(setup.speed),
      stage_(host, setup_, [this] { start_loop(); }),
      datagrams_(host, scripts.datagrams, setup_, pacing_, stage_) {
  host_.ip().register_transport(IpProtocol::kTcp, *this);
  stage_.begin();
}

// The connections of the capture once more, a client's from other ports than before.
void LiveReplay::start_loop() {
  const Instant now = host_.context().now;
  const auto step = static_cast<std::uint16_t>(stage_.loops_done() * scripts_.tcp.size());
  for (const auto& [flow, script] : scripts_.tcp) {
    if (!script.is_opener) {
      waiting_.push_back(&script);
      stage_.expect_peer();
      continue;
    }
    const auto ends = setup_.ends_for(script.ours.address.family());
    if (!ends) continue;
    const auto& [local, peer] = *ends;
    const Port port{static_cast<std::uint16_t>(to_number(script.ours.port) + step)};
    LiveConnection& connection =
        connect(script, {{local, port}, {peer, setup_.port.value_or(script.theirs.port)}});
    stage_.open_at(connection, now + pacing_.gap(script.begin));
  }
  datagrams_.start_loop();
}

LiveConnection& LiveReplay::connect(const TcpScript& script, const tcp::FourTuple& tuple) {
  const auto initial = SeqNum(static_cast<std::uint32_t>(host_.context().random.next()));
  std::uint32_t mss = 1460;
  if (const auto destination = host_.ip().destination(tuple.remote.address)) {
    const std::uint32_t headers = tuple.remote.address.is_v4() ? 40 : 60;
    mss = host_.ip().path_mtu(**destination) - headers;
  }
  connections_.push_back(std::make_unique<LiveConnection>(
      script, setup_.options, pacing_, tuple, initial, mss,
      [this, tuple](const wire::TcpHeader& header, Bytes payload, std::span<const FragmentRange> fragments) {
        send(tuple, header, payload, fragments);
      }));
  connections_.back()->share_cookies(cookies_);
  connections_.back()->set_error_way(
      [this, tuple](std::vector<std::uint8_t> message) { send_error(tuple, std::move(message)); });
  current_.insert_or_assign(tuple, connections_.back().get());
  return *connections_.back();
}

// The next recorded connection to this port is played at whoever comes.
LiveConnection* LiveReplay::accept(const tcp::FourTuple& tuple) {
  const auto script = std::ranges::find_if(waiting_, [&](const TcpScript* waiting) {
    return setup_.port.value_or(waiting->ours.port) == tuple.local.port;
  });
  if (script == waiting_.end()) return nullptr;
  const TcpScript& chosen = **script;
  waiting_.erase(script);
  LiveConnection& connection = connect(chosen, tuple);
  connection.start(host_.context().now);
  stage_.peer_came();
  stage_.add(connection);
  return &connection;
}

void LiveReplay::receive(const ip::Received& received, Packet packet) {
  auto segment = tcp::parse_segment(host_.context(), received, std::move(packet));
  if (!segment) return;
  stage_.heard();
  const tcp::FourTuple tuple = segment->tuple();
  const auto found = current_.find(tuple);
  LiveConnection* connection = found == current_.end() ? nullptr : found->second;
  const wire::TcpFlags& flags = segment->header.flags;
  if (connection == nullptr && flags.syn && !flags.ack && !flags.rst) connection = accept(tuple);
  if (connection == nullptr) {
    tcp::send_reset_for(host_.context(), host_.ip(), *segment);
    return;
  }
  std::vector<std::uint8_t> payload(segment->packet.size());
  segment->packet.copy_out(0, payload);
  connection->receive(segment->header, payload, host_.context().now);
  stage_.look_at(*connection);
}

void LiveReplay::send(const tcp::FourTuple& tuple, const wire::TcpHeader& header, Bytes payload,
                      std::span<const FragmentRange> fragments) {
  const auto destination = host_.ip().destination(tuple.remote.address);
  Packet packet = host_.context().pool.copy_of(payload);
  if (!destination || !packet) return;
  tcp::prepend_header(packet, header, tuple);
  if (!fragments.empty())
    return send_fragments(host_, **destination, tuple.local.address, IpProtocol::kTcp, std::move(packet),
                          fragments);
  (void)host_.ip().send(**destination, tuple.local.address, IpProtocol::kTcp, std::move(packet),
                        {.dont_fragment = true});
}

void LiveReplay::send_error(const tcp::FourTuple& tuple, std::vector<std::uint8_t> message) {
  const IpAddress &from = tuple.local.address, &to = tuple.remote.address;
  const IpProtocol protocol = from.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6;
  fill_in_icmp_checksum(protocol, from, to, message);
  const auto destination = host_.ip().destination(to);
  Packet packet = host_.context().pool.copy_of(message);
  if (destination && packet) (void)host_.ip().send(**destination, from, protocol, std::move(packet));
}

bool LiveReplay::icmp_error(const ip::IcmpError& error) {
  wire::Reader reader(error.transport);
  const Port source{reader.u16()}, destination{reader.u16()};
  const SeqNum sequence(reader.u32());
  const auto found = current_.find({{error.source, source}, {error.destination, destination}});
  if (!reader.ok() || found == current_.end()) return false;
  const bool is_used = found->second->take_error(error, sequence, host_.context().now);
  stage_.look_at(*found->second);
  return is_used;
}

void LiveReplay::allow(std::uint64_t steps) {
  pacing_.allow(steps);
  stage_.wake_all();
}

bool LiveReplay::is_over() const {
  return (setup_.limit && pacing_.packets() >= *setup_.limit) || stage_.is_over();
}

}  // namespace transom::drivers::replay
