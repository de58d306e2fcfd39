// transom ss and transom netstat: the sockets of a running host.
#include <algorithm>
#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/socket_filter.h"
#include "tools/socket_users.h"
#include "tools/table.h"

namespace transom::tools {

namespace {

using nlohmann::json;

struct SsOptions {
  std::string host;
  bool tcp = false, udp = false;
  bool listening = false, all = false;
  bool numeric = false, processes = false;  // taken for compatibility
  bool timers = false, information = false, summary = false, no_header = false;
  bool memory = false, extended = false;
  std::vector<std::string> filter;
  bool only_v4 = false, only_v6 = false;
  bool as_json = false;
};

bool is_listening(const json& socket) { return socket["state"] == "LISTEN" || socket["state"] == "UNCONN"; }

Endpoint endpoint_of(const json& endpoint) {
  return {IpAddress::parse(endpoint["address"].get<std::string>()).value_or(IpAddress()),
          static_cast<Port>(endpoint["port"].get<std::uint16_t>())};
}

bool is_wanted(const SsOptions& options, const SocketFilter& filter, const json& socket) {
  const bool is_tcp = socket["protocol"] == "tcp";
  if ((options.tcp || options.udp) && !(is_tcp ? options.tcp : options.udp)) return false;
  const bool is_v6 = socket["local"]["address"].get<std::string>().find(':') != std::string::npos;
  if ((options.only_v4 && is_v6) || (options.only_v6 && !is_v6)) return false;
  const auto state = socket["state"].get<std::string>();
  const auto interface = socket.value("interface", std::string());
  if (!filter.takes({state, endpoint_of(socket["local"]), endpoint_of(socket["peer"]), interface}))
    return false;
  return options.all || filter.names_states() || is_listening(socket) == options.listening;
}

std::string endpoint(const json& endpoint) {
  std::string address = endpoint["address"];
  if (address.find(':') != std::string::npos) address = "[" + address + "]";
  const auto port = endpoint["port"].get<unsigned>();
  return address + ":" + (port == 0 ? "*" : std::to_string(port));
}

json wanted_sockets(const SsOptions& options) {
  const SocketFilter filter = SocketFilter::parse(options.filter);
  json sockets = json::array();
  for (const json& socket : ask_host(options.host, {{"show", "sockets"}})) {
    if (is_wanted(options, filter, socket)) sockets.push_back(socket);
  }
  return sockets;
}

std::string timer_text(const json& socket) {
  if (!socket.contains("timer")) return "";
  const json& timer = socket["timer"];
  const auto ms = timer["expires_ms"].get<double>();
  const std::string left = ms >= 1000 ? fmt::format("{:.1f}sec", ms / 1000) : fmt::format("{:.0f}ms", ms);
  return fmt::format("timer:({},{},{})", timer["name"].get<std::string>(), left, timer["backoff"].get<int>());
}

// As ss -i shows BBR's: ":(w_max octets:14480,k ms:12.5)", with commas between.
std::string metrics_text(const json& metrics) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : metrics.items())
    parts.push_back(fmt::format("{}:{:g}", name, value.get<double>()));
  return parts.empty() ? "" : fmt::format(":({})", fmt::join(parts, ","));
}

// As ss prints a rate: "94.9Mbps".
std::string rate_text(std::uint64_t octets_per_second) {
  const double bits = static_cast<double>(octets_per_second) * 8;
  if (bits >= 1e9) return fmt::format("{:.3g}Gbps", bits / 1e9);
  if (bits >= 1e6) return fmt::format("{:.3g}Mbps", bits / 1e6);
  if (bits >= 1e3) return fmt::format("{:.3g}kbps", bits / 1e3);
  return fmt::format("{:.0f}bps", bits);
}

constexpr std::pair<const char*, const char*> kLimits[] = {
    {"receive window", "rwnd"}, {"send buffer", "sndbuf"}, {"congestion window", "cwnd"},
    {"recovery", "recovery"},   {"pacing", "pacing"},      {"application", "app"}};

std::string short_limit(const std::string& limit) {
  const auto found = std::ranges::find(kLimits, limit, &std::pair<const char*, const char*>::first);
  return found == std::end(kLimits) ? limit : found->second;
}

