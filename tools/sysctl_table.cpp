#include "tools/sysctl_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <optional>

#include "tools/failure.h"

namespace transom::tools {

namespace {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

struct Knob {
  std::string_view name;
  std::function<std::string(Host&)> get;
  // Empty: read only. Throws Failure.
  std::function<void(Host&, std::string_view name, std::string_view value)> set;
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlank = " \t";
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(kBlank, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

std::uint64_t parse_number(std::string_view name, std::string_view text, std::uint64_t low,
                           std::uint64_t high) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, 10);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size() || number < low ||
      number > high)
    fail(Exit::kUsage, "{} takes a number from {} to {}, not '{}'", name, low, high, text);
  return number;
}

// `place(host)`: the variable. Bounds are in the unit that is shown.
template <typename Place>
Knob number(std::string_view name, std::uint64_t low, std::uint64_t high, Place place) {
  return {name, [place](Host& host) { return std::to_string(static_cast<std::uint64_t>(place(host))); },
          [=](Host& host, std::string_view called, std::string_view value) {
            auto& variable = place(host);
            using Type = std::remove_reference_t<decltype(variable)>;
            const auto limit = static_cast<std::uint64_t>(std::numeric_limits<Type>::max());
            variable = static_cast<Type>(parse_number(called, value, low, std::min(high, limit)));
          }};
}

template <typename Place>
Knob flag(std::string_view name, Place place, bool is_inverse = false) {
  return {name, [=](Host& host) { return place(host) != is_inverse ? "1" : "0"; },
          [=](Host& host, std::string_view called, std::string_view value) {
            place(host) = (parse_number(called, value, 0, 1) != 0) != is_inverse;
          }};
}

template <typename Unit, typename Place>
Knob duration(std::string_view name, std::uint64_t low, std::uint64_t high, Place place) {
  return {
      name,
      [place](Host& host) { return std::to_string(std::chrono::duration_cast<Unit>(place(host)).count()); },
      [=](Host& host, std::string_view called, std::string_view value) {
        place(host) = Unit(static_cast<std::int64_t>(parse_number(called, value, low, high)));
      }};
}

// "min initial max", in octets.
template <typename Place>
Knob buffer_range(std::string_view name, Place place) {
  return {name,
          [place](Host& host) {
            const tcp::BufferRange& range = place(host);
            return fmt::format("{}\t{}\t{}", range.min, range.initial, range.max);
          },
          [place](Host& host, std::string_view called, std::string_view value) {
            constexpr std::uint64_t kLeast = 4096;
            constexpr std::uint64_t kMost = 1 << 30;
            const auto words = words_of(value);
            if (words.size() != 3) fail(Exit::kUsage, "{} takes three numbers: least, first, most", called);
            tcp::BufferRange range = place(host);
            range.min = static_cast<std::uint32_t>(parse_number(called, words[0], kLeast, kMost));
            range.initial = static_cast<std::uint32_t>(parse_number(called, words[1], range.min, kMost));
            range.max = static_cast<std::uint32_t>(parse_number(called, words[2], range.initial, kMost));
            place(host) = range;
          }};
}

// The bits of net.ipv4.tcp_fastopen.
constexpr unsigned kFastOpenClient = 1, kFastOpenServer = 2, kFastOpenClientWithoutCookie = 4,
                   kFastOpenServerWithoutCookie = 0x200, kFastOpenAllListeners = 0x400;

std::string fast_open(Host& host) {
  const tcp::FastOpenConfig& config = host.tcp().config().fast_open;
  return std::to_string((config.client ? kFastOpenClient : 0) | (config.server ? kFastOpenServer : 0) |
                        (config.client_without_cookie ? kFastOpenClientWithoutCookie : 0) |
                        (config.server_without_cookie ? kFastOpenServerWithoutCookie : 0) |
                        (config.all_listeners ? kFastOpenAllListeners : 0));
}

void set_fast_open(Host& host, std::string_view name, std::string_view value) {
  const std::uint64_t bits = parse_number(name, value, 0, 0xfff);
  tcp::FastOpenConfig& config = host.tcp().config().fast_open;
  config.client = (bits & kFastOpenClient) != 0;
  config.server = (bits & kFastOpenServer) != 0;
  config.client_without_cookie = (bits & kFastOpenClientWithoutCookie) != 0;
  config.server_without_cookie = (bits & kFastOpenServerWithoutCookie) != 0;
  config.all_listeners = (bits & kFastOpenAllListeners) != 0;
}

void set_ecn(Host& host, std::string_view name, std::string_view value) {
  const std::uint64_t mode = parse_number(name, value, 0, 5);
  if (mode == 4) fail(Exit::kUsage, "{} takes 0, 1, 2, 3 or 5; 4 is not known here", name);
  host.tcp().config().ecn = static_cast<tcp::EcnMode>(mode);
}

void set_port_range(Host& host, std::string_view name, std::string_view value) {
  const auto words = words_of(value);
  if (words.size() != 2) fail(Exit::kUsage, "{} takes two ports: the first and the last", name);
  const auto first = static_cast<std::uint16_t>(parse_number(name, words[0], 1, 65535));
  host.tcp().config().last_ephemeral_port =
      static_cast<std::uint16_t>(parse_number(name, words[1], first, 65535));
  host.tcp().config().first_ephemeral_port = first;
}

void set_congestion_control(Host& host, std::string_view, std::string_view value) {
  const auto chosen = host.tcp().choose_congestion_control(value);
  if (!chosen) fail(Exit::kUsage, "{}", chosen.error());
  host.tcp().set_standard_congestion_control(**chosen);
}

const std::vector<Knob>& knobs() {
  const auto tcp = [](auto member) {
    return [member](Host& host) -> auto& { return host.tcp().config().*member; };
  };
  const auto ip = [](auto member) {
    return [member](Host& host) -> auto& { return host.ip().config().*member; };
  };
  const auto link = [](auto member) {
    return [member](Host& host) -> auto& { return host.link().config().*member; };
  };
  using ip::IpConfig;
  using link::LinkConfig;
  using tcp::Config;
  static const std::vector<Knob> kKnobs = {
      {"net.ipv4.icmp_msgs_per_sec",
       [](Host& host) { return std::to_string(host.ip().config().icmp_errors_per_second); }, nullptr},
      flag("net.ipv4.icmp_echo_ignore_all", ip(&IpConfig::answer_echo), true),
      flag("net.ipv4.icmp_echo_ignore_broadcasts", ip(&IpConfig::answer_broadcast_echo), true),
      number("net.ipv4.ip_default_ttl", 1, 255, ip(&IpConfig::default_ttl)),
      flag("net.ipv4.ip_forward", ip(&IpConfig::forwarding)),
      {"net.ipv4.ip_local_port_range",
       [](Host& host) {
         return fmt::format("{}\t{}", host.tcp().config().first_ephemeral_port,
                            host.tcp().config().last_ephemeral_port);
       },
       set_port_range},
      number("net.ipv4.ipfrag_high_thresh", 1 << 16, 1 << 30, ip(&IpConfig::max_reassembly_octets)),
      duration<Seconds>("net.ipv4.ipfrag_time", 1, 600, ip(&IpConfig::reassembly_timeout)),
      flag("net.ipv4.conf.all.accept_redirects", ip(&IpConfig::accept_redirects)),
      duration<Seconds>("net.ipv4.neigh.default.delay_first_probe_time", 1, 600,
                        link(&LinkConfig::delay_first_probe)),
      number("net.ipv4.neigh.default.mcast_solicit", 1, 100, link(&LinkConfig::max_multicast_solicit)),
      duration<Milliseconds>("net.ipv4.neigh.default.retrans_time_ms", 10, 60000,
                             link(&LinkConfig::retrans_timer)),
      number("net.ipv4.neigh.default.ucast_solicit", 1, 100, link(&LinkConfig::max_unicast_solicit)),
      number("net.ipv4.neigh.default.unres_qlen", 1, 10000, link(&LinkConfig::max_pending_packets)),
      {"net.ipv4.tcp_available_congestion_control",
       [](Host& host) { return fmt::format("{}", fmt::join(host.tcp().congestion_controls(), " ")); },
       nullptr},
      {"net.ipv4.tcp_congestion_control",
       [](Host& host) { return std::string(host.tcp().standard_congestion_control().name); },
       set_congestion_control},
      {"net.ipv4.tcp_ecn",
       [](Host& host) { return std::to_string(static_cast<unsigned>(host.tcp().config().ecn)); }, set_ecn},
      {"net.ipv4.tcp_fastopen", fast_open, set_fast_open},
      duration<Seconds>("net.ipv4.tcp_fin_timeout", 1, 32767, tcp(&Config::fin_wait_2_timeout)),
      number("net.ipv4.tcp_max_syn_backlog", 1, 1 << 20, tcp(&Config::max_half_open)),
      number("net.ipv4.tcp_max_tw_buckets", 1, 1 << 22, tcp(&Config::max_time_wait)),
      flag("net.ipv4.tcp_mtu_probing", tcp(&Config::mtu_probing)),
      buffer_range("net.ipv4.tcp_rmem", tcp(&Config::receive_buffer)),
      duration<std::chrono::microseconds>("net.ipv4.tcp_rto_min_us", 1, 1'000'000, tcp(&Config::min_rto)),
      flag("net.ipv4.tcp_sack", tcp(&Config::sack)),
      flag("net.ipv4.tcp_syncookies", tcp(&Config::syn_cookies)),
      flag("net.ipv4.tcp_timestamps", tcp(&Config::timestamps)),
      flag("net.ipv4.tcp_window_scaling", tcp(&Config::window_scaling)),
      buffer_range("net.ipv4.tcp_wmem", tcp(&Config::send_buffer)),
      flag("net.ipv6.conf.all.forwarding", ip(&IpConfig::forwarding)),
      number("net.ipv6.conf.all.hop_limit", 1, 255, ip(&IpConfig::default_ttl)),
  };
  return kKnobs;
}

}  // namespace

std::vector<Setting> settings_of(Host& host) {
  std::vector<Setting> settings;
  for (const Knob& knob : knobs()) settings.push_back({std::string(knob.name), knob.get(host), !knob.set});
  std::ranges::sort(settings, {}, &Setting::name);
  return settings;
}

void change_setting(Host& host, std::string_view name, std::string_view value) {
  std::string dotted(name);
  std::ranges::replace(dotted, '/', '.');
  const auto found = std::ranges::find(knobs(), dotted, &Knob::name);
  if (found == knobs().end())
    fail(Exit::kUsage, "there is no setting '{}'; transom sysctl -a lists them", name);
  if (!found->set) fail(Exit::kUsage, "{} can only be read", name);
  const std::size_t begin = value.find_first_not_of(" \t");
  const std::size_t end = value.find_last_not_of(" \t\n");
  found->set(host, dotted, begin == std::string_view::npos ? "" : value.substr(begin, end - begin + 1));
}

}  // namespace transom::tools
