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
  info.min_rtt = rtt.has_sample() ? rtt.min_rtt() : Duration{};
  info.latest_rtt = rtt.latest();
  info.pacing_rate = sender_.pacing_rate();
  info.backoff = rtt.backoff();
  info.syn_data = syn_data_;
  info.fast_open_child = is_fast_open_child_;
  info.fast_open_failure = fast_open_failure_;
  if (const CongestionControl* congestion = sender_.congestion_control()) {
    const auto output = congestion->output();
    info.cwnd = sender_.cwnd();
    info.ssthresh = output.ssthresh;
    info.congestion_control = congestion->name();
    info.metric_count = static_cast<std::uint8_t>(std::min(congestion->metrics(info.metrics), kMaxMetrics));
  }
  const Scoreboard& scoreboard = sender_.scoreboard();
  info.send_queue = sender_.queue().size();
  info.send_buffer = send_buffer_.size();
  info.unsent = sender_.unsent();
  info.send_mss = sender_.mss();
  info.path_mtu = sender_.mss() < sender_.path_mss() ? sender_.mss() + header_octets() : link_mtu_;
  info.send_window = sender_.window();
  info.in_flight = scoreboard.in_flight();
  info.outstanding = scoreboard.outstanding();
  info.sacked = scoreboard.sacked();
  info.retransmitted_in_flight = scoreboard.retransmitted();
  info.lost = scoreboard.lost() + info.retransmitted_in_flight;
  info.max_pacing_rate = options_.max_pacing_rate;
  info.delivery_rate = sender_.delivery_rate().latest();
  info.delivery_rate_application_limited = sender_.delivery_rate().latest_is_application_limited();
  info.timeouts_in_row = sender_.timeouts_in_row();
  info.probes = probes_;
  info.congestion_state = sender_.in_timeout_recovery()     ? CongestionState::kLoss
                          : sender_.in_recovery()           ? CongestionState::kRecovery
                          : ecn_.is_reducing(sender_.una()) ? CongestionState::kReduced
                          : sender_.sees_disorder()         ? CongestionState::kDisorder
                                                            : CongestionState::kOpen;
  const Sender::Experience experience = sender_.experience(now);
  info.delivered = sender_.delivery_rate().delivered();
  info.delivered_marked = experience.delivered_marked;
  info.duplicates_reported = experience.duplicates_reported;
  info.reorderings = experience.reorderings;
  info.timeouts = experience.timeouts + syn_retries_;
  info.timeout_recoveries = experience.timeout_recoveries;
  info.timeout_recovery_time = experience.timeout_recovery_time;
  if (!is_synchronised()) return;
  info.since_data_sent = now - last_data_sent_;
  info.since_data_received = now - last_data_received_;
  info.since_ack_received = now - last_ack_received_;
}

void Connection::describe_receiver(Info& info) const {
  info.receive_queue = receiver_.readable();
  info.receive_buffer = receiver_.buffer();
  info.receive_window = receiver_.window();
  info.peer_segment = receiver_.peer_segment();
  info.ack_timeout = receiver_.ack_delay(sender_.rtt().srtt());
  info.receive_rtt = receive_tuning_.rtt();
  info.received_per_round = receive_tuning_.per_round();
}

Info Connection::info() const {
  const Instant now = owner_.context.now;
  Info info;
  info.tuple = tuple_;
  info.state = state_;
  info.interface =
      destination_ && destination_->interface != nullptr ? destination_->interface->id() : InterfaceId::kAny;
  info.receive_mss =
      destination_ && destination_->interface != nullptr ? receive_mss(*destination_, options_) : 0;
  info.send_scale = negotiated_.send_scale;
  info.receive_scale = negotiated_.receive_scale;
  info.timestamps = negotiated_.timestamps;
  info.sack = negotiated_.sack;
  info.ecn = negotiated_.ecn.kind != EcnKind::kNone;
  describe_sender(info);
  describe_receiver(info);
  info.limited = limited_.totals(now);
  info.limited_now = limited_.current();
  info.bytes_sent = bytes_sent_;
  info.bytes_retransmitted = bytes_retransmitted_;
  info.bytes_acked = bytes_acked_;
  info.bytes_received = bytes_received_;
  info.segments_out = segments_out_;
  info.segments_in = segments_in_;
  info.data_segments_out = data_segments_out_;
  info.data_segments_in = data_segments_in_;
  info.retransmitted_segments = retransmitted_segments_;
  info.out_of_order_segments = out_of_order_segments_;
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
    const Instant deadline = deadlines_[static_cast<std::size_t>(alarm)];
    if (deadline == kNever) continue;
    info.timer = name_of(alarm);
    info.timer_expires = deadline - now;
    break;
  }
  return info;
}

}  // namespace transom::tcp
