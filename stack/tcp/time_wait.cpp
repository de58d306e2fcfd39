#include "stack/tcp/time_wait.h"

#include <algorithm>

namespace transom::tcp {

namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);
constexpr Duration kAckInterval = std::chrono::milliseconds(500);

// From one tick to another that is less than half of the circle away: 24 days.
Duration ticks_between(std::uint32_t from, std::uint32_t to) {
  return kTick * static_cast<std::int32_t>(to - from);
}

}  // namespace

TimeWaitTable::TimeWaitTable(ConnectionOwner& owner, PortTable& ports)
    : owner_(owner), ports_(ports), table_(owner.context.random.key()) {}

TimeWaitTable::~TimeWaitTable() {
  while (TimeWaitRecord* record = table_.oldest(order_)) remove(*record);
}

void TimeWaitTable::add(const Connection& connection) {
  if (table_.size() >= owner_.config.max_time_wait) {
    if (table_.size() == 0) return;
    owner_.context.count(Counter::kTcpExtTCPTimeWaitOverflow);
    remove(*table_.oldest(order_));
  }
  TimeWaitRecord& record = table_.add(connection.tuple(), connection.destination()->bound, order_);
  record.send_next = connection.send_next();
  record.receive_next = connection.receive_next();
  record.ts_recent = connection.ts_recent();
  record.deadline = new_deadline();
  record.last_ack = timestamp_ticks(owner_.context.now - kAckInterval);
  record.window = connection.last_window();
  record.traffic_class = connection.options().traffic_class;
  record.timestamps = connection.uses_timestamps();
  ports_.add_user(record.local_port);
  if (!timer_.is_running()) start_timer();
  owner_.context.count(Counter::kTcpExtTW);
}

void TimeWaitTable::remove(TimeWaitRecord& record) {
  ports_.remove_user(record.local_port);
  table_.remove(record, order_);
}

void TimeWaitTable::restart(TimeWaitRecord& record) {
  table_.move(record, order_, order_);
  record.deadline = new_deadline();
}

Duration TimeWaitTable::lifetime() const {
  constexpr Duration kLongest = std::chrono::days(20);  // that ticks can tell
  return std::min(2 * owner_.config.msl, kLongest);
}

// The first tick that is not too early.
std::uint32_t TimeWaitTable::new_deadline() const {
  return timestamp_ticks(owner_.context.now + lifetime() + kTick - Duration(1));
}

Instant TimeWaitTable::deadline(const TimeWaitRecord& record) const {
  const Instant now = owner_.context.now;
  return std::chrono::floor<std::chrono::milliseconds>(now) +
         ticks_between(timestamp_ticks(now), record.deadline);
}

void TimeWaitTable::start_timer() {
  if (const TimeWaitRecord* first = table_.oldest(order_))
    timer_.start(owner_.context.timers, deadline(*first));
}

void TimeWaitTable::on_timer() {
  while (TimeWaitRecord* record = table_.oldest(order_)) {
    if (deadline(*record) > owner_.context.now) break;
    remove(*record);
  }
  start_timer();
}

Info TimeWaitTable::info(const TimeWaitRecord& record) const {
  Info info;
  info.tuple = table_.tuple(record);
  info.state = State::kTimeWait;
  info.interface = table_.interface(record);
  info.timer = "timewait";
  info.timer_expires = deadline(record) - owner_.context.now;
  return info;
}

void TimeWaitTable::acknowledge(const TimeWaitRecord& record) {
  Reply reply{.tuple = table_.tuple(record),
              .sequence = record.send_next,
              .acknowledgment = record.receive_next,
              .window = record.window};
  reply.flags.ack = true;
  reply.traffic_class = record.traffic_class;
  reply.interface = table_.interface(record);
  if (record.timestamps) {
    reply.options.timestamps = wire::TcpTimestamps{
        timestamp_ticks(owner_.context.now) + owner_.secrets.timestamp_offset(reply.tuple), record.ts_recent};
  }
  send_reply(owner_.context, owner_.ip, reply);
}

bool TimeWaitTable::segment_arrives(TimeWaitRecord& record, const Segment& segment) {
  const wire::TcpHeader& header = segment.header;
  const bool has_timestamps = record.timestamps && header.options.timestamps.has_value();
  const bool is_newer =
      has_timestamps && static_cast<std::int32_t>(header.options.timestamps->value - record.ts_recent) > 0;
  const bool is_older =
      has_timestamps && static_cast<std::int32_t>(header.options.timestamps->value - record.ts_recent) < 0;

  if (header.flags.rst) {
    // RFC 1337: a reset does not end TIME-WAIT, or old duplicates could come back to life.
    owner_.context.drop(DropReason::kTcpTimeWait);
    return false;
  }
  if (header.flags.syn && !header.flags.ack && !header.flags.fin) {
    // MAY-2 and RFC 6191 §2: beyond all that the old connection used, by timestamp or by sequence number; or
    // told from it by its having timestamps at all.
    const bool is_first_with_timestamps =
        !record.timestamps && header.options.timestamps && owner_.config.timestamps;
    if (is_newer || is_first_with_timestamps || (!is_older && is_after(header.sequence, record.receive_next)))
      return true;
  }
  owner_.context.drop(is_older ? DropReason::kTcpPaws : DropReason::kTcpTimeWait);
  // Its FIN again: our last ACK was lost. Wait another 2 MSL (RFC 9293 §3.10.7.4, eighth check).
  const bool is_last_fin =
      header.flags.fin && !is_older && header.sequence + (segment.length() - 1) == record.receive_next - 1;
  if (is_last_fin) restart(record);
  const std::uint32_t now = timestamp_ticks(owner_.context.now);
  if (segment.length() == 0 && ticks_between(record.last_ack, now) < kAckInterval) {
    owner_.context.count(Counter::kTcpExtTCPACKSkippedTimeWait);
    return false;
  }
  // A bare ACK at the expected place needs no answer; anything else gets one.
  const bool is_expected_ack =
      segment.length() == 0 && header.sequence == record.receive_next && header.flags.ack;
  if (is_expected_ack) return false;
  record.last_ack = now;
  acknowledge(record);
  return false;
}

bool TimeWaitTable::may_be_reused(const TimeWaitRecord& record) const {
  const Duration age = owner_.context.now - (deadline(record) - lifetime());
  return record.timestamps && age > std::chrono::seconds(1);
}

}  // namespace transom::tcp
