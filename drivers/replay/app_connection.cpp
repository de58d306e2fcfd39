#include "drivers/replay/app_connection.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::replay {

namespace {
constexpr Duration kRetryConnect = std::chrono::milliseconds(100);
}  // namespace

AppConnection::AppConnection(const TcpScript& script, const LiveOptions& options, Pacing& pacing,
                             std::function<void(AppConnection&)> wake)
    : script_(script), options_(options), pacing_(pacing), wake_(std::move(wake)), turns_(turns_of(script)) {
  received_.add(StreamCheck::Side::kRecorded, 0, script.expected);
}

AppConnection::~AppConnection() {
  if (connection_ != nullptr) connection_->set_listener(nullptr);
}

// Of the recorded segments those that carried something new. What the end thought before an acknowledgment of
// its TCP, and behind it, belongs together.
std::vector<AppTurn> AppConnection::turns_of(const TcpScript& script) {
  std::vector<AppTurn> turns;
  const auto their_end = static_cast<std::int64_t>(script.expected.size()) + (script.peer_closes ? 2 : 1);
  std::int64_t written = 1, thought_for = -1;
  Duration thought{};
  std::int64_t urgent_end = 0;
  bool has_closed = false;
  const bool opens_fast = script.is_opener && script.us.syn_options.fast_open;
  for (const ScriptStep& step : script.steps) {
    if (!step.error.empty()) continue;
    // The ACK behind a FIN lies behind the stream.
    const std::int64_t end = std::min(step.end, static_cast<std::int64_t>(script.stream.size()) + 1);
    if (step.awaits != thought_for) thought = {};
    thought_for = step.awaits;
    thought += step.think;
    const bool closes = step.flags.fin && !has_closed;
    if (step.flags.urg && step.urgent > 0 && step.begin + step.urgent > written)
      urgent_end = step.begin + step.urgent;
    if (end <= written && !closes && !step.flags.rst) continue;
    turns.push_back({.number = step.number,
                     .end = std::max(end, written),
                     .awaits = std::clamp<std::int64_t>(step.awaits, 1, their_end),
                     .goes_with_syn = opens_fast && turns.empty() && step.awaits <= 1 && end > 1,
                     .think = thought,
                     .time = step.time,
                     .is_whole_write = step.flags.psh || closes,
                     .urgent_end = urgent_end <= end ? urgent_end : 0,
                     .closes = closes,
                     .resets = step.flags.rst});
    if (urgent_end <= end) urgent_end = 0;
    written = std::max(end, written);
    has_closed = has_closed || closes;
    thought = {};
    if (step.flags.rst) break;
  }
  return turns;
}

void AppConnection::set_ends(Host& host, const tcp::FourTuple& tuple) {
  host_ = &host;
  tuple_ = tuple;
}

void AppConnection::start(Instant now) {
  anchor_ = last_step_ = heard_at_ = last_progress_ = now;
  connect(now);
}

void AppConnection::connect(Instant now) {
  retry_at_ = kNever;
  tcp::Options options;
  options.out_of_band_inline = true;  // urgent octets are of the stream
  options.no_delay = true;            // what Nagle held back was recorded when it went out
  options.fast_open_connect = !turns_.empty() && turns_.front().goes_with_syn;
  auto hold = host_->tcp().bind({.local = tuple_.local, .reuse_address = true});
  const auto made = hold ? host_->tcp().connect(*hold, tuple_.remote, options)
                         : Result<tcp::Connection*>(std::unexpected(hold.error()));
  if (!made) return fail(made.error(), now);
  connection_ = *made;
  connection_->set_listener(this);
}

void AppConnection::take(tcp::Connection& connection, Instant now) {
  connection_ = &connection;
  tuple_ = connection.tuple();
  anchor_ = last_step_ = heard_at_ = last_progress_ = now;
  connection_->set_listener(this);
  is_established_ = true;  // or it is one of fast open, which may be used already (RFC 7413 §3)
  run(now);
}

std::int64_t AppConnection::heard() const {
  return is_established_ ? 1 + static_cast<std::int64_t>(received_.length(StreamCheck::Side::kActual)) +
                               (has_peer_closed_ ? 1 : 0)
                         : 0;
}

// What goes with the SYN waits for nothing.
bool AppConnection::is_heard(const AppTurn& turn) const {
  return turn.goes_with_syn || heard() >= turn.awaits;
}

Instant AppConnection::due(const AppTurn& turn) const {
  const Instant instant = options_.when != When::kCausal
                              ? anchor_ + pacing_.gap(turn.time)
                              : std::max(last_step_, heard_at_) + pacing_.gap(turn.think);
  return std::max(instant, pacing_.earliest(anchor_));
}

void AppConnection::run(Instant now) {
  if (state_ != State::kRunning || anchor_ == kNever) return;
  last_run_ = now;
  if (is_ready(now)) read(now);
  while (state_ == State::kRunning && connection_ != nullptr && next_ < turns_.size()) {
    const AppTurn& turn = turns_[next_];
    if (!is_heard(turn) || now < due(turn) || !write_turn(turn)) break;
    ++next_;
    pacing_.took_step();
    last_step_ = last_progress_ = now;
  }
  finish_if_done();
  if (state_ == State::kRunning && now >= stall_at()) {
    state_ = State::kStalled;
    let_go();
  }
}

