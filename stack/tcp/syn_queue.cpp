#include "stack/tcp/syn_queue.h"

#include <algorithm>

#include "stack/tcp/listener.h"

namespace transom::tcp {

namespace {

// Still in front of the payload.
std::unique_ptr<std::vector<std::uint8_t>> headers_of(Segment& segment) {
  const std::size_t size = std::size_t{segment.received.header_size} + segment.header_size;
  const MutableBytes headers = segment.packet.prepend(size);
  auto copy = std::make_unique<std::vector<std::uint8_t>>(headers.begin(), headers.end());
  segment.packet.trim_front(size);
  return copy;
}

}  // namespace

SynQueue::SynQueue(ConnectionOwner& owner) : owner_(owner), table_(owner.context.random.key()) {}

SynQueue::~SynQueue() {
  for (const RecordOrder& order : orders_) {
    while (HalfOpen* record = table_.oldest(order)) remove(*record);
  }
}

void SynQueue::add(Listener& listener, Segment& syn, SeqNum iss,
                   const std::optional<wire::FastOpenCookie>& cookie) {
  const FourTuple tuple = syn.tuple();
  const auto destination = owner_.ip.destination(tuple.remote.address, reply_interface(syn.received));
  if (!destination) {
    owner_.context.drop(DropReason::kIpNoRoute);
    return;
  }
  const std::uint16_t mss = receive_mss(**destination, listener.options());
  HalfOpen& record = table_.add(tuple, reply_interface(syn.received), orders_[0]);
  record.listener = &listener;
  record.irs = syn.header.sequence;
  record.iss = iss;
  record.negotiated = answer_to(owner_, listener.options(), syn, mss);
  record.deadline = owner_.context.now + RttEstimator::kInitialRto;
  if (listener.options().save_syn) record.saved_syn = headers_of(syn);
  owner_.context.tell(TcpStateEvent{tuple.local, tuple.remote, to_string(State::kListen),
                                    to_string(State::kSynReceived), Reason::kSegment});
  ++listener.half_open;
  send_syn_ack(record, cookie);
  start_timer();
}

// As Linux: until so many SYN-ACKs might have gone out. The last of them draws the acknowledgment that
// counts.
bool SynQueue::is_deferred(const HalfOpen& record, const Segment& ack) {
  return record.retries < record.listener->options().defer_accept && ack.octets == 0 && !ack.header.flags.fin;
}

void SynQueue::remove(HalfOpen& record) {
  --record.listener->half_open;
  table_.remove(record, orders_[record.retries]);
}

void SynQueue::remove_all_of(const Listener& listener) {
  for (const RecordOrder& order : orders_) {
    for (HalfOpen* record = table_.oldest(order); record != nullptr;) {
      HalfOpen* const following = table_.next(*record);
      if (record->listener == &listener) remove(*record);
      record = following;
    }
  }
}

void SynQueue::start_timer() {
  Instant first = kNever;
  for (const RecordOrder& order : orders_) {
    if (const HalfOpen* record = table_.oldest(order)) first = std::min(first, record->deadline);
  }
  if (first != kNever && (!timer_.is_running() || first < timer_.deadline()))
    timer_.start(owner_.context.timers, first);
}

void SynQueue::on_timer() {
  for (std::size_t retries = orders_.size(); retries-- > 0;) {
    while (HalfOpen* oldest = table_.oldest(orders_[retries])) {
      HalfOpen& record = *oldest;
      if (record.deadline > owner_.context.now) break;
      if (retries == kMaxRetries) {
        owner_.context.count(Counter::kTcpAttemptFails);
        remove(record);
        continue;
      }
      table_.move(record, orders_[retries], orders_[retries + 1]);
      ++record.retries;
      record.deadline = owner_.context.now + RttEstimator::kInitialRto * (1 << record.retries);
      record.was_repeated = true;
      owner_.context.count(Counter::kTcpRetransSegs);
      owner_.context.count(Counter::kTcpExtTCPSynRetrans);
      const int deferrals = record.listener->options().defer_accept;
      if (!record.is_acknowledged || record.retries >= deferrals) send_syn_ack(record);
    }
  }
  start_timer();
}

Info SynQueue::info(const HalfOpen& record) const {
  Info info;
  info.tuple = table_.tuple(record);
  info.state = State::kSynReceived;
  info.interface = table_.interface(record);
  info.timer = "on";
  info.timer_expires = record.deadline - owner_.context.now;
  return info;
}

void SynQueue::send_syn_ack(const HalfOpen& record, const std::optional<wire::FastOpenCookie>& cookie) {
  const FourTuple tuple = table_.tuple(record);
  const std::uint32_t timestamp =
      timestamp_ticks(owner_.context.now) + owner_.secrets.timestamp_offset(tuple);
  send_syn_ack(*record.listener, tuple, table_.interface(record), record.iss, record.irs, record.negotiated,
               timestamp, cookie);
}

void SynQueue::answer_with_cookie(Listener& listener, const Segment& syn, SeqNum cookie,
                                  std::uint32_t timestamp, const Negotiated& negotiated) {
  send_syn_ack(listener, syn.tuple(), reply_interface(syn.received), cookie, syn.header.sequence, negotiated,
               timestamp);
}

void SynQueue::send_syn_ack(Listener& listener, const FourTuple& tuple, InterfaceId interface, SeqNum iss,
                            SeqNum irs, const Negotiated& negotiated, std::uint32_t timestamp,
                            const std::optional<wire::FastOpenCookie>& cookie) {
  const auto destination = owner_.ip.destination(tuple.remote.address, interface);
  if (!destination) return;
  Reply reply{.tuple = tuple, .sequence = iss, .acknowledgment = irs + 1};
  reply.flags.syn = reply.flags.ack = true;
  set_syn_ack_flags(reply.flags, negotiated.ecn);
  reply.window =
      static_cast<std::uint16_t>(std::min(first_receive_buffer(owner_.config, listener.options()), 0xffffU));
  reply.options.maximum_segment_size = receive_mss(**destination, listener.options());
  reply.options.sack_permitted = negotiated.sack;
  if (negotiated.window_scaling) reply.options.window_scale = negotiated.receive_scale;
  if (negotiated.timestamps) reply.options.timestamps = wire::TcpTimestamps{timestamp, negotiated.ts_recent};
  reply.options.fast_open = cookie;
  reply.ttl = listener.options().ttl;
  reply.traffic_class = static_cast<std::uint8_t>(listener.options().traffic_class & 0xfc);
  reply.interface = interface;
  send_reply(owner_.context, owner_.ip, reply);
}

bool SynQueue::segment_arrives(HalfOpen& record, const Segment& segment) {
  const wire::TcpHeader& header = segment.header;
  Context& context = owner_.context;
  if (header.flags.syn && !header.flags.ack && !header.flags.rst && header.sequence == record.irs) {
    // Its SYN again: our answer was lost. A peer that has given up on ECN in between must not get marked
    // data (RFC 3168 §6.1.1, RFC 9768 §3.1.5).
    if (!header.flags.ece && !header.flags.cwr) record.negotiated.ecn.kind = EcnKind::kNone;
    record.was_repeated = true;
    send_syn_ack(record);
    return false;
  }
  // First: sequence number, against the window of our SYN-ACK.
  const std::uint32_t window =
      std::min(first_receive_buffer(owner_.config, record.listener->options()), 0xffffU);
  const bool acceptable =
      is_at_or_after(header.sequence, record.irs + 1) && is_before(header.sequence, record.irs + 1 + window);
  if (!acceptable) {
    context.drop(DropReason::kTcpOutOfWindow);
    if (!header.flags.rst) send_syn_ack(record);  // tells the peer the same as an ACK would
    return false;
  }
  // Second: RST. A passive open goes back to LISTEN without a word (MUST-11).
  if (header.flags.rst) {
    if (header.sequence == record.irs + 1) {
      context.count(Counter::kTcpAttemptFails);
      remove(record);
    } else {
      context.drop(DropReason::kTcpInvalidReset);
    }
    return false;
  }
  // Fourth: SYN. RFC 5961 §4.2: our answer lets a peer that has restarted reset what it knows nothing of.
  if (header.flags.syn) {
    context.drop(DropReason::kTcpSynInWindow, Counter::kTcpExtTCPSYNChallenge);
    send_syn_ack(record);
    return false;
  }
  // Fifth: ACK.
  if (!header.flags.ack) {
    context.drop(DropReason::kTcpMissingAck);
    return false;
  }
  if (header.acknowledgment != record.iss + 1) {
    context.drop(DropReason::kTcpUnacceptableAck);
    send_reset_for(context, owner_.ip, segment);
    return false;
  }
  if (record.negotiated.timestamps && !header.options.timestamps) {  // RFC 7323 §3.2
    context.drop(DropReason::kTcpMissingTimestamp);
    return false;
  }
  return true;
}

}  // namespace transom::tcp
