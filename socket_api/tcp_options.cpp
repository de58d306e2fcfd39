// The options of a TcpSocket: tcp(7), and what it does with the others.
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "socket_api/option_value.h"
#include "socket_api/stream_filter.h"
#include "socket_api/tcp_info.h"
#include "socket_api/tcp_socket.h"

namespace transom::sockets {

namespace {

constexpr std::uint32_t kMinBuffer = 2304;  // half of what SOCK_MIN_SNDBUF of Linux is
constexpr int kMinMaxSegment = 88;
constexpr int kMaxMaxSegment = 32767;
constexpr int kDefaultMaxSegment = 536;  // what is shown before there is a connection
constexpr int kMaxKeepTime = 32767;      // seconds
constexpr int kMaxProbes = 127;
constexpr std::size_t kMaxCongestionName = 15;     // TCP_CA_NAME_MAX without the zero
constexpr std::size_t kMaxCongestionChoice = 255;  // with parameters: "cubic:beta=0.8"

}  // namespace

namespace {

// As Linux: TCP_DEFER_ACCEPT is told in seconds and kept as a number of SYN-ACKs, 1 + 2 + 4 + ... seconds
// apart.
constexpr int kMaxTimeout = 120;

std::uint8_t retries_of(int seconds) {
  if (seconds <= 0) return 0;
  int retries = 1;
  int timeout = 1;
  for (int period = 1; seconds > period && retries < UINT8_MAX; period += timeout) {
    ++retries;
    timeout = std::min(2 * timeout, kMaxTimeout);
  }
  return static_cast<std::uint8_t>(retries);
}

int seconds_of(int retries) {
  int period = 0;
  int timeout = 1;
  for (int i = 0; i < retries; ++i) {
    period += timeout;
    timeout = std::min(2 * timeout, kMaxTimeout);
  }
  return period;
}

// TCP_CC_INFO of BBR (struct tcp_bbr_info of <linux/inet_diag.h>); the other congestion controls have none.
struct BbrInfo {
  std::uint32_t bandwidth_low, bandwidth_high;  // octets per second
  std::uint32_t min_rtt;                        // microseconds
  std::uint32_t pacing_gain, cwnd_gain;         // in 256ths; the second is not told
};

std::size_t write_congestion_info(const tcp::Info& info, MutableBytes out) {
  if (!info.congestion_control.starts_with("bbr")) return 0;
  const auto metric = [&](std::string_view name) {
    for (std::size_t i = 0; i < info.metric_count; ++i) {
      if (info.metrics[i].name == name) return info.metrics[i].value;
    }
    return 0.0;
  };
  constexpr double kUnit = 256;
  const double bandwidth = metric("bandwidth octets/s");
  const auto whole = static_cast<std::uint64_t>(bandwidth);
  return write_option(
      out, BbrInfo{static_cast<std::uint32_t>(whole), static_cast<std::uint32_t>(whole >> 32U),
                   static_cast<std::uint32_t>(
                       std::chrono::duration_cast<std::chrono::microseconds>(info.min_rtt).count()),
                   bandwidth > 0
                       ? static_cast<std::uint32_t>(static_cast<double>(info.pacing_rate) / bandwidth * kUnit)
                       : 0,
                   0});
}

}  // namespace

// tcp::Options is what the stack knows of the settings.
void TcpSocket::apply_settings(Session& session) {
  clock_ = &session.loop();
  const IpFamily family =
      connection_ != nullptr ? connection_->tuple().remote.address.family() : family_of(domain());
  options_.keep_alive = settings_.keep_alive;
  options_.receive_errors = settings_.ip.of(family).receive_errors;
  options_.out_of_band_inline = settings_.out_of_band_inline;
  options_.linger = settings_.linger;
  options_.max_pacing_rate = settings_.max_pacing_rate == UINT64_MAX ? 0 : settings_.max_pacing_rate;
  options_.ttl = settings_.ip.hops_or_default(family);
  options_.min_hops = static_cast<std::uint8_t>(settings_.ip.of(family).min_hops);
  options_.traffic_class =
      static_cast<std::uint8_t>(settings_.ip.of(family).traffic_class & 0xfc);  // ECN is TCP's own
  options_.filter = settings_.filter ? std::make_shared<StreamFilter>(settings_.filter) : nullptr;
  if (settings_.send_buffer) options_.send_buffer = std::max(*settings_.send_buffer, kMinBuffer);
  if (settings_.receive_buffer) options_.receive_buffer = std::max(*settings_.receive_buffer, kMinBuffer);
  // As Linux: a buffer that is not fixed must hold what is waited for.
  constexpr std::size_t kAlwaysFits = 16384;
  if (!settings_.receive_buffer && low_water() > kAlwaysFits)
    options_.receive_buffer = std::max(options_.receive_buffer, static_cast<std::uint32_t>(2 * low_water()));
  if (connection_ != nullptr) connection_->set_options(options_);
  if (listener_ != nullptr) listener_->options() = options_;
}

// What is used, and as much again that Linux would spend on the packets around it.
int TcpSocket::send_buffer(Session& session) const {
  if (connection_ != nullptr) return static_cast<int>(2 * connection_->send_buffer());
  const std::uint32_t tuned = session.host().tcp().config().send_buffer.initial;
  return static_cast<int>(2 * (options_.send_buffer != 0 ? options_.send_buffer : tuned));
}

int TcpSocket::receive_buffer(Session& session) const {
  if (phase_ == Phase::kConnected) return static_cast<int>(2 * connection_->receive_buffer());
  return static_cast<int>(2 * tcp::first_receive_buffer(session.host().tcp().config(), options_));
}

Outcome<void> TcpSocket::set_option(Session& session, int level, int name, Bytes value) {
  if (level != IPPROTO_TCP) return Socket::set_option(session, level, name, value);
  const auto done = set_tcp_option(session, name, value);
  if (done) apply_settings(session);
  return done;
}

Outcome<void> TcpSocket::set_tcp_option(Session& session, int name, Bytes value) {
  const auto set_bool = [&](bool& place) -> Outcome<void> {
    const auto on = read_option<int>(value);
    if (!on) return std::unexpected(on.error());
    place = *on != 0;
    return {};
  };
  // Those that take nothing but 0 and 1.
  const auto set_flag = [](bool& place, Bytes octets) -> Outcome<void> {
    const auto on = read_int_option(octets, 0, 1);
    if (!on) return std::unexpected(on.error());
    place = *on != 0;
    return {};
  };
  const auto set_number = [&](auto& place, int low, int high) -> Outcome<void> {
    const auto number = read_int_option(value, low, high);
    if (!number) return std::unexpected(number.error());
    place = static_cast<std::remove_reference_t<decltype(place)>>(*number);
    return {};
  };
  switch (name) {
    case TCP_NODELAY:
      return set_bool(options_.no_delay);
    case TCP_CORK:
      return set_bool(options_.cork);
    case TCP_QUICKACK:
      return set_bool(options_.quick_ack);
    case TCP_KEEPIDLE:
      return set_number(options_.keep_idle, 1, kMaxKeepTime);
    case TCP_KEEPINTVL:
      return set_number(options_.keep_interval, 1, kMaxKeepTime);
    case TCP_KEEPCNT:
      return set_number(options_.keep_count, 1, kMaxProbes);
    case TCP_TIMESTAMP:
      return fail(EPERM);  // as Linux without TCP_REPAIR
    case TCP_SYNCNT:
      return set_number(options_.syn_retries, 1, kMaxProbes);
    case TCP_DEFER_ACCEPT: {
      const auto seconds = read_option<int>(value);
      if (!seconds) return std::unexpected(seconds.error());
      options_.defer_accept = retries_of(*seconds);
      return {};
    }
    case TCP_LINGER2: {
      const auto seconds = read_option<int>(value);
      if (!seconds) return std::unexpected(seconds.error());
      constexpr int kMost = 120;
      options_.fin_wait_2 = *seconds < 0 ? -1 : *seconds > kMost ? kMost : *seconds;
      return {};
    }
    case TCP_WINDOW_CLAMP: {
      const auto octets = read_option<int>(value);
      if (!octets) return std::unexpected(octets.error());
      if (*octets == 0 && connection_ != nullptr) return fail(EINVAL);
      constexpr int kLeast = 1152;  // half of SOCK_MIN_RCVBUF of Linux
      options_.window_clamp = *octets == 0 ? 0 : static_cast<std::uint32_t>(std::max(*octets, kLeast));
      return {};
    }
    case TCP_SAVE_SYN:
      return set_flag(options_.save_syn, value);
    case TCP_INQ:
      return set_flag(tells_queued_, value);
    case TCP_THIN_LINEAR_TIMEOUTS:
      return set_flag(thin_timeouts_, value);
    case TCP_THIN_DUPACK:
      return set_flag(thin_acks_, value);
    case TCP_REPAIR:
      return fail(EPERM);
    case TCP_ULP:
      return fail(ENOENT);  // none is known
    case TCP_USER_TIMEOUT:
      return set_number(options_.user_timeout, 0, INT32_MAX);
    case TCP_NOTSENT_LOWAT: {
      const auto octets = read_option<int>(value);
      if (!octets) return std::unexpected(octets.error());
      // As Linux: unsigned, and 0 for no limit.
      options_.not_sent_low_water = *octets == 0 ? UINT32_MAX : static_cast<std::uint32_t>(*octets);
      return {};
    }
    case TCP_MAXSEG: {
      const auto size = read_option<int>(value);
      if (!size) return std::unexpected(size.error());
      if (*size != 0 && (*size < kMinMaxSegment || *size > kMaxMaxSegment)) return fail(EINVAL);
      options_.max_segment = static_cast<std::uint16_t>(*size);
      return {};
    }
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT:
    case TCP_FASTOPEN_KEY:
    case TCP_FASTOPEN_NO_COOKIE:
      return set_fast_open_option(session, name, value);
    case TCP_CONGESTION: {
      if (value.empty()) return fail(EINVAL);
      const auto* text = reinterpret_cast<const char*>(value.data());
      const std::string_view given(text, strnlen(text, std::min(value.size(), kMaxCongestionChoice)));
      const auto factory = session.host().tcp().choose_congestion_control(given);
      if (!factory) return fail(given.find(':') == std::string_view::npos ? ENOENT : EINVAL);
      options_.congestion_control = *factory;
      return {};
    }
    default:
      return fail(ENOPROTOOPT);
  }
}

Outcome<std::size_t> TcpSocket::get_option(Session& session, int level, int name, MutableBytes out) {
  return level == IPPROTO_TCP ? get_tcp_option(session, name, out)
                              : Socket::get_option(session, level, name, out);
}

Outcome<std::size_t> TcpSocket::get_tcp_option(Session& session, int name, MutableBytes out) const {
  switch (name) {
    case TCP_NODELAY:
      return write_bool_option(out, options_.no_delay);
    case TCP_CORK:
      return write_bool_option(out, options_.cork);
    case TCP_QUICKACK:
      return write_bool_option(out, options_.quick_ack);
    case TCP_KEEPIDLE:
      return write_int_option(out, static_cast<int>(options_.keep_idle));
    case TCP_KEEPINTVL:
      return write_int_option(out, static_cast<int>(options_.keep_interval));
    case TCP_KEEPCNT:
      return write_int_option(out, options_.keep_count);
    case TCP_SYNCNT:
      return write_int_option(out, options_.syn_retries);
    case TCP_DEFER_ACCEPT:
      return write_int_option(out, seconds_of(options_.defer_accept));
    case TCP_LINGER2: {
      constexpr int kDefault = 60;
      return write_int_option(out, options_.fin_wait_2 == 0 ? kDefault : options_.fin_wait_2);
    }
    case TCP_WINDOW_CLAMP:
      return write_int_option(out, static_cast<int>(options_.window_clamp));
    case TCP_SAVE_SYN:
      return write_bool_option(out, options_.save_syn);
    case TCP_SAVED_SYN:
      return write_saved_syn(out);
    case TCP_INQ:
      return write_bool_option(out, tells_queued_);
    case TCP_THIN_LINEAR_TIMEOUTS:
      return write_bool_option(out, thin_timeouts_);
    case TCP_THIN_DUPACK:
      return write_bool_option(out, thin_acks_);
    case TCP_REPAIR:
      return write_int_option(out, 0);
    case TCP_ULP:
      return 0;
    case TCP_CC_INFO:
      return connection_ != nullptr ? write_congestion_info(connection_->info(), out) : 0;
    case TCP_USER_TIMEOUT:
      return write_int_option(out, static_cast<int>(options_.user_timeout));
    case TCP_NOTSENT_LOWAT:
      return write_int_option(
          out, options_.not_sent_low_water == UINT32_MAX ? 0 : static_cast<int>(options_.not_sent_low_water));
    case TCP_MAXSEG: {
      if (phase_ == Phase::kConnected)
        return write_int_option(out, static_cast<int>(connection_->info().send_mss));
      return write_int_option(out, options_.max_segment != 0 ? options_.max_segment : kDefaultMaxSegment);
    }
    case TCP_FASTOPEN:
      return write_int_option(out, static_cast<int>(options_.fast_open_queue));
    case TCP_FASTOPEN_CONNECT:
      return write_bool_option(out, options_.fast_open_connect);
    case TCP_FASTOPEN_NO_COOKIE:
      return write_bool_option(out, options_.fast_open_without_cookie);
    case TCP_FASTOPEN_KEY:
      return write_fast_open_keys(session, out);
    case TCP_CONGESTION: {
      std::array<char, kMaxCongestionName + 1> text{};
      const tcp::CongestionFactory& factory = options_.congestion_control != nullptr
                                                  ? *options_.congestion_control
                                                  : session.host().tcp().standard_congestion_control();
      std::ranges::copy(factory.name.substr(0, kMaxCongestionName), text.begin());
      return write_option(out, text);
    }
    case TCP_INFO: {
      tcp::Info info;
      if (connection_ != nullptr) {
        info = connection_->info();
      } else if (listener_ != nullptr) {
        info.state = tcp::State::kListen;
        info.receive_queue = static_cast<std::uint32_t>(listener_->queued());
        info.send_queue = static_cast<std::uint32_t>(listener_->backlog());
      }
      return write_tcp_info(info, out);
    }
    default:
      return fail(ENOPROTOOPT);
  }
}

// As Linux: once, and only where there is room for it all.
Outcome<std::size_t> TcpSocket::write_saved_syn(MutableBytes out) const {
  if (connection_ == nullptr || connection_->saved_syn().empty()) return 0;
  const std::span<const std::uint8_t> headers = connection_->saved_syn();
  if (out.size() < headers.size()) return fail(EINVAL);
  std::ranges::copy(headers, out.begin());
  const std::size_t size = headers.size();
  connection_->save_syn({});
  return size;
}

Outcome<int> TcpSocket::query(unsigned long request) const {
  if (request != FIONREAD && request != SIOCOUTQ && request != SIOCOUTQNSD && request != SIOCATMARK)
    return fail(ENOTTY);
  if (listener_ != nullptr && request != SIOCATMARK) return fail(EINVAL);
  if (connection_ == nullptr) return 0;
  switch (request) {
    case FIONREAD:
      return static_cast<int>(connection_->readable_octets());
    case SIOCATMARK:
      return connection_->at_urgent_mark() ? 1 : 0;
    case SIOCOUTQ:
      return static_cast<int>(connection_->unacked_octets());
    default:
      return static_cast<int>(connection_->unsent_octets());
  }
}

}  // namespace transom::sockets
