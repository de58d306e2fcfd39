#include "drivers/replay/app_replay.h"

#include <algorithm>

namespace transom::drivers::replay {

AppReplay::AppReplay(Host& host, const LiveScripts& scripts, const LiveSetup& setup)
    : host_(host), scripts_(scripts), setup_(setup), pacing_(setup.speed), stage_(host, setup_, [this] {
        start_loop();
      }) {
  host_.link().add_tap(*this);
  stage_.begin();
}

AppReplay::~AppReplay() {
  host_.link().remove_tap(*this);
  for (const auto& [port, listener] : listeners_) listener->close();
}

// The connections of the capture once more, a client's from other ports than before.
void AppReplay::start_loop() {
  const auto step = static_cast<std::uint16_t>(stage_.loops_done() * scripts_.tcp.size());
  for (const auto& [flow, script] : scripts_.tcp) {
    if (!script.is_opener) {
      waiting_.push_back(&script);
      stage_.expect_peer();
      listen(setup_.port.value_or(script.ours.port));
      continue;
    }
    const auto ends = setup_.ends_for(script.ours.address.family());
    if (!ends) continue;
    const auto& [local, peer] = *ends;
    const Port port{static_cast<std::uint16_t>(to_number(script.ours.port) + step)};
    AppConnection& connection = add(script);
    const tcp::FourTuple tuple{{local, port}, {peer, setup_.port.value_or(script.theirs.port)}};
    connection.set_ends(host_, tuple);
    current_.insert_or_assign(tuple, &connection);
    stage_.open_at(connection, host_.context().now + pacing_.gap(script.begin));
  }
}

AppConnection& AppReplay::add(const TcpScript& script) {
  return *connections_.emplace_back(std::make_unique<AppConnection>(
      script, setup_.options, pacing_, [this](AppConnection& connection) { stage_.wake(connection); }));
}

void AppReplay::listen(Port port) {
  constexpr std::size_t kBacklog = 4096;
  if (listeners_.contains(port)) return;
  auto hold = host_.tcp().bind(
      {.local = {IpAddress::any(IpFamily::kIpv6), port}, .dual_stack = true, .reuse_address = true});
  if (!hold) return;
  tcp::Options options;
  options.no_delay = true;
  options.out_of_band_inline = true;
  // Who asked for fast open gets it.
  if (std::ranges::any_of(scripts_.tcp, [](const auto& entry) {
        return !entry.second.is_opener && entry.second.peer.syn_options.fast_open;
      }))
    options.fast_open_queue = kBacklog;
  const auto listener = host_.tcp().listen(*hold, kBacklog, options);
  if (!listener) return;
  (*listener)->set_listener(this);
  listeners_.emplace(port, *listener);
}

// TCP is in the midst of something: it is looked at behind that.
void AppReplay::on_readiness() { accept_timer_.start(host_.context().timers, host_.context().now); }

// The next recorded connection to this port is played at whoever comes.
void AppReplay::accept() {
  for (const auto& [number, listener] : listeners_) {
    const Port port = number;
    while (const auto accepted = listener->accept()) {
      stage_.heard();
      const auto script = std::ranges::find_if(waiting_, [&](const TcpScript* waiting) {
        return setup_.port.value_or(waiting->ours.port) == port;
      });
      if (script == waiting_.end()) {
        (*accepted)->abort();
        continue;
      }
      AppConnection& connection = add(**script);
      waiting_.erase(script);
      stage_.add(connection);
      stage_.peer_came();
      current_.insert_or_assign((*accepted)->tuple(), &connection);
      connection.take(**accepted, host_.context().now);
      stage_.look_at(connection);
    }
  }
}

// For the last packets of a stall.
void AppReplay::on_frame(Direction direction, const link::Interface& interface, const Packet& frame) {
  CapturedPacket captured;
  captured.link_type = interface.type() == link::LinkType::kEthernet ? LinkType::kEthernet : LinkType::kRaw;
  captured.octets = frame.head();
  captured.original_length = static_cast<std::uint32_t>(frame.size());
  const auto view = PacketView::parse(captured);
  if (!view || !view->tcp) return;
  const bool is_ours = direction == Direction::kOut;
  const Endpoint source{view->source, view->tcp->source_port},
      destination{view->destination, view->tcp->destination_port};
  const auto found =
      current_.find(is_ours ? tcp::FourTuple{source, destination} : tcp::FourTuple{destination, source});
  if (found == current_.end()) return;
  found->second->note(is_ours, *view->tcp, view->payload_length, host_.context().now);
}

void AppReplay::allow(std::uint64_t turns) {
  pacing_.allow(turns);
  stage_.wake_all();
}

}  // namespace transom::drivers::replay
