// What is sent to the peer: the steps, what is lost again, and acknowledgments.
#include <fmt/format.h>

#include <algorithm>

#include "drivers/replay/icmp_errors.h"
#include "drivers/replay/live_connection.h"

namespace transom::drivers::replay {

// The recorded message, about the live segment at the same place.
void LiveConnection::play_error(const ScriptStep& step, Instant now) {
  QuotedSegment quoted{.from = tuple_.remote,
                       .to = tuple_.local,
                       .sequence = their_.number_of(step.awaits - 1),
                       .acknowledgment = std::nullopt};
  if (step.error_quotes_ack) quoted.acknowledgment = own_.number_of(*step.error_quotes_ack);
  auto message =
      error_about(quoted, {script_.ours, script_.theirs}, {tuple_.local, tuple_.remote}, step.error);
  if (message.empty() || !send_error_) return;
  ++sent_packets_;
  pacing_.sent(message.size());
  last_packets_.note(fmt::format("> ICMP type {} code {} about {}", message[0], message[1], step.awaits - 1),
                     now - anchor_);
  send_error_(std::move(message));
}

void LiveConnection::play(const ScriptStep& step, Instant now) {
  if (!step.error.empty()) return play_error(step, now);
  if (step.flags.rst) {
    wire::TcpFlags flags = step.flags;
    flags.ack = has_syn_;
    send(header_at(std::max(una_, sent_end_), flags, &step, now), {}, now);
    state_ = State::kDone;
    return;
  }
  send_range(step.begin, step.end, step.flags, &step, now);
}

// The SYN, octets and the FIN in [begin, end), in segments that the peer takes.
void LiveConnection::send_range(std::int64_t begin, std::int64_t end, const wire::TcpFlags& flags,
                                const ScriptStep* step, Instant now) {
  const bool is_in_fragments = step != nullptr && options_.fidelity == Fidelity::kExact &&
                               !step->fragments.empty() && end - begin <= std::int64_t{peer_mss_};
  const auto room = std::int64_t{is_in_fragments ? peer_mss_ : mss_};
  if (end - begin > room + 1) ++recut_;
  do {
    wire::TcpFlags now_flags = flags;
    now_flags.syn = begin == 0;
    const std::int64_t text = std::max<std::int64_t>(begin, 1);
    std::int64_t text_end = std::min({end, stream_end(), text + room});
    const bool is_fast_open = now_flags.syn && step != nullptr && script_.is_opener;
    if (now_flags.syn && !is_fast_open) text_end = std::min(text_end, text);  // it follows the handshake
    text_end = std::max(text_end, text);
    const bool reaches_fin = end > stream_end() && text_end == stream_end() && !now_flags.syn;
    now_flags.fin = reaches_fin;
    const std::int64_t segment_end = text_end + (reaches_fin ? 1 : 0);
    now_flags.psh = flags.psh && text_end > text && (segment_end >= end || reaches_fin);
    now_flags.ack = has_syn_;
    now_flags.ece = now_flags.cwr = now_flags.urg = false;
    const auto from = static_cast<std::size_t>(text - 1), size = static_cast<std::size_t>(text_end - text);
    // Probes and keep-alives lie before what there is.
    const Bytes payload = from + size <= script_.stream.size() && begin >= 0
                              ? Bytes(script_.stream).subspan(from, size)
                              : Bytes();
    wire::TcpHeader header = header_at(begin, now_flags, step, now);
    if (step != nullptr && flags.urg && begin == step->begin) {
      header.flags.urg = true;
      header.urgent_pointer = step->urgent;
    }
    if (segment_end > sent_end_) {
      if (timed_at_ == kNever && recover_ <= una_) {
        timed_at_ = now;
        timed_end_ = segment_end;
      }
      sent_end_ = segment_end;
      own_.see(own_.number_of(segment_end));
    } else if (segment_end > begin) {
      ++retransmitted_;
      timed_at_ = kNever;  // Karn (RFC 6298 §3)
    }
    send(header, payload, now, is_in_fragments ? step->fragments : std::span<const FragmentRange>());
    if (segment_end <= begin || (now_flags.syn && !has_syn_)) break;
    begin = segment_end;
  } while (begin < end);
  if (una_ < sent_end_ && retransmit_at_ == kNever) retransmit_at_ = now + rtt_.rto();
}

void LiveConnection::retransmit(Instant now) {
  const std::int64_t end = std::min(sent_end_, una_ + static_cast<std::int64_t>(mss_));
  wire::TcpFlags flags;
  flags.psh = true;
  if (una_ < end) send_range(una_, una_ == 0 ? 1 : end, flags, nullptr, now);
  retransmit_at_ = now + rtt_.rto();
}

void LiveConnection::on_timeout(Instant now) {
  rtt_.back_off();
  duplicate_acks_ = 0;
  if (una_ < sent_end_) {
    recover_ = sent_end_;
    retransmit(now);
    return;
  }
  retransmit_at_ = kNever;
  if (next_ == script_.steps.size() || !has_syn_) return;
  wire::TcpFlags flags;  // the window is closed: an old number draws an ACK that says how large it is
  flags.ack = true;
  send(header_at(una_ - 1, flags, nullptr, now), {}, now);
  retransmit_at_ = now + rtt_.rto();
}

// ---------------------------------------------------------------- segments

wire::TcpHeader LiveConnection::header_at(std::int64_t begin, wire::TcpFlags flags, const ScriptStep* step,
                                          Instant now) {
  wire::TcpHeader header;
  header.source_port = tuple_.local.port;
  header.destination_port = tuple_.remote.port;
  header.sequence = own_.number_of(begin);
  header.flags = flags;
  if (flags.ack) {
    // What the step acknowledged has come; never take back what was said.
    if (step == nullptr || options_.fidelity == Fidelity::kStream || step->awaits > heard_) {
      acked_ = heard_;
    } else {
      acked_ = std::max(acked_, step->awaits);
    }
    header.acknowledgment = their_.number_of(acked_);
    if (acked_ >= heard_) ack_at_ = kNever;
  }
  const std::uint8_t scale = scaling_ && !flags.syn ? script_.scale : 0;
  if (step != nullptr) right_edge_ = std::max(right_edge_, step->right_edge);
  if (next_ == script_.steps.size()) right_edge_ = std::max<std::int64_t>(right_edge_, acked_ + 65535);
  const std::int64_t window = std::max<std::int64_t>(right_edge_ - acked_, 0);
  header.window = static_cast<std::uint16_t>(std::min<std::int64_t>(window >> scale, 65535));
  if (flags.syn) {
    header.window = script_.us.syn_window;
    const wire::TcpOptions& recorded = script_.us.syn_options;
    header.options.maximum_segment_size = recorded.maximum_segment_size;
    if (!has_syn_ || scaling_) header.options.window_scale = recorded.window_scale;
    if (!has_syn_ || sack_) header.options.sack_permitted = recorded.sack_permitted;
    if (step != nullptr && recorded.fast_open) add_fast_open(header.options, *recorded.fast_open);
  }
  const bool wants_timestamps =
      flags.syn && !has_syn_ ? script_.us.syn_options.timestamps.has_value() : timestamps_;
  if (wants_timestamps) {
    if (step != nullptr && step->echoes > 0) {  // the peer's segment that the recorded one answered
      while (!arrivals_.empty() && arrivals_.front().end < step->echoes) arrivals_.pop_front();
      if (!arrivals_.empty() && static_cast<std::int32_t>(arrivals_.front().timestamp - echo_) > 0)
        echo_ = arrivals_.front().timestamp;
    } else if (!arrivals_.empty() && flags.ack) {
      const std::uint32_t latest = arrivals_.back().timestamp;
      if (static_cast<std::int32_t>(latest - echo_) > 0) echo_ = latest;
    }
    const std::uint32_t clock =
        script_.us.first_timestamp.value_or(0) + static_cast<std::uint32_t>(to_milliseconds(now - anchor_));
    header.options.timestamps = wire::TcpTimestamps{clock, flags.ack ? echo_ : 0};
  }
  if (sack_ && flags.ack && !flags.syn && begin >= sent_end_) add_sack_blocks(header.options);
  return header;
}

// RFC 7413 §3.1: a client has the cookie from the live peer, as far as there was one; a server gives the
// recorded one to who asks.
void LiveConnection::add_fast_open(wire::TcpOptions& options, const wire::FastOpenCookie& recorded) const {
  if (has_syn_) {
    if (asks_for_cookie_) options.fast_open = recorded;
    return;
  }
  options.fast_open = recorded;
  if (recorded.is_request() || cookies_ == nullptr) return;
  if (const auto known = cookies_->find(tuple_.remote.address); known != cookies_->end())
    options.fast_open = known->second;
}

void LiveConnection::add_sack_blocks(wire::TcpOptions& options) const {
  const std::size_t room = timestamps_ ? 3 : 4;  // RFC 2018 §3
  std::vector<std::pair<std::int64_t, std::int64_t>> merged;
  for (const auto& [begin, end] : beyond_) {
    if (!merged.empty() && begin <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, end);
    } else {
      merged.emplace_back(begin, end);
    }
  }
  for (std::size_t i = 0; i < merged.size() && i < room; ++i)
    options.add_sack({their_.number_of(merged[i].first), their_.number_of(merged[i].second)});
}

void LiveConnection::send_ack(Instant now) {
  wire::TcpFlags flags;
  flags.ack = true;
  ack_at_ = kNever;
  send(header_at(sent_end_, flags, nullptr, now), {}, now);
}

void LiveConnection::send(const wire::TcpHeader& header, Bytes payload, Instant now,
                          std::span<const FragmentRange> fragments) {
  ++sent_packets_;
  pacing_.sent(payload.size() + 40);
  note(true, header, payload.size(), now);
  send_(header, payload, fragments);
}

void LiveConnection::note(bool is_ours, const wire::TcpHeader& header, std::size_t octets, Instant now) {
  last_packets_.note(is_ours, header, octets, is_ours ? own_ : their_, is_ours ? their_ : own_,
                     anchor_ == kNever ? Duration::zero() : now - anchor_);
}

}  // namespace transom::drivers::replay
