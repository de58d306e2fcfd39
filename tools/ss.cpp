// transom ss and transom netstat: the sockets of a running host.
#include <memory>

#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
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
  bool only_v4 = false, only_v6 = false;
  bool as_json = false;
};

bool is_listening(const json& socket) { return socket["state"] == "LISTEN" || socket["state"] == "UNCONN"; }

bool is_wanted(const SsOptions& options, const json& socket) {
  const bool is_tcp = socket["protocol"] == "tcp";
  if ((options.tcp || options.udp) && !(is_tcp ? options.tcp : options.udp)) return false;
  const bool is_v6 = socket["local"]["address"].get<std::string>().find(':') != std::string::npos;
  if ((options.only_v4 && is_v6) || (options.only_v6 && !is_v6)) return false;
  return options.all || is_listening(socket) == options.listening;
}

std::string endpoint(const json& endpoint) {
  std::string address = endpoint["address"];
  if (address.find(':') != std::string::npos) address = "[" + address + "]";
  const auto port = endpoint["port"].get<unsigned>();
  return address + ":" + (port == 0 ? "*" : std::to_string(port));
}

json wanted_sockets(const SsOptions& options) {
  json sockets = json::array();
  for (const json& socket : ask_host(options.host, {{"show", "sockets"}})) {
    if (is_wanted(options, socket)) sockets.push_back(socket);
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

// As ss -i: windows in segments, times in milliseconds.
std::string information_text(const json& socket) {
  if (!socket.contains("info")) return "";
  const json& info = socket["info"];
  const auto number = [&info](const char* key) { return info[key].get<std::uint64_t>(); };
  const auto mss = std::max<std::uint64_t>(1, number("send_mss"));
  std::string text =
      fmt::format("\t {}{}", info["congestion_control"].get<std::string>(), metrics_text(info["metrics"]));
  if (info["timestamps"].get<bool>()) text += " ts";
  if (info["sack"].get<bool>()) text += " sack";
  text += fmt::format(" wscale:{},{} rto:{:.0f} rtt:{:.3f}/{:.3f} minrtt:{:.3f} mss:{} rcvmss:{} cwnd:{}",
                      number("send_scale"), number("receive_scale"), info["rto_ms"].get<double>(),
                      info["rtt_ms"].get<double>(), info["rttvar_ms"].get<double>(),
                      info["min_rtt_ms"].get<double>(), number("send_mss"), number("receive_mss"),
                      number("cwnd") / mss);
  if (number("ssthresh") < UINT32_MAX) text += fmt::format(" ssthresh:{}", number("ssthresh") / mss);
  text += fmt::format(" bytes_sent:{}", number("bytes_sent"));
  if (number("bytes_retransmitted") > 0)
    text += fmt::format(" bytes_retrans:{}", number("bytes_retransmitted"));
  return text +
         fmt::format(
             " bytes_acked:{} bytes_received:{} segs_out:{} segs_in:{} unacked:{} snd_wnd:{} rcv_space:{}",
             number("bytes_acked"), number("bytes_received"), number("segments_out"), number("segments_in"),
             (number("in_flight") + mss - 1) / mss, number("send_window"), number("receive_window"));
}

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
  std::vector<std::vector<std::string>> rows;
  if (!options.no_header)
    rows.push_back({"Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port"});
  for (const json& socket : sockets) {
    rows.push_back({socket["protocol"], socket["state"],
                    std::to_string(socket["recv_q"].get<std::uint64_t>()),
                    std::to_string(socket["send_q"].get<std::uint64_t>()), endpoint(socket["local"]),
                    endpoint(socket["peer"])});
    if (options.timers) rows.back().push_back(timer_text(socket));
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
  command.add_flag("-p,--processes", options.processes,
                   "Taken and ignored: the sockets are all of one process");
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
  command->footer("Example: transom ss -tai");
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