// Established, and no error has ended it.
bool AppConnection::is_ready(Instant now) {
  if (retry_at_ <= now) connect(now);
  if (connection_ == nullptr) return false;
  if (!is_established_) {
    const tcp::State state = connection_->state();
    is_established_ =
        state != tcp::State::kSynSent && state != tcp::State::kSynReceived && state != tcp::State::kClosed;
    if (is_established_) last_progress_ = last_step_ = heard_at_ = now;
  }
  if (!connection_->readiness().error) return is_established_;
  read(now);  // what came before the reset
  fail(connection_->take_error(), now);
  return false;
}

void AppConnection::fail(Error error, Instant now) {
  error_ = error;
  let_go();
  const bool was_refused = script_.peer.has_reset || script_.is_unreachable;
  if (error == Error::kConnectionRefused && script_.is_opener && !was_refused) {
    retry_at_ = now + kRetryConnect;  // nobody listens yet
    next_ = 0;
    written_ = 1;
    return;
  }
  const bool is_expected =
      error == Error::kConnectionRefused
          ? was_refused
          : error == Error::kConnectionReset && (script_.peer.has_reset || next_ == turns_.size());
  state_ = is_expected ? State::kDone : State::kReset;
}

void AppConnection::read(Instant now) {
  std::array<std::uint8_t, 65536> buffer;
  while (!has_peer_closed_ && is_established_) {
    const auto got = connection_->receive(buffer);
    if (!got) break;
    heard_at_ = last_progress_ = now;
    if (*got == 0) {
      has_peer_closed_ = true;
    } else {
      const std::uint64_t position = received_.length(StreamCheck::Side::kActual);
      received_.add(StreamCheck::Side::kActual, position,
                    script_.with_mask(static_cast<std::int64_t>(position), Bytes(buffer).first(*got)));
    }
  }
  if (connection_->acknowledged_offset() != acknowledged_) {
    acknowledged_ = connection_->acknowledged_offset();
    last_progress_ = now;
  }
}

// False while there is no room for all of it.
bool AppConnection::write_turn(const AppTurn& turn) {
  if (turn.resets) {
    connection_->set_listener(nullptr);
    connection_->abort();
    connection_ = nullptr;
    state_ = State::kDone;
    return true;
  }
  // Of what one call sends only the last octet is urgent: it goes alone.
  if (turn.urgent_end > written_ && (!write_up_to(turn.urgent_end - 1, {.urgent = false, .more = true}) ||
                                     !write_up_to(turn.urgent_end, {.urgent = true, .more = false})))
    return false;
  if (!write_up_to(turn.end, {.urgent = false, .more = !turn.is_whole_write})) return false;
  if (turn.closes && !is_established_) return false;
  if (turn.closes) connection_->shutdown_send();
  return true;
}

bool AppConnection::write_up_to(std::int64_t end, const tcp::SendFlags& flags) {
  while (written_ < end) {
    const Bytes rest =
        Bytes(script_.stream)
            .subspan(static_cast<std::size_t>(written_ - 1), static_cast<std::size_t>(end - written_));
    const auto taken = connection_->send({&rest, 1}, flags);
    if (!taken) return false;
    written_ += static_cast<std::int64_t>(*taken);
    pacing_.sent(*taken);
  }
  return true;
}

void AppConnection::note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, Instant now) {
  auto& own = is_ours ? own_ : their_;
  if (header.flags.syn || !own) own = SequenceOffsets(header.sequence - (header.flags.syn ? 0U : 1U));
  own->see(header.sequence + static_cast<std::uint32_t>(octets));
  last_packets_.note(is_ours, header, octets, *own,
                     (is_ours ? their_ : own_).value_or(SequenceOffsets(header.acknowledgment)),
                     anchor_ == kNever ? Duration::zero() : now - anchor_);
}

void AppConnection::finish_if_done() {
  if (state_ != State::kRunning || connection_ == nullptr || next_ < turns_.size()) return;
  if (connection_->unacked_octets() > 0) return;
  const bool all_heard = received_.length(StreamCheck::Side::kActual) >= script_.expected.size();
  if (!has_peer_closed_ && (!all_heard || script_.peer_closes)) return;
  state_ = State::kDone;
  let_go();
}

void AppConnection::let_go() {
  if (connection_ == nullptr) return;
  connection_->set_listener(nullptr);
  connection_->close();
  connection_ = nullptr;
}

Instant AppConnection::stall_at() const {
  const Instant stall = last_progress_ + options_.stall;
  const bool thinks = next_ < turns_.size() && is_heard(turns_[next_]) && is_established_;
  if (!thinks) return stall;
  const Instant next = due(turns_[next_]);
  return next == kNever ? kNever : std::max(stall, next + options_.stall);
}

Instant AppConnection::next_deadline() const {
  if (state_ != State::kRunning || anchor_ == kNever) return kNever;
  Instant next = std::min(retry_at_, stall_at());
  // What was due when it last ran waits for room, which readiness tells.
  if (next_ < turns_.size() && is_heard(turns_[next_]) && due(turns_[next_]) > last_run_)
    next = std::min(next, due(turns_[next_]));
  return next;
}

std::string AppConnection::awaited() const {
  if (!is_established_)
    return fmt::format("a connection{}",
                       error_ == Error::kNone ? "" : fmt::format("; {}", to_string(error_)));
  if (next_ == turns_.size()) {
    return fmt::format("the end of the peer's stream; {} octets of {} have come",
                       received_.length(StreamCheck::Side::kActual), script_.expected.size());
  }
  const AppTurn& turn = turns_[next_];
  if (heard() < turn.awaits)
    return fmt::format("the peer's octets up to {} (before packet {}); {} have come", turn.awaits,
                       turn.number, heard());
  return fmt::format("room to write {}:{} (packet {})", written_, turn.end, turn.number);
}

}  // namespace transom::drivers::replay
