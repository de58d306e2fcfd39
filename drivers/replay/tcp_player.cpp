#include "drivers/replay/tcp_player.h"

#include <algorithm>

namespace transom::drivers::replay {

TcpPlayer::TcpPlayer(Host& host, const Flow& flow, const TcpFacts& facts, std::size_t ours,
                     std::function<void(TcpPlayer&)> is_woken)
    : host_(host), flow_(flow), facts_(facts), ours_(ours), is_woken_(std::move(is_woken)) {}

tcp::Options TcpPlayer::options() const {
  tcp::Options options;
  // What the recorded stack held back (Nagle) was recorded when it went out, and is written then.
  options.no_delay = true;
  options.out_of_band_inline = true;
  options.ttl = us().ip_ttl;
  if (us().syn_options.maximum_segment_size) options.max_segment = *us().syn_options.maximum_segment_size;
  if (us().keep_idle) {
    options.keep_alive = true;
    options.keep_idle = std::max<std::uint32_t>(*us().keep_idle, 1);
    options.keep_interval = us().keep_interval.value_or(options.keep_interval);
  }
  const bool fast_open = us().is_opener ? us().syn_had_data : us().acknowledged_syn_data;
  if (fast_open) {
    options.fast_open_connect = us().is_opener;
    options.fast_open_without_cookie = true;
    options.fast_open_queue = 16;
  }
  return options;
}

void TcpPlayer::prepare(tcp::Listener* listener) {
  const wire::TcpOptions& syn = us().syn_options;
  tcp::Config& config = host_.tcp().config();
  config.timestamps = syn.timestamps.has_value();
  config.sack = syn.sack_permitted;
  config.window_scaling = syn.window_scale.has_value();
  config.ecn = !us().asked_for_ecn ? tcp::EcnMode::kOff
               : us().is_opener    ? tcp::EcnMode::kRequest
                                   : tcp::EcnMode::kAgree;
  config.fast_open.client_without_cookie = config.fast_open.server_without_cookie = true;
  config.receive_buffer.initial = std::max<std::uint32_t>(us().syn_window, 1);
  // The shift is that of the largest buffer that a window field must be able to say.
  config.receive_buffer.max = 65535U << std::min<std::uint8_t>(syn.window_scale.value_or(0), 14);
  if (listener != nullptr) listener->options() = options();
}

void TcpPlayer::open() {
  was_opened_ = true;
  prepare(nullptr);
  const tcp::FourTuple ends = tuple();
  auto hold = host_.tcp().bind({.local = ends.local, .reuse_address = true});
  if (!hold) {
    error_ = hold.error();
    return;
  }
  const auto made = host_.tcp().connect(*hold, ends.remote, options());
  if (!made) {
    error_ = made.error();
    return;
  }
  connection_ = *made;
  connection_->set_listener(this);
}

void TcpPlayer::take(tcp::Connection& connection) {
  connection_ = &connection;
  connection_->set_listener(this);
}

void TcpPlayer::on_recorded(const PacketView& packet, std::int64_t begin) {
  const wire::TcpHeader& header = *packet.tcp;
  if (header.flags.syn && !header.flags.ack && !was_opened_) open();
  if (header.flags.rst) {
    // A reset of its own accord carries an ACK and comes before any FIN; others answer what has arrived, and
    // that our stack does by itself.
    if (connection_ != nullptr && header.flags.ack && !us().fin) {
      connection_->abort();
      connection_ = nullptr;
      pieces_.clear();
    }
    return;
  }
  if (!header.flags.syn) {
    window_ = std::uint32_t{header.window} << facts_.scale(ours_);
    largest_window_ = std::max(largest_window_, window_);
  }
  write(begin, packet);
  if (header.flags.fin) fin_is_due_ = true;
  run();
}

void TcpPlayer::write_ahead(std::int64_t begin, const PacketView& packet) {
  write(begin, packet);
  if (packet.tcp->flags.fin) fin_is_due_ = true;
  flush();
  finish_sending();
}

void TcpPlayer::write(std::int64_t begin, const PacketView& packet) {
  const wire::TcpHeader& header = *packet.tcp;
  if (header.flags.syn) begin += 1;  // data of a fast open comes behind it
  const std::int64_t end = begin + packet.payload_length;
  if (end <= written_ || (begin > written_ && packet.payload_length <= 1)) return;  // sent before, or a probe
  if (begin > written_) fill_gap(begin);
  if (begin > written_) return;
  const auto skip = static_cast<std::size_t>(written_ - begin);
  std::vector<std::uint8_t> octets(static_cast<std::size_t>(end - written_));
  if (skip < packet.payload.size()) std::ranges::copy(packet.payload.subspan(skip), octets.begin());
  if (!packet.has_whole_payload()) made_up_ += packet.payload_length - packet.payload.size();
  written_ = end;
  // Without PSH there was more in the queue.
  const bool more = !header.flags.psh && !header.flags.fin;
  const std::size_t urgent =
      header.flags.urg && header.urgent_pointer > skip ? header.urgent_pointer - skip : 0;
  if (urgent > 0 && urgent <= octets.size()) {
    push(Bytes(octets).first(urgent), {.urgent = true, .more = false});
    if (urgent < octets.size()) push(Bytes(octets).subspan(urgent), {.urgent = false, .more = more});
  } else {
    push(octets, {.urgent = false, .more = more});
  }
}

void TcpPlayer::fill_gap(std::int64_t end) {
  constexpr std::int64_t kMost = 16 << 20;  // more is no segment that was lost, but a number of an attacker
  if (end - written_ > kMost) return;
  std::vector<std::uint8_t> octets(static_cast<std::size_t>(end - written_));
  if (!finder_ || !finder_(written_, octets)) made_up_ += octets.size();
  push(octets, {.urgent = false, .more = true});
  written_ = end;
}

void TcpPlayer::push(Bytes octets, tcp::SendFlags flags) {
  pieces_.push_back({{octets.begin(), octets.end()}, flags});
}

void TcpPlayer::flush() {
  while (connection_ != nullptr && !pieces_.empty()) {
    Piece& piece = pieces_.front();
    const Bytes rest = Bytes(piece.octets).subspan(piece.taken);
    const auto taken = connection_->send({&rest, 1}, piece.flags);
    if (!taken && taken.error() != Error::kWouldBlock) {
      error_ = taken.error();
      pieces_.clear();
    }
    if (!taken) return;
    piece.taken += *taken;
    if (piece.taken < piece.octets.size()) return;
    pieces_.pop_front();
  }
}

void TcpPlayer::run() {
  if (connection_ == nullptr) return;
  if (!was_established_) {
    const tcp::State state = connection_->state();
    was_established_ = state != tcp::State::kSynSent && state != tcp::State::kSynReceived;
    if (was_established_ && state != tcp::State::kClosed) {
      // As large as the recorded window ever was: what the recorded end had room for, ours must have, too.
      tcp::Options now = connection_->options();
      now.receive_buffer = std::max<std::uint32_t>({us().largest_window, us().syn_window, 1});
      connection_->set_options(now);
    }
  }
  read();
  flush();
  finish_sending();
  if (connection_ == nullptr) return;
  const Readiness readiness = connection_->readiness();
  if (readiness.error) {
    error_ = connection_->take_error();
    let_go();
  } else if (stream_has_ended_ && fin_is_queued_) {
    let_go();
  }
}

// What the recorded application left unread is left unread here: its window then was much smaller than
// before.
void TcpPlayer::read() {
  std::array<std::uint8_t, 65536> buffer;
  for (;;) {
    std::size_t wanted = buffer.size();
    if (largest_window_ > 0 && window_ < largest_window_ / 2 && !fin_is_due_) {
      const std::size_t unread = largest_window_ - window_, readable = connection_->readable_octets();
      wanted = readable > unread ? std::min(wanted, readable - unread) : 0;
      if (wanted == 0) return;
    }
    const auto got = connection_->receive(std::span(buffer).first(wanted));
    if (!got) {
      if (got.error() != Error::kWouldBlock && got.error() != Error::kNotConnected) error_ = got.error();
      return;
    }
    if (*got == 0) {
      stream_has_ended_ = true;
      return;
    }
    received_.add(StreamCheck::Side::kActual, read_, Bytes(buffer).first(*got));
    read_ += *got;
  }
}

void TcpPlayer::finish_sending() {
  if (!fin_is_due_ || fin_is_queued_ || !pieces_.empty() || connection_ == nullptr) return;
  fin_is_queued_ = true;
  if (us().took_data_after_fin() || !us().has_reset) {
    connection_->shutdown_send();
  } else {
    let_go();  // what came after the FIN was answered with a reset: nobody was there to read it
  }
}

void TcpPlayer::let_go() {
  connection_->set_listener(nullptr);
  connection_->close();
  connection_ = nullptr;
  pieces_.clear();
}

}  // namespace transom::drivers::replay
