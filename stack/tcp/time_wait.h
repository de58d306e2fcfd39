// TIME-WAIT (RFC 9293 §3.6.1) as a small record: enough to acknowledge a FIN that comes again, to refuse old
// duplicates, and to let the same two endpoints speak again early when that is safe (RFC 6191, MAY-2).
#pragma once

#include "stack/tcp/connection.h"
#include "stack/tcp/port_table.h"
#include "stack/tcp/record_table.h"

namespace transom::tcp {

// Instants are in ticks of the timestamp clock: milliseconds that wrap.
struct TimeWaitRecord : TableRecord {
  SeqNum send_next;
  SeqNum receive_next;
  std::uint32_t ts_recent = 0;
  std::uint32_t deadline = 0;
  std::uint32_t last_ack = 0;  // of an unacceptable segment, for the rate limit
  std::uint16_t window = 0;
  std::uint8_t traffic_class = 0;
  bool timestamps = false;
};

class TimeWaitTable {
 public:
  TimeWaitTable(ConnectionOwner& owner, PortTable& ports);
  ~TimeWaitTable();
  TimeWaitTable(const TimeWaitTable&) = delete;
  TimeWaitTable& operator=(const TimeWaitTable&) = delete;

  // When the table is full the oldest goes.
  void add(const Connection& connection);
  TimeWaitRecord* find(const FourTuple& tuple) const { return table_.find(tuple); }
  void remove(TimeWaitRecord& record);
  std::size_t size() const { return table_.size(); }

  // RFC 9293 §3.10.7.4, TIME-WAIT. True when the segment is a SYN that may open a new connection; the record
  // is still there.
  bool segment_arrives(TimeWaitRecord& record, const Segment& segment);
  // A connect() by our own user takes the tuple over when timestamps make that safe (RFC 6191).
  bool may_be_reused(const TimeWaitRecord& record) const;

  Info info(const TimeWaitRecord& record) const;
  template <typename Visit>
  void for_each(Visit visit) const {
    table_.for_each(visit);
  }

 private:
  Duration lifetime() const;
  std::uint32_t new_deadline() const;
  Instant deadline(const TimeWaitRecord& record) const;
  void start_timer();
  void on_timer();
  void restart(TimeWaitRecord& record);
  void acknowledge(const TimeWaitRecord& record);

  ConnectionOwner& owner_;
  PortTable& ports_;
  RecordTable<TimeWaitRecord> table_;
  RecordOrder order_;  // all live equally long: of age and of expiry
  Timer timer_{call_member<&TimeWaitTable::on_timer>, this};
};

}  // namespace transom::tcp
