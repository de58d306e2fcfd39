// TIME-WAIT (RFC 9293 §3.6.1) as a small record: enough to acknowledge a FIN that comes again, to refuse old
// duplicates, and to let the same two endpoints speak again early when that is safe (RFC 6191, MAY-2).
#pragma once

#include "stack/base/keyed_table.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/expiry_list.h"
#include "stack/tcp/port_table.h"

namespace transom::tcp {

struct TimeWaitRecord {
  FourTuple tuple;
  AgeLinks<TimeWaitRecord> links;
  Instant deadline;
  SeqNum send_next;
  SeqNum receive_next;
  std::uint32_t ts_recent = 0;
  std::uint16_t window = 0;
  bool timestamps = false;
  std::uint8_t traffic_class = 0;
  InterfaceId interface = InterfaceId::kAny;
  Instant last_ack{};  // of an unacceptable segment, for the rate limit
};

struct TupleOf {
  using Key = FourTuple;
  template <typename T>
  static const FourTuple& key(const T& item) {
    if constexpr (requires { item.tuple(); }) {
      return item.tuple();
    } else {
      return item.tuple;
    }
  }
  static std::uint64_t hash(const SipKey& sip_key, const FourTuple& tuple) {
    return hash_tuple(sip_key, tuple);
  }
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
  std::size_t size() const { return list_.size(); }

  // RFC 9293 §3.10.7.4, TIME-WAIT. True when the segment is a SYN that may open a new connection; the record
  // is still there.
  bool segment_arrives(TimeWaitRecord& record, const Segment& segment);
  // A connect() by our own user takes the tuple over when timestamps make that safe (RFC 6191).
  bool may_be_reused(const TimeWaitRecord& record) const;

  template <typename Visit>
  void for_each(Visit visit) const {
    table_.for_each(visit);
  }

 private:
  void on_timer();
  void restart(TimeWaitRecord& record);
  void acknowledge(const TimeWaitRecord& record);

  ConnectionOwner& owner_;
  PortTable& ports_;
  KeyedTable<TimeWaitRecord, TupleOf> table_;
  ExpiryList<TimeWaitRecord> list_;
  Timer timer_{call_member<&TimeWaitTable::on_timer>, this};
};

}  // namespace transom::tcp
