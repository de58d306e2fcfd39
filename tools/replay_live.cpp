// transom replay --role client and server: a recorded end is played at a live peer.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>

#include "drivers/replay/app_replay.h"
#include "tools/child.h"
#include "tools/failure.h"
#include "tools/junit.h"
#include "tools/local_host.h"
#include "tools/replay_options.h"
#include "tools/text_file.h"

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

// What came of one connection, whoever's TCP it was.
struct LiveResult {
  tcp::FourTuple tuple;
  LiveConnection::State state = LiveConnection::State::kRunning;
  const StreamCheck* received = nullptr;
  std::string awaited;
  std::string what_was_done;
  std::deque<std::string> last_packets;
  nlohmann::json numbers;

  bool is_done() const { return state == LiveConnection::State::kDone; }
  bool is_good() const { return is_done() && received->are_equal(); }
};

LiveResult result_of(const LiveConnection& connection) {
  const std::size_t steps = connection.script().steps.size();
  return {.tuple = connection.tuple(),
          .state = connection.state(),
          .received = &connection.received(),
          .awaited = connection.awaited(),
          .what_was_done = fmt::format("sent {} packets, {} of {} recorded steps; {} again, {} cut smaller",
                                       connection.sent(), connection.steps_done(), steps,
                                       connection.retransmitted(), connection.recut()),
          .last_packets = connection.last_packets(),
          .numbers = {{"steps", steps},
                      {"steps_done", connection.steps_done()},
                      {"sent", connection.sent()},
                      {"retransmitted", connection.retransmitted()}}};
}

LiveResult result_of(const replay::AppConnection& connection) {
  return {.tuple = connection.tuple(),
          .state = connection.state(),
          .received = &connection.received(),
          .awaited = connection.awaited(),
          .what_was_done = fmt::format("did {} of {} turns of the recorded application",
                                       connection.turns_done(), connection.turns()),
          .last_packets = {},
          .numbers = {{"turns", connection.turns()}, {"turns_done", connection.turns_done()}}};
}

