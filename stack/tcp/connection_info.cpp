// What a connection shows of itself.
#include <algorithm>

#include "stack/tcp/connection.h"

namespace transom::tcp {

void Connection::describe_sender(Info& info) const {
  const Instant now = owner_.context.now;
  const RttEstimator& rtt = sender_.rtt();
  info.rto = rtt.rto();
  info.srtt = rtt.srtt();
  info.rttvar = rtt.rttvar();
  info.min_rtt = rtt.min_rtt();
  info.latest_rtt = rtt.latest();
  info.backoff = rtt.backoff();
  info.syn_data = syn_data_;
  info.fast_open_child = is_fast_open_child_;
  info.fast_open_failure = fast_open_failure_;
  info.send_queue = sender_.queue().size();
  info.send_buffer = send_buffer_.size();
  info.unsent = sender_.unsent();
  info.send_mss = sender_.mss();
  info.path_mtu = sender_.mss() < sender_.path_mss() ? sender_.mss() + header_octets() : link_mtu_;
  info.send_window = sender_.window();
  info.max_pacing_rate = options_->max_pacing_rate;
  info.probes = probes_;
  info.timeouts = syn_retries_;
  if (sender_.has_begun() && sender_.congestion_control() != nullptr) {
    describe_flow(info);
  } else if (is_synchronised()) {  // what it would begin with
    const auto congestion = new_congestion_control(0);
    info.cwnd = congestion->output().cwnd;
    describe_congestion_control(*congestion, info);
  }
  if (!is_synchronised()) return;
  info.since_data_sent = now - (traffic_ ? traffic_->last_sent : last_data_received_);
  info.since_data_received = now - last_data_received_;
  info.since_ack_received = now - (traffic_ ? traffic_->last_ack_received : last_received_);
}

void Connection::describe_congestion_control(const CongestionControl& congestion, Info& info) const {
  info.ssthresh = congestion.output().ssthresh;
  info.congestion_control = congestion.name();
  info.metric_count = static_cast<std::uint8_t>(std::min(congestion.metrics(info.metrics), kMaxMetrics));
}

void Connection::describe_flow(Info& info) const {
  describe_congestion_control(*sender_.congestion_control(), info);
  info.cwnd = sender_.cwnd();
  info.pacing_rate = sender_.pacing_rate();
  const Scoreboard& scoreboard = sender_.scoreboard();
  info.in_flight = scoreboard.in_flight();
  info.outstanding = scoreboard.outstanding();
  info.sacked = scoreboard.sacked();
  info.retransmitted_in_flight = scoreboard.retransmitted();
  info.lost = scoreboard.lost() + info.retransmitted_in_flight;
  info.delivery_rate = sender_.delivery_rate().latest();
  info.delivery_rate_application_limited = sender_.delivery_rate().latest_is_application_limited();
  info.timeouts_in_row = sender_.timeouts_in_row();
  info.congestion_state = sender_.in_timeout_recovery()              ? CongestionState::kLoss
                          : sender_.in_recovery()                    ? CongestionState::kRecovery
                          : ecn_ && ecn_->is_reducing(sender_.una()) ? CongestionState::kReduced
                          : sender_.sees_disorder()                  ? CongestionState::kDisorder
                                                                     : CongestionState::kOpen;
  const Sender::Experience experience = sender_.experience(owner_.context.now);
  info.delivered = sender_.delivery_rate().delivered();
  info.delivered_marked = experience.delivered_marked;
  info.duplicates_reported = experience.duplicates_reported;
  info.reorderings = experience.reorderings;
  info.timeouts += experience.timeouts;
  info.timeout_recoveries = experience.timeout_recoveries;
  info.timeout_recovery_time = experience.timeout_recovery_time;
}

void Connection::describe_receiver(Info& info) const {
  info.receive_queue = receiver_.readable();
  info.receive_buffer = receiver_.buffer();
  info.receive_window = receiver_.window();
  info.peer_segment = receiver_.peer_segment();
  info.ack_timeout = receiver_.ack_delay(sender_.rtt().srtt());
}

void Connection::describe_traffic(Info& info) const {
  info.receive_rtt = traffic_->receive_tuning.rtt();
  info.received_per_round = traffic_->receive_tuning.per_round();
  info.limited = traffic_->limited.totals(owner_.context.now);
  info.limited_now = traffic_->limited.current();
  info.bytes_sent = traffic_->bytes_sent;
  info.bytes_retransmitted = traffic_->bytes_retransmitted;
  info.bytes_acked = traffic_->bytes_acked;
  info.bytes_received = traffic_->bytes_received;
  info.data_segments_out = traffic_->data_segments_out;
  info.data_segments_in = traffic_->data_segments_in;
  info.retransmitted_segments = traffic_->retransmitted_segments;
  info.out_of_order_segments = traffic_->out_of_order_segments;
}

Info Connection::info() const {
  const Instant now = owner_.context.now;
  Info info;
  info.tuple = tuple_;
  info.state = state_;
  info.interface =
      destination_ && destination_->interface != nullptr ? destination_->interface->id() : InterfaceId::kAny;
  info.receive_mss =
      destination_ && destination_->interface != nullptr ? receive_mss(*destination_, *options_) : 0;
  info.send_scale = negotiated_.send_scale;
  info.receive_scale = negotiated_.receive_scale;
  info.timestamps = negotiated_.timestamps;
  info.sack = negotiated_.sack;
  info.ecn = negotiated_.ecn.kind != EcnKind::kNone;
  describe_sender(info);
  describe_receiver(info);
  if (traffic_) describe_traffic(info);
  info.segments_out = segments_out_;
  info.segments_in = segments_in_;
  const auto name_of = [](Alarm alarm) -> std::string_view {
    switch (alarm) {
      case Alarm::kRetransmit:
        return "on";
      case Alarm::kPersist:
        return "persist";
      case Alarm::kKeepAlive:
        return "keepalive";
      default:
        return "";
    }
  };
  for (const Alarm alarm : {Alarm::kRetransmit, Alarm::kPersist, Alarm::kKeepAlive}) {
    if (!is_set(alarm)) continue;
    info.timer = name_of(alarm);
    info.timer_expires = deadline(alarm) - now;
    break;
  }
  return info;
}

}  // namespace transom::tcp
