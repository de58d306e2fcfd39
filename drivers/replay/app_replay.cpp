#include "drivers/replay/app_replay.h"

#include <algorithm>

namespace transom::drivers::replay {

AppReplay::AppReplay(Host& host, const std::map<std::size_t, TcpScript>& scripts, const LiveSetup& setup)
    : host_(host), scripts_(scripts), setup_(setup), pacing_(setup.speed) {
  begin_ = last_heard_ = host_.context().now;
  start_loop();
  on_readiness();
}

AppReplay::~AppReplay() {
  for (const auto& [port, listener] : listeners_) listener->close();
}

// The connections of the capture once more, a client's from other ports than before.
void AppReplay::start_loop() {
  const auto step = static_cast<std::uint16_t>(loops_done_ * scripts_.size());
  for (const auto& [flow, script] : scripts_) {
    if (!script.is_opener) {
      waiting_.push_back(&script);
      listen(setup_.port.value_or(script.ours.port));
    } else if (setup_.peer) {
      const Port local{static_cast<std::uint16_t>(to_number(script.ours.port) + step)};
      starting_.push_back(
          {host_.context().now + pacing_.gap(script.begin),
           &add(script),
           {{setup_.local, local}, {*setup_.peer, setup_.port.value_or(script.theirs.port)}}});
    }
  }
}

AppConnection& AppReplay::add(const TcpScript& script) {
  return *connections_.emplace_back(
      std::make_unique<AppConnection>(script, setup_.options, pacing_, [this] { on_readiness(); }));
}

void AppReplay::listen(Port port) {
  constexpr std::size_t kBacklog = 4096;
  if (listeners_.contains(port)) return;
  auto hold = host_.tcp().bind({.local = {setup_.local, port}, .reuse_address = true});
  if (!hold) return;
  tcp::Options options;
  options.no_delay = true;
  const auto listener = host_.tcp().listen(*hold, kBacklog, options);
  if (!listener) return;
  (*listener)->set_listener(this);
  listeners_.emplace(port, *listener);
}

// The next recorded connection to this port is played at whoever comes.
void AppReplay::accept() {
  for (const auto& [number, listener] : listeners_) {
    const Port port = number;
    while (const auto accepted = listener->accept()) {
      last_heard_ = host_.context().now;
      const auto script = std::ranges::find_if(waiting_, [&](const TcpScript* waiting) {
        return setup_.port.value_or(waiting->ours.port) == port;
      });
      if (script == waiting_.end()) {
        (*accepted)->abort();
        continue;
      }
      AppConnection& connection = add(**script);
      waiting_.erase(script);
      connection.take(**accepted, host_.context().now);
    }
  }
}

// TCP is in the midst of something: it is looked at behind that.
void AppReplay::on_readiness() { timer_.start(host_.context().timers, host_.context().now); }

void AppReplay::on_timer() {
  const Instant now = host_.context().now;
  accept();
  std::erase_if(starting_, [&](const Start& start) {
    if (start.when > now) return false;
    start.connection->connect(host_, start.tuple);
    return true;
  });
  for (const auto& connection : connections_) connection->run(now);
  const bool all_done = starting_.empty() && waiting_.empty() &&
                        std::ranges::all_of(connections_, [](const auto& each) { return each->is_done(); });
  if (all_done && (setup_.loops == 0 || loops_done_ + 1 < setup_.loops)) {
    ++loops_done_;
    start_loop();
  }
  Instant next = kNever;
  for (const Start& start : starting_) next = std::min(next, start.when);
  for (const auto& connection : connections_) next = std::min(next, connection->next_deadline());
  if (next != kNever && (!timer_.is_running() || next < timer_.deadline()))
    timer_.start(host_.context().timers, next);
}

bool AppReplay::has_running() const {
  return std::ranges::any_of(
      connections_, [](const auto& each) { return each->state() == AppConnection::State::kRunning; });
}

bool AppReplay::is_over() const {
  if (setup_.duration && host_.context().now - begin_ >= *setup_.duration) return true;
  return starting_.empty() && waiting_.empty() && !has_running();
}

bool AppReplay::has_waited_in_vain() const {
  return !waiting_.empty() && host_.context().now - last_heard_ >= setup_.options.stall && !has_running();
}

}  // namespace transom::drivers::replay
