#include "stack/tcp/time_wait.h"

namespace transom::tcp {

TimeWaitTable::TimeWaitTable(ConnectionOwner& owner, PortTable& ports)
    : owner_(owner), ports_(ports), table_(owner.context.random.key()) {}

TimeWaitTable::~TimeWaitTable() {
  while (!list_.empty()) remove(*list_.first());
}

void TimeWaitTable::add(const Connection& connection) {
  if (list_.size() >= owner_.config.max_time_wait) {
    if (list_.empty()) return;
    owner_.context.count(Counter::kTcpExtTCPTimeWaitOverflow);
    remove(*list_.first());
  }
  auto* record = new TimeWaitRecord;
  record->tuple = connection.tuple();
  record->send_next = connection.send_next();
  record->receive_next = connection.receive_next();
  record->ts_recent = connection.ts_recent();
  record->window = connection.last_window();
  record->timestamps = connection.uses_timestamps();
  record->traffic_class = connection.options().traffic_class;
  record->interface = connection.destination()->bound;
  ports_.add_user(record->tuple.local.port);
  table_.insert(*record);
  list_.push(*record, owner_.context.now + 2 * owner_.config.msl);
  if (!timer_.is_running()) timer_.start(owner_.context.timers, list_.next_deadline());
  owner_.context.count(Counter::kTcpExtTW);
}

void TimeWaitTable::remove(TimeWaitRecord& record) {
  ports_.remove_user(record.tuple.local.port);
  table_.erase(record);
  list_.remove(record);
  delete &record;
}

void TimeWaitTable::restart(TimeWaitRecord& record) {
  list_.remove(record);
  list_.push(record, owner_.context.now + 2 * owner_.config.msl);
}

void TimeWaitTable::on_timer() {
  while (!list_.empty() && list_.next_deadline() <= owner_.context.now) remove(*list_.first());
  if (!list_.empty()) timer_.start(owner_.context.timers, list_.next_deadline());
}

void TimeWaitTable::acknowledge(const TimeWaitRecord& record) {
  Reply reply{.tuple = record.tuple,
              .sequence = record.send_next,
              .acknowledgment = record.receive_next,
              .window = record.window};
  reply.flags.ack = true;
  reply.traffic_class = record.traffic_class;
  reply.interface = record.interface;
  if (record.timestamps) {
    reply.options.timestamps = wire::TcpTimestamps{
        timestamp_ticks(owner_.context.now) + owner_.secrets.timestamp_offset(record.tuple),
        record.ts_recent};
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
  constexpr Duration kInterval = std::chrono::milliseconds(500);
  if (segment.length() == 0 && owner_.context.now - record.last_ack < kInterval) {
    owner_.context.count(Counter::kTcpExtTCPACKSkippedTimeWait);
    return false;
  }
  // A bare ACK at the expected place needs no answer; anything else gets one.
  const bool is_expected_ack =
      segment.length() == 0 && header.sequence == record.receive_next && header.flags.ack;
  if (is_expected_ack) return false;
  record.last_ack = owner_.context.now;
  acknowledge(record);
  return false;
}

bool TimeWaitTable::may_be_reused(const TimeWaitRecord& record) const {
  const Duration age = owner_.context.now - (record.deadline - 2 * owner_.config.msl);
  return record.timestamps && age > std::chrono::seconds(1);
}

}  // namespace transom::tcp
