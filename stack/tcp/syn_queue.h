// Half-open passive connections: SYN-RECEIVED as small records (RFC 9293 §3.10.7.2, RFC 4987). A record
// becomes a Connection when its SYN-ACK is acknowledged and the listener has room for it.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "stack/tcp/connection.h"
#include "stack/tcp/record_table.h"

namespace transom::tcp {

struct HalfOpen : TableRecord {
  SeqNum iss;
  Instant deadline;
  Listener* listener = nullptr;
  std::unique_ptr<std::vector<std::uint8_t>> saved_syn;  // its headers (TCP_SAVE_SYN)
  SeqNum irs;
  Negotiated negotiated;
  std::uint8_t retries = 0;
  bool is_acknowledged = false;  // and waits for data (TCP_DEFER_ACCEPT)
  bool was_repeated = false;     // the SYN-ACK, by our timer or as the SYN came again

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

  Info info(const HalfOpen& record) const;
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
  RecordTable<HalfOpen> table_;
  std::array<RecordOrder, kMaxRetries + 1> orders_;  // by retries: each is of age and of expiry
  Timer timer_{call_member<&SynQueue::on_timer>, this};
};

}  // namespace transom::tcp
