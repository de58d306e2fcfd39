// TCP Fast Open (RFC 7413): data in SYNs, on both sides.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace transom::tcp {

// ---------------------------------------------------------------- client

bool Connection::needs_no_cookie() const {
  return options_->fast_open_without_cookie || owner_.config.fast_open.client_without_cookie;
}

// Whether our SYN may carry data, so that it should wait for some.
bool Connection::may_open_fast() const {
  if (!options_->fast_open_connect || !owner_.config.fast_open.client) return false;
  if (owner_.fast_open_cache.is_paused(tuple_, owner_.context.now)) return false;
  const FastOpenCache::Server* const server = owner_.fast_open_cache.find(tuple_);
  return needs_no_cookie() || (server != nullptr && server->cookie);
}

// Octets of data that a SYN may carry: as the server announced the last time (RFC 7413 §4.2.2), and the path
// lets it, beside all the options that there may be.
std::uint32_t Connection::syn_room() const {
  constexpr std::uint32_t kDefaultMss = 536;
  constexpr std::uint32_t kOptions = wire::TcpOptions::kMaxSize;
  const FastOpenCache::Server* const server = owner_.fast_open_cache.find(tuple_);
  const std::uint32_t headers = (tuple_.remote.address.is_v4() ? 20U : 40U) + wire::TcpHeader::kMinSize;
  const std::uint32_t mtu = owner_.ip.path_mtu(*destination_);
  std::uint32_t mss = server != nullptr && server->mss != 0 ? server->mss : kDefaultMss;
  mss = std::min(mss, mtu > headers ? mtu - headers : 0);
  if (options_->max_segment != 0) mss = std::min<std::uint32_t>(mss, options_->max_segment);
  return mss > kOptions ? mss - kOptions : 0;
}

Result<std::size_t> Connection::send_with_syn(std::span<const Bytes> pieces) {
  begin_sending();
  std::size_t room = std::min<std::size_t>(syn_room(), send_room());
  std::size_t taken = 0;
  std::size_t wanted = 0;
  for (const Bytes& piece : pieces) {
    wanted += piece.size();
    const std::size_t here = sender_.append(owner_.context.pool, piece.first(std::min(piece.size(), room)));
    taken += here;
    room -= here;
  }
  syn_waits_ = false;
  send_first_syn();
  if (taken == 0 && wanted > 0) return std::unexpected(Error::kWouldBlock);
  return taken;
}

// What the first SYN carries besides.
void Connection::add_fast_open(wire::TcpHeader& syn, Packet& packet) {
  if (!owner_.config.fast_open.client) return;
  if (owner_.fast_open_cache.is_paused(tuple_, owner_.context.now)) {
    tell_fast_open(Reason::kFastOpenPaused);
    return;
  }
  const FastOpenCache::Server* const server = owner_.fast_open_cache.find(tuple_);
  if (!needs_no_cookie()) {
    syn_asked_ = true;
    syn.options.fast_open = server != nullptr && server->cookie ? *server->cookie : wire::FastOpenCookie{};
    if (syn.options.fast_open->is_request()) {
      fast_open_failure_ = FastOpenFailure::kNoCookie;
      tell_fast_open(Reason::kFastOpenRequest);
      return;
    }
  }
  const std::uint32_t octets = std::min(sender_.queue().size(), syn_room());
  if (octets == 0) return;
  syn_asked_ = true;
  opening_->syn_octets = sender_.attach(packet, sender_.una(), octets);
  traffic_->bytes_sent += opening_->syn_octets;
  owner_.context.count(Counter::kTcpExtTCPOrigDataSent);
  tell_fast_open(Reason::kFastOpenData, opening_->syn_octets);
}

// RFC 9293 §3.10.7.3, first check; with data in our SYN, or sent since, some of it may be acknowledged as
// well.
bool Connection::acknowledges_syn(SeqNum ack) const {
  return is_at_or_after(ack, iss_ + 1) && is_at_or_before(ack, sender_.nxt() + opening_->syn_octets);
}

// RFC 7413 §4.2.2, "Client: Receiving SYN-ACK".
void Connection::conclude_fast_open(const Segment& syn_ack) {
  const auto& answer = syn_ack.header.options.fast_open;
  const bool has_cookie = answer && !answer->is_request();
  if (has_cookie || syn_data_)
    owner_.fast_open_cache.learn(tuple_, has_cookie ? answer : std::nullopt, negotiated_.peer_mss);
  // Without an answer to what the first SYN carried, either that SYN was lost or somebody does not like it.
  const bool is_answered = syn_data_ || has_cookie;
  const bool carried_nothing = opening_->syn_octets == 0 && syn_retries_ == 0;
  if (syn_data_) {
    owner_.fast_open_cache.on_success(tuple_);
  } else if (!is_answered && !carried_nothing &&
             owner_.fast_open_cache.on_failure(tuple_, owner_.context.now)) {
    owner_.context.count(Counter::kTcpExtTCPFastOpenBlackhole);
  }
  settle_syn_data(syn_ack.header.acknowledgment);
}