// " busy:20ms rwnd_limited:5ms(25.0%)", ours behind those of Linux.
std::string limits_text(const json& limits) {
  double busy = 0;
  for (const auto& [name, time] : limits.items()) busy += name == "idle" ? 0 : time.get<double>();
  if (busy <= 0) return "";
  std::string text = fmt::format(" busy:{:.0f}ms", busy);
  for (const auto& [name, short_name] : kLimits) {
    const auto time = limits[name].get<double>();
    if (time > 0) text += fmt::format(" {}_limited:{:.0f}ms({:.1f}%)", short_name, time, time / busy * 100);
  }
  return text;
}

// As ss -i: windows in segments, times in milliseconds.
std::string information_text(const json& socket) {
  if (!socket.contains("info")) return "";
  const json& info = socket["info"];
  const auto number = [&info](const char* key) { return info[key].get<std::uint64_t>(); };
  const auto time = [&info](const char* key) { return info[key].get<double>(); };
  const auto mss = std::max<std::uint64_t>(1, number("send_mss"));
  const auto segments = [&](const char* key) { return (number(key) + mss - 1) / mss; };
  std::string text =
      fmt::format("\t {}{}", info["congestion_control"].get<std::string>(), metrics_text(info["metrics"]));
  const auto add_unless_zero = [&](std::string_view name, std::uint64_t value) {
    if (value != 0) text += fmt::format(" {}:{}", name, value);
  };
  if (info["timestamps"].get<bool>()) text += " ts";
  if (info["sack"].get<bool>()) text += " sack";
  if (info["ecn"].get<bool>()) text += " ecn";
  text +=
      fmt::format(" wscale:{},{} rto:{:.0f} rtt:{:.3f}/{:.3f} ato:{:.0f} mss:{} pmtu:{} rcvmss:{} advmss:{}",
                  number("send_scale"), number("receive_scale"), time("rto_ms"), time("rtt_ms"),
                  time("rttvar_ms"), time("ack_timeout_ms"), number("send_mss"), number("path_mtu"),
                  number("peer_segment"), number("receive_mss"));
  text += fmt::format(" cwnd:{}", number("cwnd") / mss);
  if (number("ssthresh") < UINT32_MAX) text += fmt::format(" ssthresh:{}", number("ssthresh") / mss);
  text += fmt::format(" bytes_sent:{}", number("bytes_sent"));
  add_unless_zero("bytes_retrans", number("bytes_retransmitted"));
  text +=
      fmt::format(" bytes_acked:{} bytes_received:{} segs_out:{} segs_in:{} data_segs_out:{} data_segs_in:{}",
                  number("bytes_acked"), number("bytes_received"), number("segments_out"),
                  number("segments_in"), number("data_segments_out"), number("data_segments_in"));
  text += fmt::format(" lastsnd:{:.0f} lastrcv:{:.0f} lastack:{:.0f}", time("since_data_sent_ms"),
                      time("since_data_received_ms"), time("since_ack_received_ms"));
  if (number("pacing_rate") > 0) text += " pacing_rate " + rate_text(number("pacing_rate"));
  if (number("delivery_rate") > 0) text += " delivery_rate " + rate_text(number("delivery_rate"));
  add_unless_zero("delivered", segments("delivered"));
  add_unless_zero("delivered_ce", segments("delivered_marked"));
  if (info["delivery_rate_application_limited"].get<bool>()) text += " app_limited";
  text += limits_text(info["limited_ms"]);
  text += " limited_now:" + short_limit(info["limited_now"].get<std::string>());
  text += fmt::format(" unacked:{}", segments("outstanding"));
  if (number("retransmitted_segments") > 0)
    text +=
        fmt::format(" retrans:{}/{}", segments("retransmitted_in_flight"), number("retransmitted_segments"));
  add_unless_zero("lost", segments("lost"));
  add_unless_zero("sacked", segments("sacked"));
  add_unless_zero("dsack_dups", number("duplicates_reported"));
  add_unless_zero("reord_seen", number("reorderings"));
  add_unless_zero("total_rto", number("timeouts"));
  text += fmt::format(" rcv_rtt:{:.3f} rcv_space:{} rcv_ssthresh:{}", time("receive_rtt_ms"),
                      number("received_per_round"), number("receive_buffer"));
  add_unless_zero("notsent", number("unsent"));
  text += fmt::format(" minrtt:{:.3f}", time("min_rtt_ms"));
  add_unless_zero("rcv_ooopack", number("out_of_order_segments"));
  return text + fmt::format(" snd_wnd:{} rcv_wnd:{} sndbuf:{}", number("send_window"),
                            number("receive_window"), number("send_buffer"));
}

