// transom replay --role client and server: a recorded end is played at a live peer.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>

#include "tools/child.h"
#include "tools/failure.h"
#include "tools/local_host.h"
#include "tools/replay_options.h"

namespace transom::tools {

namespace {

namespace replay = drivers::replay;
using replay::LiveConnection;
using replay::StreamCheck;

// What the masks match of the peer's recorded octets is not compared.
void add_masks(replay::TcpScript& script, const std::vector<std::string>& masks) {
  const std::string text(script.expected.begin(), script.expected.end());
  for (const std::string& mask : masks) {
    try {
      const std::regex pattern(mask);
      for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern);
           match != std::sregex_iterator(); ++match)
        script.ignored.emplace_back(match->position(), match->position() + match->length());
    } catch (const std::regex_error& error) {
      fail(Exit::kUsage, "--mask '{}': {}; write a regular expression, as in --mask 'Date: [^\\r]*'", mask,
           error.what());
    }
  }
}

struct Peer {
  std::optional<IpAddress> address;
  std::optional<Port> port;
};

// "10.0.0.1", "10.0.0.1:80", "[fd00::1]:80", ":80".
Peer parse_peer(const std::string& text) {
  Peer peer;
  if (text.empty()) return peer;
  if (const auto address = IpAddress::parse(text)) return {address, std::nullopt};
  const std::size_t colon = text.rfind(':');
  std::string address = colon == std::string::npos ? text : text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[') address = address.substr(1, address.size() - 2);
  if (!address.empty()) peer.address = IpAddress::parse(address);
  const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  if ((!address.empty() && !peer.address) || port <= 0 || port > 65535)
    fail(Exit::kUsage, "--peer '{}' is no address with a port; write 10.9.0.1:80", text);
  peer.port = Port{static_cast<std::uint16_t>(port)};
  return peer;
}

IpAddress of_family(const std::vector<IpPrefix>& addresses, IpFamily family, std::string_view whose) {
  for (const IpPrefix& prefix : addresses)
    if (prefix.address.family() == family) return prefix.address;
  fail(Exit::kUsage, "{} has no {} address, which the recorded connection needs; give one", whose,
       family == IpFamily::kIpv4 ? "IPv4" : "IPv6");
}

std::string_view state_name(const LiveConnection& connection) {
  switch (connection.state()) {
    case LiveConnection::State::kRunning:
      return "unfinished";
    case LiveConnection::State::kDone:
      return "done";
    case LiveConnection::State::kStalled:
      return "stalled";
    case LiveConnection::State::kReset:
      break;
  }
  return "reset by the peer";
}

bool is_good(const LiveConnection& connection) {
  return connection.is_done() && connection.received().are_equal();
}

void print(const LiveConnection& connection) {
  const StreamCheck& received = connection.received();
  fmt::print("TCP {} (ours) - {}: {}\n", connection.tuple().local, connection.tuple().remote,
             state_name(connection));
  fmt::print("  sent {} packets, {} of {} recorded steps; {} again, {} cut smaller\n", connection.sent(),
             connection.steps_done(), connection.script().steps.size(), connection.retransmitted(),
             connection.recut());
  fmt::print("  octets from the peer: {} ({} of {})\n", received.are_equal() ? "equal" : "NOT equal",
             received.length(StreamCheck::Side::kActual), received.length(StreamCheck::Side::kRecorded));
  if (received.first_difference())
    fmt::print("  {} octets differ, the first at {}; --mask REGEX leaves out what may\n",
               received.different(), *received.first_difference());
  if (connection.is_done()) return;
  fmt::print("  awaited: {}\n  last packets:\n", connection.awaited());
  for (const std::string& line : connection.last_packets()) fmt::print("    {}\n", line);
}

nlohmann::json to_json(const LiveConnection& connection) {
  const StreamCheck& received = connection.received();
  return {{"ours", to_string(connection.tuple().local)},
          {"theirs", to_string(connection.tuple().remote)},
          {"state", state_name(connection)},
          {"awaited", connection.is_done() ? "" : connection.awaited()},
          {"steps", connection.script().steps.size()},
          {"steps_done", connection.steps_done()},
          {"sent", connection.sent()},
          {"retransmitted", connection.retransmitted()},
          {"octets_equal", received.are_equal()},
          {"octets_received", received.length(StreamCheck::Side::kActual)},
          {"octets_recorded", received.length(StreamCheck::Side::kRecorded)},
          {"octets_different", received.different()},
          {"last_packets", connection.last_packets()}};
}

// Sleeps a little; false when somebody wants an end.
bool rest() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  constexpr timespec kInterval{.tv_sec = 0, .tv_nsec = 10'000'000};
  return sigtimedwait(&set, nullptr, &kInterval) < 0;
}