// What becomes of the data in our SYN. The SYN is acknowledged.
void Connection::settle_syn_data(SeqNum ack) {
  if (opening_->syn_octets == 0) return;
  const std::uint32_t acked = octets_between(iss_ + 1, ack);
  sender_.take_over_syn_data(opening_->syn_octets, acked, opening_->syn_sent);
  traffic_->bytes_acked += acked;
  if (acked == opening_->syn_octets) {
    owner_.context.count(Counter::kTcpExtTCPFastOpenActive);
    tell_fast_open(Reason::kFastOpenTaken, acked);
  } else {
    owner_.context.count(Counter::kTcpExtTCPFastOpenActiveFail);
    fast_open_failure_ = syn_retries_ > 0 ? FastOpenFailure::kSynLost : FastOpenFailure::kDataIgnored;
    tell_fast_open(Reason::kFastOpenIgnored, opening_->syn_octets - acked);
  }
  opening_->syn_octets = 0;
}

// Our SYN or SYN-ACK is about to be sent again. `syn_retries_` counts this one, too.
void Connection::on_syn_timeout() {
  constexpr std::uint8_t kSilence = 3;
  if (is_half_open_fast() && syn_retries_ == 1 && sender_.outstanding() > 0) {
    sender_.on_retransmission_timeout(owner_.context.now);  // the data went the way of the SYN-ACK
    return;
  }
  sender_.rtt().back_off();
  if (!syn_asked_) return;
  if (syn_retries_ == 1) tell_fast_open(Reason::kFastOpenSynLost, opening_->syn_octets);
  if (syn_retries_ != kSilence) return;
  owner_.fast_open_cache.on_silence(tuple_, owner_.context.now);  // RFC 7413 §4.1.3.1
  owner_.context.count(Counter::kTcpExtTCPFastOpenBlackhole);
}

// ---------------------------------------------------------------- server

void Connection::open_fast(SeqNum iss, const Negotiated& negotiated, Segment& syn,
                           std::shared_ptr<FastOpenQueue> queue,
                           const std::optional<wire::FastOpenCookie>& cookie) {
  is_passive_ = is_fast_open_child_ = true;
  opening_ = std::make_unique<Opening>();
  opening_->fast_open_queue = std::move(queue);
  opening_->fast_open_queue->enter();
  iss_ = iss;
  opening_->irs = syn.header.sequence;
  state_ = State::kListen;  // that of the listener, which it comes from
  set_state(State::kSynReceived, Reason::kSegment);
  sender_.set_initial_sequence(iss);
  sender_.syn_sent();
  sender_.syn_acknowledged();  // the Sender knows of data alone; until it is true, the SYN is our business
  start_receiver(opening_->irs, negotiated.receive_scale);
  receiver_.offer_window();
  begin_transfer(negotiated, false, {});
  sender_.set_window(opening_->irs, iss, syn.header.window);  // the window of a SYN is not scaled
  last_received_ = owner_.context.now;
  std::uint32_t delivered = 0;
  if (syn.octets > 0) {
    begin_traffic();
    delivered = receiver_
                    .accept(owner_.context.pool, opening_->irs + 1, Payload(std::move(syn.packet)), false,
                            syn.segment_size)
                    .delivered;
    traffic_->bytes_received = delivered;
  }
  syn_data_ = delivered > 0;
  owner_.context.count(Counter::kTcpPassiveOpens);
  owner_.context.count(Counter::kTcpExtTCPFastOpenPassive);
  tell_fast_open(Reason::kFastOpenAccepted, delivered);
  send_syn(cookie);
  receiver_.ack_sent();
  set_alarm(Alarm::kRetransmit, owner_.context.now + sender_.rtt().rto());
}

// The peer has our SYN-ACK.
void Connection::finish_handshake_of_fast_open(const Segment& ack) {
  syn_was_lost_ = syn_retries_ > 0;
  leave_fast_open_queue(false);
  if (!syn_was_lost_) {
    sender_.rtt().sample(owner_.context.now - opening_->syn_sent, 1, owner_.context.now);
  } else if (sender_.has_begun() && sender_.outstanding() == 0) {
    // RFC 5681 §3.1: after the loss of a SYN-ACK, one segment.
    sender_.set_congestion_control(new_congestion_control(owner_.context.random.next()));
  }
  enter_established();
  end_opening();
  sender_.set_window(ack.header.sequence, ack.header.acknowledgment, scaled_window(ack));
  if (sender_.fin_queued()) after_fin_queued();
  take_acknowledgment(ack);
}

void Connection::leave_fast_open_queue(bool by_reset) {
  const auto queue = std::exchange(opening_->fast_open_queue, nullptr);
  if (by_reset) {
    queue->leave_by_reset(owner_.context.now);
  } else {
    queue->leave();
  }
}

}  // namespace transom::tcp