// As ss -m: what waits to be read, the receive buffer, what is sent, the send buffer, and so on.
std::string memory_text(const json& socket) {
  const json info = socket.value("info", json::object());
  return fmt::format("\t skmem:(r{},rb{},t0,tb{},f0,w{},o0,bl0,d{})", socket["recv_q"].get<std::uint64_t>(),
                     info.value("receive_buffer", 0U), info.value("send_buffer", 0U),
                     socket["send_q"].get<std::uint64_t>(), socket.value("dropped", 0ULL));
}

// Whose each socket is. One that no program has is of the process that the host lives in.
class Owners {
 public:
  explicit Owners(const SsOptions& options) : options_(options) {
    if (!options.processes && !options.extended) return;
    host_ = ask_host(options.host, {{"show", "process"}});
    users_ = find_socket_users();
  }

  std::string text_of(const json& socket) const {
    const std::uint64_t inode = socket.value("inode", std::uint64_t{0});
    const auto found = users_.find(inode);
    std::vector<std::string> parts;
    uid_t user = host_.at("uid").get<uid_t>();
    if (found == users_.end()) {
      parts.push_back(process_text(host_.at("name").get<std::string>(), host_.at("pid").get<int>(), 0));
    } else {
      user = found->second.front().user;
      for (const SocketUser& one : found->second)
        parts.push_back(process_text(one.name, one.process, one.descriptor));
    }
    std::string text;
    if (options_.processes) text = fmt::format("users:({})", fmt::join(parts, ","));
    if (!options_.extended) return text;
    text += fmt::format("{}uid:{}", text.empty() ? "" : " ", user);
    return inode == 0 ? text : text + fmt::format(" ino:{}", inode);
  }

 private:
  static std::string process_text(const std::string& name, int process, int descriptor) {
    return fmt::format("(\"{}\",pid={},fd={})", name, process, descriptor);
  }

  const SsOptions& options_;
  json host_;
  std::map<std::uint64_t, std::vector<SocketUser>> users_;
};

void print_summary(const json& sockets) {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const json& socket : sockets) ++counts[socket["protocol"]][socket["state"]];
  for (const auto& [protocol, states] : counts) {
    int total = 0;
    std::vector<std::string> parts;
    for (const auto& [state, count] : states) {
      total += count;
      parts.push_back(fmt::format("{} {}", state, count));
    }
    fmt::print("{}: {} ({})\n", protocol, total, fmt::join(parts, ", "));
  }
}

int run_ss(SsOptions options) {
  if (options.summary) options.all = true;
  const json sockets = wanted_sockets(options);
  if (options.as_json) {
    fmt::print("{}\n", sockets.dump(2));
    return 0;
  }
  if (options.summary) {
    print_summary(sockets);
    return 0;
  }
  const bool has_protocol = options.tcp == options.udp;  // as ss: not when there is only one
  const Owners owners(options);
  std::vector<std::vector<std::string>> rows;
  if (!options.no_header)
    rows.push_back({"Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port"});
  for (const json& socket : sockets) {
    rows.push_back({socket["protocol"], socket["state"],
                    std::to_string(socket["recv_q"].get<std::uint64_t>()),
                    std::to_string(socket["send_q"].get<std::uint64_t>()), endpoint(socket["local"]),
                    endpoint(socket["peer"])});
    std::vector<std::string>& row = rows.back();
    if (options.processes || options.extended) row.push_back(owners.text_of(socket));
    if (options.extended) row.push_back("dev:" + socket.value("interface", std::string("*")));
    if (options.timers || options.extended) row.push_back(timer_text(socket));
    if (options.memory) row.push_back(memory_text(socket));
    if (options.information && socket.contains("info")) rows.back().push_back(information_text(socket));
  }
  if (!has_protocol) {
    for (auto& row : rows) row.erase(row.begin());
  }
  const std::size_t first = has_protocol ? 2 : 1;
  print_table(rows, {first, first + 1});
  return 0;
}

