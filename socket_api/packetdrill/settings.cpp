#include "socket_api/packetdrill/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <optional>

namespace transom::sockets {

namespace {

using Failure = std::unexpected<std::string>;

struct Knob {
  std::string_view word;
  std::string_view sysctl;
  long low;
  long high;
  long Knobs::* value;
  std::string_view meaning;
};

constexpr long kMaxSeconds = 32767;

constexpr std::array kKnobs = {
    Knob{"timestamps", "net.ipv4.tcp_timestamps", 0, 2, &Knobs::timestamps, "the timestamps option"},
    Knob{"sack", "net.ipv4.tcp_sack", 0, 1, &Knobs::sack, "selective acknowledgments"},
    Knob{"window_scaling", "net.ipv4.tcp_window_scaling", 0, 1, &Knobs::window_scaling, "window scaling"},
    Knob{"ecn", "net.ipv4.tcp_ecn", 0, 5, &Knobs::ecn,
         "0 off, 1 request, 2 agree, 3 request accurate, 5 agree to both"},
    Knob{"syn_retries", "net.ipv4.tcp_syn_retries", 1, 127, &Knobs::syn_retries, "of an active open"},
    Knob{"keepalive_time", "net.ipv4.tcp_keepalive_time", 1, kMaxSeconds, &Knobs::keepalive_time,
         "seconds of silence before a probe"},
    Knob{"keepalive_intvl", "net.ipv4.tcp_keepalive_intvl", 1, kMaxSeconds, &Knobs::keepalive_interval,
         "seconds between probes"},
    Knob{"keepalive_probes", "net.ipv4.tcp_keepalive_probes", 1, 127, &Knobs::keepalive_probes,
         "unanswered probes that end a connection"},
    Knob{"fin_timeout", "net.ipv4.tcp_fin_timeout", 1, kMaxSeconds, &Knobs::fin_timeout,
         "seconds in FIN-WAIT-2 of a closed socket"},
    Knob{"min_rto_us", "net.ipv4.tcp_rto_min_us", 1, 1'000'000, &Knobs::min_rto_us,
         "microseconds of the shortest retransmission time-out"},
    Knob{"notsent_lowat", "net.ipv4.tcp_notsent_lowat", 0, UINT_MAX, &Knobs::not_sent_low_water,
         "octets unsent with which a socket is no more writable"},
    Knob{"ttl", "net.ipv4.ip_default_ttl", 1, 255, &Knobs::ttl, "of packets that are sent"},
    Knob{"rcvbuf", "net.core.rmem_default", 1, 16 << 20, &Knobs::receive_buffer,
         "octets, as SO_RCVBUF sets them, of each socket"},
    Knob{"sndbuf", "net.core.wmem_default", 1, 16 << 20, &Knobs::send_buffer,
         "octets, as SO_SNDBUF sets them, of each socket"},
    Knob{"syncookies", "net.ipv4.tcp_syncookies", 0, 2, &Knobs::syn_cookies, "cookies when a queue is full"},
    Knob{"fastopen", "net.ipv4.tcp_fastopen", 0, 0x7ff, &Knobs::fast_open,
         "sum of 1 client, 2 server, 4 client without cookie, 512 server without cookie, 1024 all listeners"},
};

constexpr std::string_view kCongestionWord = "congestion";
constexpr std::string_view kCongestionSysctl = "net.ipv4.tcp_congestion_control";
constexpr std::string_view kFastOpenKeyWord = "fastopen_key";
constexpr std::string_view kFastOpenKeySysctl = "net.ipv4.tcp_fastopen_key";

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// As sysctl shows it: four words of eight hexadecimal digits, each in the order of the machine
// (little-endian).
std::optional<SipKey> parse_fast_open_key(std::string_view text) {
  constexpr std::size_t kDigits = 8, kWords = 4;
  std::array<std::uint64_t, kWords> words{};
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::string_view digits = text.substr(0, kDigits);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), words[i], 16);
    if (problem != std::errc{} || end != digits.data() + kDigits) return std::nullopt;
    text.remove_prefix(kDigits);
    const bool is_last = i + 1 == kWords;
    if (is_last ? !text.empty() : !text.starts_with('-')) return std::nullopt;
    if (!is_last) text.remove_prefix(1);
  }
  return SipKey{words[0] | words[1] << 32, words[2] | words[3] << 32};
}

std::expected<void, std::string> set_fast_open_key(Knobs& knobs, std::string_view text) {
  const auto key = parse_fast_open_key(text);
  if (!key)
    return Failure(fmt::format("{}={}: takes four numbers like 0a1b2c3d-00000000-00000000-00000001",
                               kFastOpenKeyWord, text));
  knobs.fast_open_key = key;
  return {};
}

