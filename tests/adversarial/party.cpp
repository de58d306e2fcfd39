#include "tests/adversarial/party.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::test {

using std::chrono::milliseconds;

Party::Party(drivers::sim::Node& node, PartyContext& context, const Flow& flow, bool is_client,
             std::string name)
    : Application(node),
      node_(node),
      context_(context),
      flow_(flow),
      is_client_(is_client),
      name_(std::move(name)),
      random_(context.simulation.random().key()),
      to_write_(is_client ? flow.octets : flow.reply) {}

void Party::set_peer(Party& peer, const Endpoint& server) {
  peer_ = &peer;
  server_ = server;
}

tcp::Options Party::options() const {
  tcp::Options options;
  options.no_delay = flow_.no_delay != 0;
  options.cork = flow_.cork != 0;
  options.quick_ack = flow_.quick_ack != 0;
  options.out_of_band_inline = flow_.urgent_in_line != 0;
  options.send_buffer = flow_.send_buffer;
  options.receive_buffer = flow_.receive_buffer;
  options.max_segment = static_cast<std::uint16_t>(std::min(flow_.max_segment, 65535U));
  options.max_pacing_rate = std::uint64_t{flow_.pacing} * 1000;
  options.user_timeout = flow_.user_timeout;
  if (flow_.not_sent_low_water != 0) options.not_sent_low_water = flow_.not_sent_low_water;
  if (flow_.keep_alive != 0) {
    options.keep_alive = true;
    options.keep_idle = 1;
    options.keep_interval = 2;
  }
  if (is_client_ && flow_.ending == static_cast<std::uint32_t>(Ending::kClientLingers)) options.linger = 0;
  options.congestion_control = node_.host().tcp().congestion_control(congestion_word(flow_.cc));
  return options;
}

bool Party::is_actor(Ending client, Ending server) const {
  return flow_.ending == static_cast<std::uint32_t>(is_client_ ? client : server);
}

// Besides what the Flow brings with it: a listener that was too full has turned somebody away, and after a
// cookie a lost acknowledgment may leave the client alone.
bool Party::may_fail() const {
  const Party& server = is_client_ ? *peer_ : *this;
  const Counters& counters = server.node_of().host().counters();
  if (counters[Counter::kTcpExtListenDrops] + counters[Counter::kTcpExtListenOverflows] +
          counters[Counter::kTcpExtSyncookiesSent] >
      0)
    return true;
  switch (static_cast<Ending>(flow_.ending)) {
    case Ending::kPolite:
    case Ending::kNobodyListens:
      return flow_.user_timeout != 0 || flow_.keep_alive != 0;
    default:  // whoever is deaf and has finished resets what still comes
      return true;
  }
}

void Party::open() {
  has_begun_ = true;
  tcp::PortHold none;
  const auto made = node().host().tcp().connect(none, server_, options());
  if (!made) {
    context_.judge.violate("connect", fmt::format("{}: {}", name_, to_string(made.error())));
    is_done_ = true;
    return;
  }
  take(**made);
}

void Party::adopt(tcp::Connection& connection) {
  has_begun_ = true;
  take(connection);
  on_readiness();
}

void Party::take(tcp::Connection& connection) {
  connection_ = &connection;
  tuple_ = connection.tuple();
  out_ = Stream(context_.seed, tuple_.local, tuple_.remote);
  in_ = Stream(context_.seed, tuple_.remote, tuple_.local);
  connection.set_listener(this);
  ++context_.changes;
  if (context_.patient_until > context_.simulation.now())
    context_.simulation.wake_at(context_.patient_until, *this);
}

Duration Party::slow(std::uint32_t gap) const {
  return context_.simulation.now() < context_.good_from ? Duration(milliseconds(gap)) : Duration::zero();
}

void Party::run() {
  if (is_done_) return;
  if (connection_ == nullptr && is_client_) open();
  if (connection_ == nullptr) return;
  if (may_fail() && context_.simulation.now() >= context_.patient_until) {
    connection_->abort();
    let_go();
    return;
  }
  if (!is_done_) write();
  if (!is_done_) read();
  if (!is_done_) end_as_planned();
}

void Party::write() {
  const Instant now = context_.simulation.now();
  while (written_ < to_write_ && now >= next_write_) {
    const std::uint64_t octets =
        std::min<std::uint64_t>(to_write_ - written_, 1 + random_.below(std::max(flow_.chunk, 1U)));
    buffer_.resize(static_cast<std::size_t>(octets));
    out_.fill(written_, buffer_);
    tcp::SendFlags flags;
    flags.urgent = flow_.urgent != 0 && random_.below(flow_.urgent) < octets;
    flags.more = flow_.more != 0 && random_.below(2) == 0;
    const Bytes piece(buffer_);
    const auto taken = connection_->send({&piece, 1}, flags);
    if (!taken && taken.error() == Error::kWouldBlock) break;
    if (!taken) return fail(taken.error());
    written_ += *taken;
    if (flags.urgent && *taken == octets) urgents_.push_back(written_ - 1);
    if (slow(flow_.write_gap) > Duration::zero()) {
      next_write_ = now + slow(flow_.write_gap);
      context_.simulation.wake_at(next_write_, *this);
    }
  }
  const auto state = connection_->state();
  const bool is_connected = state != tcp::State::kSynSent && state != tcp::State::kSynReceived;
  if (written_ == to_write_ && is_connected && !has_shut_) {
    has_shut_ = true;
    connection_->shutdown_send();
  }
}