std::string netstat_state(const std::string& state) {
  static const std::map<std::string, std::string> kNames = {
      {"ESTAB", "ESTABLISHED"},     {"SYN-SENT", "SYN_SENT"},    {"SYN-RECV", "SYN_RECV"},
      {"FIN-WAIT-1", "FIN_WAIT1"},  {"FIN-WAIT-2", "FIN_WAIT2"}, {"TIME-WAIT", "TIME_WAIT"},
      {"CLOSE-WAIT", "CLOSE_WAIT"}, {"LAST-ACK", "LAST_ACK"},    {"UNCONN", ""}};
  const auto found = kNames.find(state);
  return found == kNames.end() ? state : found->second;
}

int run_netstat(const SsOptions& options) {
  const json sockets = wanted_sockets(options);
  if (options.as_json) {
    fmt::print("{}\n", sockets.dump(2));
    return 0;
  }
  if (!options.no_header)
    fmt::print("Active Internet connections{}\n", options.all         ? " (servers and established)"
                                                  : options.listening ? " (only servers)"
                                                                      : " (w/o servers)");
  std::vector<std::vector<std::string>> rows;
  if (!options.no_header)
    rows.push_back({"Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State"});
  for (const json& socket : sockets) {
    const bool is_v6 = socket["local"]["address"].get<std::string>().find(':') != std::string::npos;
    const auto plain = [](const json& of) {  // netstat writes no brackets
      const auto port = of["port"].get<unsigned>();
      return of["address"].get<std::string>() + ":" + (port == 0 ? "*" : std::to_string(port));
    };
    rows.push_back({socket["protocol"].get<std::string>() + (is_v6 ? "6" : ""),
                    std::to_string(socket["recv_q"].get<std::uint64_t>()),
                    std::to_string(socket["send_q"].get<std::uint64_t>()), plain(socket["local"]),
                    plain(socket["peer"]), netstat_state(socket["state"])});
  }
  print_table(rows, {1, 2});
  return 0;
}

void add_filters(CLI::App& command, SsOptions& options) {
  command.add_option("--host", options.host, "Which host: a name, or the path of its control socket")
      ->type_name("NAME|PATH");
  command.add_flag("-t,--tcp", options.tcp, "TCP only");
  command.add_flag("-u,--udp", options.udp, "UDP only");
  command.add_flag("-l,--listening", options.listening, "Listening sockets only");
  command.add_flag("-a,--all", options.all, "Listening sockets too");
  command.add_flag("-n,--numeric", options.numeric, "Numbers instead of names (always so)");
  command.add_flag("-p,--processes", options.processes, "The processes that have them");
  command.add_flag("-4,--ipv4", options.only_v4, "IPv4 only");
  command.add_flag("-6,--ipv6", options.only_v6, "IPv6 only");
  command.add_flag("-H,--no-header", options.no_header, "No header");
  command.add_flag("--json", options.as_json, "JSON, with everything that is known of each");
}

}  // namespace

void add_ss(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("ss", "Sockets of a running host");
  auto options = std::make_shared<SsOptions>();
  add_filters(*command, *options);
  command->add_flag("-o,--options", options->timers, "Timers");
  command->add_flag("-i,--info", options->information, "The inside of TCP connections");
  command->add_flag("-s,--summary", options->summary, "Only how many there are");
  command->add_flag("-m,--memory", options->memory, "Octets in buffers");
  command->add_flag("-e,--extended", options->extended, "Owner, interface and timers too");
  command->add_option("filter", options->filter, "state STATE, and an expression, as ss(8) has them")
      ->type_name("FILTER...");
  command->footer(
      "Example: transom ss -tai; transom ss -tn state established '( dport = :443 or src 10.9.0.0/24 )'");
  command->callback([options, &selected] { selected.run = [options] { return run_ss(*options); }; });
}

void add_netstat(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("netstat", "Sockets of a running host, as netstat prints them");
  auto options = std::make_shared<SsOptions>();
  add_filters(*command, *options);
  command->footer("Example: transom netstat -tan");
  command->callback([options, &selected] { selected.run = [options] { return run_netstat(*options); }; });
}

}  // namespace transom::tools