// The neighbour command has what it needs when the replay is over: a client ends by itself, a server is told.
int end_child(pid_t child, bool is_server) {
  if (child == 0) return 0;
  int status = 0;
  for (int i = 0; i < 200 && !is_server; ++i) {
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    rest();
  }
  kill(child, SIGTERM);
  waitpid(child, &status, 0);
  return is_server ? 0 : 1;
}

}  // namespace

int run_live_replay(const ReplayOptions& options, const std::vector<std::string>& command) {
  const bool is_client = options.role == "client";
  const auto role = replay::Role::parse(options.role);
  const replay::Scene scene = look_at(options.capture);
  const replay::Cast cast(scene, *role);
  auto reader = open_replayed(options.capture);
  auto scripts = replay::make_scripts(reader, scene, cast);
  if (!scripts) fail_reading(options.capture, scripts.error());
  std::erase_if(*scripts, [&](const auto& entry) { return entry.second.is_opener != is_client; });
  if (scripts->empty())
    fail(Exit::kUsage, "{}: no TCP connection with its handshake, to be played by its {}", options.capture,
         options.role);
  for (auto& [flow, script] : *scripts) add_masks(script, options.masks);

  block_signals();
  const Peer peer = parse_peer(options.peer);
  LocalHost host(options.device);
  std::FILE* const out = options.as_json || !command.empty() ? stderr : stdout;
  if (!options.is_quiet)
    for (const std::string& line : host.report()) fmt::print(out, "{}\n", line);
  replay::LiveSetup setup;
  setup.options.fidelity = options.fidelity == "stream"  ? replay::Fidelity::kStream
                           : options.fidelity == "exact" ? replay::Fidelity::kExact
                                                         : replay::Fidelity::kSegment;
  setup.options.at_recorded_times = options.when == "recorded";
  setup.options.stall = seconds_of(options.stall);
  setup.speed = options.speed;
  if (options.longest_sleep) setup.speed.longest_sleep = seconds_of(*options.longest_sleep);
  setup.loops = options.loops;
  setup.limit = options.limit;
  if (options.duration) setup.duration = seconds_of(*options.duration);
  const IpFamily family =
      peer.address ? peer.address->family() : scripts->begin()->second.ours.address.family();
  setup.local = of_family(host.addresses(), family, "this host (--ip)");
  if (is_client)
    setup.peer =
        peer.address ? *peer.address : of_family(host.kernel_addresses(), family, "the peer (--peer)");
  setup.port = peer.port;
  if (options.port) setup.port = Port{*options.port};

  std::unique_ptr<replay::LiveReplay> live;
  {
    sockets::Session session(host.stack());
    live = std::make_unique<replay::LiveReplay>(session.host(), *scripts, setup);
  }
  const pid_t child = command.empty() ? 0 : start_child(command);
  bool is_over = false, is_interrupted = false;
  while (!is_over && !is_interrupted) {
    is_interrupted = !rest();
    sockets::Session session(host.stack());
    is_over = live->is_over() || live->has_waited_in_vain();
  }
  (void)host.stack().drain(std::chrono::milliseconds(200));
  const int child_status = end_child(child, is_client);

  sockets::Session session(host.stack());
  bool all_good = live->waiting() == 0 || setup.limit || setup.duration;
  nlohmann::json connections = nlohmann::json::array();
  for (const auto& connection : live->connections()) {
    all_good = all_good && (is_good(*connection) || setup.limit || setup.duration);
    if (options.as_json) {
      connections.push_back(to_json(*connection));
    } else if (!options.is_quiet) {
      print(*connection);
    }
  }
  if (options.as_json) {
    fmt::print("{}\n", nlohmann::json({{"schema", 1},
                                       {"capture", options.capture},
                                       {"role", options.role},
                                       {"waiting", live->waiting()},
                                       {"command_status", child_status},
                                       {"verdict", all_good ? "done" : "failed"},
                                       {"connections", std::move(connections)}})
                           .dump(2));
  } else if (!options.is_quiet) {
    if (live->waiting() > 0)
      fmt::print("{} recorded connections: nobody came for them in {} s\n", live->waiting(), options.stall);
    if (child_status != 0) fmt::print("the command behind '--' ended with status {}\n", child_status);
    fmt::print("verdict: {}\n", all_good ? "done" : "failed");
  }
  std::fflush(stdout);
  return static_cast<int>(all_good && child_status == 0 ? Exit::kGood : Exit::kFailed);
}

}  // namespace transom::tools