std::string_view state_name(const LiveResult& result) {
  switch (result.state) {
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

void print(const LiveResult& result) {
  const StreamCheck& received = *result.received;
  fmt::print("TCP {} (ours) - {}: {}\n", result.tuple.local, result.tuple.remote, state_name(result));
  fmt::print("  {}\n", result.what_was_done);
  fmt::print("  octets from the peer: {} ({} of {})\n", received.are_equal() ? "equal" : "NOT equal",
             received.length(StreamCheck::Side::kActual), received.length(StreamCheck::Side::kRecorded));
  if (received.first_difference())
    fmt::print("  {} octets differ, the first at {}; --mask REGEX leaves out what may\n",
               received.different(), *received.first_difference());
  if (result.is_done()) return;
  fmt::print("  awaited: {}\n", result.awaited);
  if (!result.last_packets.empty()) fmt::print("  last packets:\n");
  for (const std::string& line : result.last_packets) fmt::print("    {}\n", line);
}

nlohmann::json to_json(const LiveResult& result) {
  const StreamCheck& received = *result.received;
  nlohmann::json json{{"ours", to_string(result.tuple.local)},
                      {"theirs", to_string(result.tuple.remote)},
                      {"state", state_name(result)},
                      {"awaited", result.is_done() ? "" : result.awaited},
                      {"octets_equal", received.are_equal()},
                      {"octets_received", received.length(StreamCheck::Side::kActual)},
                      {"octets_recorded", received.length(StreamCheck::Side::kRecorded)},
                      {"octets_different", received.different()},
                      {"last_packets", result.last_packets}};
  json.update(result.numbers);
  return json;
}

// A test case per connection.
std::string to_junit(const ReplayOptions& options, const std::vector<LiveResult>& results,
                     std::size_t waiting) {
  JunitSuite suite{.name = options.capture};
  const auto add = [&](const std::string& name, const std::string& failure) {
    JunitCase& test = suite.cases.emplace_back(JunitCase{.classname = options.role, .name = name});
    if (!failure.empty()) test.failure = {.message = failure};
  };
  for (const LiveResult& result : results) {
    add(fmt::format("TCP {} - {}", result.tuple.local, result.tuple.remote),
        result.is_good()   ? ""
        : result.is_done() ? "the octets from the peer are not equal"
                           : fmt::format("{}; awaited: {}", state_name(result), result.awaited));
  }
  for (std::size_t i = 0; i < waiting; ++i) add("a recorded connection", "nobody came for it");
  return tools::to_junit("transom replay", {suite});
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

namespace {

replay::LiveSetup setup_of(const ReplayOptions& options, const Peer& peer) {
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
  setup.port = peer.port;
  if (options.port) setup.port = Port{*options.port};
  return setup;
}

// The scripts of the end that is played; never none.
std::map<std::size_t, replay::TcpScript> scripts_of(const ReplayOptions& options, bool is_client) {
  const replay::Scene scene = look_at(options.capture);
  const replay::Cast cast(scene, *replay::Role::parse(is_client ? "client" : "server"));
  auto reader = open_replayed(options.capture);
  auto scripts = replay::make_scripts(reader, scene, cast);
  if (!scripts) fail_reading(options.capture, scripts.error());
  std::erase_if(*scripts, [&](const auto& entry) { return entry.second.is_opener != is_client; });
  if (scripts->empty())
    fail(Exit::kUsage, "{}: no TCP connection with its handshake, to be played by its {}", options.capture,
         is_client ? "client" : "server");
  for (auto& [flow, script] : *scripts) add_masks(script, options.masks);
  return std::move(*scripts);
}

// `Replay` is made of the host, the scripts and the setup, and is asked from time to time.
template <typename Replay>
int play(const ReplayOptions& options, const std::map<std::size_t, replay::TcpScript>& scripts,
         const replay::LiveSetup& setup, LocalHost& host, const std::vector<std::string>& command) {
  std::unique_ptr<Replay> live;
  {
    sockets::Session session(host.stack());
    live = std::make_unique<Replay>(session.host(), scripts, setup);
  }
  const pid_t child = command.empty() ? 0 : start_child(command);
  bool is_over = false, is_interrupted = false;
  while (!is_over && !is_interrupted) {
    is_interrupted = !rest();
    sockets::Session session(host.stack());
    is_over = live->is_over() || live->has_waited_in_vain();
  }
  (void)host.stack().drain(std::chrono::milliseconds(200));
  const int child_status = end_child(child, scripts.begin()->second.is_opener);

  sockets::Session session(host.stack());
  const bool is_partial = setup.limit || setup.duration;
  bool all_good = live->waiting() == 0 || is_partial;
  std::vector<LiveResult> results;
  for (const auto& connection : live->connections()) results.push_back(result_of(*connection));
  for (const LiveResult& result : results) all_good = all_good && (result.is_good() || is_partial);
  if (!options.junit.empty())
    write_text_file(options.junit, to_junit(options, results, live->waiting()), Exit::kUsage);
  if (options.as_json) {
    nlohmann::json connections = nlohmann::json::array();
    for (const LiveResult& result : results) connections.push_back(to_json(result));
    fmt::print("{}\n", nlohmann::json({{"schema", 1},
                                       {"capture", options.capture},
                                       {"role", options.role},
                                       {"waiting", live->waiting()},
                                       {"command_status", child_status},
                                       {"verdict", all_good ? "done" : "failed"},
                                       {"connections", std::move(connections)}})
                           .dump(2));
  } else if (!options.is_quiet) {
    for (const LiveResult& result : results) print(result);
    if (live->waiting() > 0)
      fmt::print("{} recorded connections: nobody came for them in {} s\n", live->waiting(), options.stall);
    if (child_status != 0) fmt::print("the command behind '--' ended with status {}\n", child_status);
    fmt::print("verdict: {}\n", all_good ? "done" : "failed");
  }
  std::fflush(stdout);
  live.reset();
  return static_cast<int>(all_good && child_status == 0 ? Exit::kGood : Exit::kFailed);
}

}  // namespace

int run_live_replay(const ReplayOptions& options, const std::vector<std::string>& command) {
  const bool is_app = options.role == "app";
  const std::string& end = is_app ? options.as : options.role;
  if (end != "client" && end != "server")
    fail(Exit::kUsage, "--as '{}': --role app takes the place of 'client' or 'server'", end);
  const bool is_client = end == "client";
  const auto scripts = scripts_of(options, is_client);
  block_signals();
  const Peer peer = parse_peer(options.peer);
  LocalHost host(options.device);
  std::FILE* const out = options.as_json || !command.empty() ? stderr : stdout;
  if (!options.is_quiet)
    for (const std::string& line : host.report()) fmt::print(out, "{}\n", line);
  replay::LiveSetup setup = setup_of(options, peer);
  const IpFamily family =
      peer.address ? peer.address->family() : scripts.begin()->second.ours.address.family();
  setup.local = of_family(host.addresses(), family, "this host (--ip)");
  if (is_client)
    setup.peer =
        peer.address ? *peer.address : of_family(host.kernel_addresses(), family, "the peer (--peer)");
  return is_app ? play<replay::AppReplay>(options, scripts, setup, host, command)
                : play<replay::LiveReplay>(options, scripts, setup, host, command);
}

}  // namespace transom::tools
