// Half-open passive connections: SYN-RECEIVED as small records (RFC 9293 §3.10.7.2, RFC 4987). A record
// becomes a Connection when its SYN-ACK is acknowledged and the listener has room for it.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "stack/base/keyed_table.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/expiry_list.h"
#include "stack/tcp/time_wait.h"

namespace transom::tcp {

struct HalfOpen {
  FourTuple tuple;
  AgeLinks<HalfOpen> links;
  Instant deadline;
  Listener* listener = nullptr;
  SeqNum iss;
  SeqNum irs;
  Negotiated negotiated;
  std::uint8_t retries = 0;
  bool is_acknowledged = false;  // and waits for data (TCP_DEFER_ACCEPT)
  bool was_repeated = false;     // the SYN-ACK, by our timer or as the SYN came again
  InterfaceId interface = InterfaceId::kAny;
  std::unique_ptr<std::vector<std::uint8_t>> saved_syn;  // its headers (TCP_SAVE_SYN)

  // From the SYN-ACK to now, unless it is not known which one was answered (Karn; RFC 6298 §3).
  std::optional<Duration> round_trip(Instant now) const {
    if (was_repeated) return std::nullopt;
    return now - (deadline - RttEstimator::kInitialRto);
  }
};

class SynQueue {
 public:
  static constexpr std::size_t kMaxRetries = 5;  // 1 + 2 + 4 + 8 + 16 + 32 s, as Linux

  explicit SynQueue(ConnectionOwner& owner);
  ~SynQueue();
  SynQueue(const SynQueue&) = delete;
  SynQueue& operator=(const SynQueue&) = delete;

  HalfOpen* find(const FourTuple& tuple) const { return table_.find(tuple); }
  std::size_t size() const { return table_.size(); }

  // A SYN for `listener`: keeps a record and answers, with our initial sequence number. `cookie`: for fast
  // open; goes out once only.
  void add(Listener& listener, Segment& syn, SeqNum iss, const std::optional<wire::FastOpenCookie>& cookie);
  // Answers a SYN with a cookie and keeps nothing.
  void answer_with_cookie(Listener& listener, const Segment& syn, SeqNum cookie, std::uint32_t timestamp,
                          const Negotiated& negotiated);
  void remove(HalfOpen& record);
  // TCP_DEFER_ACCEPT: the handshake is done, but there is no data yet, and it is not time to go without.
  static bool is_deferred(const HalfOpen& record, const Segment& ack);
  void remove_all_of(const Listener& listener);

  // RFC 9293 §3.10.7.4 for SYN-RECEIVED. True when the segment acknowledges our SYN: the connection may be
  // made.
  bool segment_arrives(HalfOpen& record, const Segment& segment);

  template <typename Visit>
  void for_each(Visit visit) const {
    table_.for_each(visit);
  }

 private:
  void on_timer();
  void send_syn_ack(const HalfOpen& record, const std::optional<wire::FastOpenCookie>& cookie = std::nullopt);
  void send_syn_ack(Listener& listener, const FourTuple& tuple, InterfaceId interface, SeqNum iss, SeqNum irs,
                    const Negotiated& negotiated, std::uint32_t timestamp,
                    const std::optional<wire::FastOpenCookie>& cookie = std::nullopt);
  void start_timer();

  ConnectionOwner& owner_;
  KeyedTable<HalfOpen, TupleOf> table_;
  std::array<ExpiryList<HalfOpen>, kMaxRetries + 1> lists_;  // by retries, so that each is in order of expiry
  Timer timer_{call_member<&SynQueue::on_timer>, this};
};

}  // namespace transom::tcp
