#include "drivers/replay/live_replay.h"

#include <algorithm>

#include "stack/tcp/segment.h"

namespace transom::drivers::replay {

LiveReplay::LiveReplay(Host& host, const std::map<std::size_t, TcpScript>& scripts, const LiveSetup& setup)
    : host_(host), scripts_(scripts), setup_(setup), pacing_(setup.speed) {
  host_.ip().register_transport(IpProtocol::kTcp, *this);
  begin_ = last_heard_ = host_.context().now;
  start_loop();
  settle();
}

// The connections of the capture once more, a client's from other ports than before.
void LiveReplay::start_loop() {
  const Instant now = host_.context().now;
  for (const auto& [flow, script] : scripts_) {
    if (!script.is_opener) {
      waiting_.push_back(&script);
      continue;
    }
    if (!setup_.peer) continue;
    tcp::FourTuple tuple{{setup_.local, script.ours.port},
                         {*setup_.peer, setup_.port.value_or(script.theirs.port)}};
    const auto step = static_cast<std::uint16_t>(loops_done_ * scripts_.size());
    tuple.local.port = Port{static_cast<std::uint16_t>(to_number(script.ours.port) + step)};
    LiveConnection& connection = connect(script, tuple);
    starting_.emplace_back(now + pacing_.gap(script.begin), &connection);
  }
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
      [this, tuple](const wire::TcpHeader& header, Bytes payload) { send(tuple, header, payload); }));
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
  return &connection;
}

void LiveReplay::receive(const ip::Received& received, Packet packet) {
  auto segment = tcp::parse_segment(host_.context(), received, std::move(packet));
  if (!segment) return;
  last_heard_ = host_.context().now;
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
  settle();
}

void LiveReplay::send(const tcp::FourTuple& tuple, const wire::TcpHeader& header, Bytes payload) {
  const auto destination = host_.ip().destination(tuple.remote.address);
  Packet packet = host_.context().pool.copy_of(payload);
  if (!destination || !packet) return;
  tcp::prepend_header(packet, header, tuple);
  (void)host_.ip().send(**destination, tuple.local.address, IpProtocol::kTcp, std::move(packet),
                        {.dont_fragment = true});
}

void LiveReplay::on_timer() {
  const Instant now = host_.context().now;
  std::erase_if(starting_, [&](const auto& start) {
    if (start.first > now) return false;
    start.second->start(now);
    return true;
  });
  for (const auto& connection : connections_) connection->run(now);
  settle();
}

void LiveReplay::settle() {
  const bool all_done = starting_.empty() && waiting_.empty() &&
                        std::ranges::all_of(connections_, [](const auto& each) { return each->is_done(); });
  if (all_done && (setup_.loops == 0 || loops_done_ + 1 < setup_.loops)) {
    ++loops_done_;
    start_loop();
  }
  Instant next = kNever;
  for (const auto& [instant, connection] : starting_) next = std::min(next, instant);
  for (const auto& connection : connections_) next = std::min(next, connection->next_deadline());
  if (next != kNever) {
    timer_.start(host_.context().timers, next);
  } else {
    timer_.cancel();
  }
  if (listener_ && is_over()) listener_();
}

bool LiveReplay::is_over() const {
  using State = LiveConnection::State;
  if (setup_.limit && pacing_.packets() >= *setup_.limit) return true;
  if (setup_.duration && host_.context().now - begin_ >= *setup_.duration) return true;
  bool all_ended = starting_.empty() && waiting_.empty();
  for (const auto& connection : connections_) all_ended = all_ended && connection->state() != State::kRunning;
  return all_ended;
}

bool LiveReplay::has_waited_in_vain() const {
  return !waiting_.empty() && host_.context().now - last_heard_ >= setup_.options.stall &&
         std::ranges::all_of(
             connections_, [](const auto& each) { return each->state() != LiveConnection::State::kRunning; });
}

}  // namespace transom::drivers::replay