std::expected<void, std::string> set(Knobs& knobs, const Knob& knob, std::string_view text) {
  std::optional<long> number = parse_number<long>(text);
  if (text == "on") number = 1;
  if (text == "off") number = 0;
  if (!number || *number < knob.low || *number > knob.high)
    return Failure(fmt::format("{}={}: takes {} to {}", knob.word, text, knob.low, knob.high));
  knobs.*knob.value = *number;
  return {};
}

std::string all_words() {
  std::string words = "local gateway mtu seed sysctl_file congestion fastopen_key";
  for (const Knob& knob : kKnobs) words += fmt::format(" {}", knob.word);
  return words;
}

std::expected<void, std::string> take_word(Settings& settings, std::string_view word,
                                           std::string_view value) {
  const auto complain = [&](std::string_view what) {
    return Failure(fmt::format("{}={}: {}", word, value, what));
  };
  if (word == "local") {
    const bool has_length = value.find('/') != std::string_view::npos;
    const auto address = IpAddress::parse(value);
    const auto prefix = has_length ? IpPrefix::parse(value) : std::nullopt;
    if (!prefix && !address) return complain("is no address like 192.168.0.1/16 or fd3d:a0b:17d6::1/64");
    constexpr std::uint8_t kLengthV4 = 16;  // as packetdrill's own
    constexpr std::uint8_t kLengthV6 = 64;
    settings.addresses.push_back(prefix ? *prefix
                                        : IpPrefix{*address, address->is_v4() ? kLengthV4 : kLengthV6});
    return {};
  }
  if (word == "gateway") {
    const auto address = IpAddress::parse(value);
    if (!address) return complain("is no address like 192.168.0.2");
    settings.gateways.push_back(*address);
    return {};
  }
  if (word == "mtu") {
    const auto mtu = parse_number<std::uint32_t>(value);
    if (!mtu || *mtu < 68 || *mtu > 65535) return complain("takes 68 to 65535");
    settings.mtu = *mtu;
    return {};
  }
  if (word == "seed") {
    const auto seed = parse_number<std::uint64_t>(value);
    if (!seed) return complain("takes a number");
    settings.seed = *seed;
    return {};
  }
  if (word == "sysctl_file") {
    settings.sysctl_file = value;
    return {};
  }
  if (word == kCongestionWord) {
    settings.knobs.congestion = value;
    return {};
  }
  if (word == kFastOpenKeyWord) return set_fast_open_key(settings.knobs, value);
  const auto knob = std::ranges::find(kKnobs, word, &Knob::word);
  if (knob != kKnobs.end()) return set(settings.knobs, *knob, value);
  const auto is_known = set_sysctl(settings.knobs, word, value);
  if (!is_known) return Failure(is_known.error());
  if (!*is_known)
    return Failure(fmt::format("'{}' is none of: {}, nor a sysctl of the same meaning", word, all_words()));
  return {};
}

}  // namespace

std::expected<Settings, std::string> Settings::parse(std::string_view flags) {
  Settings settings;
  constexpr std::string_view kBetween = " ,\t\n";
  while (true) {
    const std::size_t begin = flags.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) break;
    flags.remove_prefix(begin);
    const std::string_view item = flags.substr(0, flags.find_first_of(kBetween));
    flags.remove_prefix(item.size());
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos)
      return Failure(fmt::format("'{}' is no word=value; the words: {}", item, all_words()));
    if (const auto taken = take_word(settings, item.substr(0, equals), item.substr(equals + 1)); !taken)
      return Failure(taken.error());
  }
  if (settings.addresses.empty())
    settings.addresses = {*IpPrefix::parse("192.168.0.1/16"), *IpPrefix::parse("fd3d:a0b:17d6::1/64")};
  return settings;
}

std::expected<bool, std::string> set_sysctl(Knobs& knobs, std::string_view name, std::string_view value) {
  if (name == kCongestionSysctl) {
    knobs.congestion = value;
    return true;
  }
  if (name == kFastOpenKeySysctl) {
    if (const auto done = set_fast_open_key(knobs, value); !done) return Failure(done.error());
    return true;
  }
  const auto knob = std::ranges::find(kKnobs, name, &Knob::sysctl);
  if (knob == kKnobs.end()) return false;
  if (const auto done = set(knobs, *knob, value); !done) return Failure(done.error());
  return true;
}

std::string describe_knobs() {
  std::string text;
  for (const Knob& knob : kKnobs)
    text +=
        fmt::format("{:<17} {:<33} {}..{}: {}\n", knob.word, knob.sysctl, knob.low, knob.high, knob.meaning);
  return text;
}

}  // namespace transom::sockets