void Party::read() {
  if (is_deaf_) return wait_for_peer();
  const Instant now = context_.simulation.now();
  while (!has_ended_ && now >= next_read_) {
    if (flow_.urgent_in_line == 0 && flow_.urgent != 0) read_urgent();
    buffer_.resize(std::max(flow_.read_chunk, 1U));
    const auto got = connection_->receive(buffer_);
    if (!got && got.error() == Error::kWouldBlock) break;
    if (!got) return fail(got.error());
    if (*got == 0) return on_end_of_stream();
    check(Bytes(buffer_).first(*got));
    read_ += *got;
    if (slow(flow_.read_gap) > Duration::zero()) {
      next_read_ = now + slow(flow_.read_gap);
      context_.simulation.wake_at(next_read_, *this);
    }
  }
}

// Who has shut its receiving side down throws away what still comes, and waits for the peer to finish.
void Party::wait_for_peer() {
  buffer_.resize(std::max(flow_.read_chunk, 1U));
  while (connection_->receive(buffer_).value_or(0) > 0) {
  }
  if (connection_->readiness().error) return fail(connection_->take_error());
  switch (connection_->state()) {
    case tcp::State::kCloseWait:
    case tcp::State::kLastAck:
    case tcp::State::kClosing:
    case tcp::State::kTimeWait:
    case tcp::State::kClosed:
      has_ended_ = true;
      break;
    default:
      break;
  }
}

void Party::read_urgent() {
  const auto octet = connection_->receive_urgent();
  if (!octet) return;
  const bool is_one = std::ranges::any_of(peer_->urgents_,
                                          [&](std::uint64_t position) { return in_.at(position) == *octet; });
  if (!is_one)
    context_.judge.violate("urgent", fmt::format("{}: {} at {} is no urgent octet, those at {} are", name_,
                                                 *octet, read_, fmt::join(peer_->urgents_, " ")));
}

void Party::check(Bytes octets) {
  std::vector<std::uint64_t> next;
  for (std::uint64_t place : places_) {
    for (;;) {
      if (in_.matches(place, octets)) next.push_back(place + octets.size());
      const bool may_skip = flow_.urgent_in_line == 0 && std::ranges::binary_search(peer_->urgents_, place);
      if (!may_skip) break;
      ++place;
    }
  }
  std::ranges::sort(next);
  next.erase(std::unique(next.begin(), next.end()), next.end());
  if (next.empty()) {
    context_.judge.violate("stream delivered",
                           fmt::format("{}: the {} octets read at {} are not those written", name_,
                                       octets.size(), places_.front()));
    next = {places_.front() + octets.size()};
  }
  places_ = std::move(next);
}

void Party::on_end_of_stream() {
  has_ended_ = true;
  if (flow_.urgent_in_line == 0) {
    for (std::uint64_t& place : places_)
      while (std::ranges::binary_search(peer_->urgents_, place)) ++place;
  }
  const bool is_all = std::ranges::find(places_, peer_->written_) != places_.end();
  if (!is_all || !(peer_->has_shut_ || peer_->is_done_))
    context_.judge.violate("stream delivered", fmt::format("{}: it ended after {} octets, {} were written",
                                                           name_, places_.back(), peer_->written_));
}

void Party::end_as_planned() {
  if (written_ + read_ >= flow_.ending_at && connection_->state() != tcp::State::kSynSent) {
    if (is_actor(Ending::kClientAborts, Ending::kServerAborts)) {
      connection_->abort();
      return let_go();
    }
    const bool lingers = is_client_ && flow_.ending == static_cast<std::uint32_t>(Ending::kClientLingers);
    if (lingers || is_actor(Ending::kClientCloses, Ending::kServerCloses)) {
      connection_->close();
      return let_go();
    }
    if (is_actor(Ending::kClientDeaf, Ending::kServerDeaf) && !is_deaf_) {
      is_deaf_ = true;
      connection_->shutdown_receive();
    }
  }
  if (has_shut_ && has_ended_) {
    connection_->close();
    let_go();
  }
}

void Party::fail(Error error) {
  has_failed_ = true;
  const bool is_refused = flow_.ending == static_cast<std::uint32_t>(Ending::kNobodyListens) &&
                          error == Error::kConnectionRefused;
  // Who cannot find its neighbour is told so at once (RFC 1122 §3.2.2.1 leaves that to the host itself).
  const bool is_unreachable = error == Error::kHostUnreachable && tuple_.remote != Endpoint{} && read_ == 0;
  if (!may_fail() && !is_refused && !is_unreachable)
    context_.judge.violate("connection failed",
                           fmt::format("{}: {}; {}", name_, to_string(error), describe()));
  connection_->close();
  let_go();
}

void Party::let_go() {
  connection_ = nullptr;
  is_done_ = true;
  ++context_.changes;
}

std::string Party::describe() const {
  std::string text = fmt::format("{} wrote {} of {}{}, read {}{}", name_, written_, to_write_,
                                 has_shut_ ? " and shut" : "", read_, has_ended_ ? " to the end" : "");
  if (connection_ != nullptr) {
    const tcp::Info info = connection_->info();
    text += fmt::format(
        ", {} {} > {} send queue {} receive queue {} window {} own {} cwnd {} in flight {} timer '{}'",
        to_string(info.state), to_string(info.tuple.local), to_string(info.tuple.remote), info.send_queue,
        info.receive_queue, info.send_window, info.receive_window, info.cwnd, info.in_flight, info.timer);
  }
  return text;
}

}  // namespace transom::test
