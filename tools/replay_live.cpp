// transom replay --role client and server: a recorded end is played at a live peer.
#include <algorithm>
#include <filesystem>
#include <regex>

#include "drivers/replay/app_replay.h"
#include "drivers/replay/exchange_report.h"
#include "drivers/replay/run_report.h"
#include "drivers/trace/packet_sink.h"
#include "tools/child.h"
#include "tools/failure.h"
#include "tools/local_host.h"
#include "tools/replay_output.h"
#include "tools/replay_session.h"

namespace transom::tools {

namespace {

namespace replay = drivers::replay;
using replay::LiveConnection;
using replay::StreamCheck;

// Where the masks match, begin and end: that need not be equal.
std::vector<std::pair<std::size_t, std::size_t>> masked(Bytes octets, const std::vector<std::string>& masks) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  const std::string text(octets.begin(), octets.end());
  for (const std::string& mask : masks) {
    try {
      // Of libstdc++: without it, the depth of the recursion is the length of a match.
      const std::regex pattern(mask, std::regex::ECMAScript | std::regex_constants::__polynomial);
      for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern);
           match != std::sregex_iterator(); ++match)
        ranges.emplace_back(match->position(), match->position() + match->length());
    } catch (const std::regex_error& error) {
      fail(Exit::kUsage, "--mask '{}': {}; write a regular expression, as in --mask 'Date: [^\\r]*'", mask,
           error.what());
    }
  }
  return ranges;
}

void add_masks(replay::LiveScripts& scripts, const std::vector<std::string>& masks) {
  for (auto& [flow, script] : scripts.tcp)
    for (const auto& range : masked(script.expected, masks)) script.ignored.emplace_back(range);
  for (auto& [flow, script] : scripts.datagrams)
    for (replay::ExpectedDatagram& datagram : script.expected)
      for (const auto& range : masked(datagram.saying.octets, masks)) datagram.ignored.push_back(range);
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

// The first of the family that is no link-local one.
std::optional<IpAddress> of_family(const std::vector<IpPrefix>& addresses, IpFamily family) {
  for (const IpPrefix& prefix : addresses)
    if (prefix.address.family() == family && !prefix.address.is_link_local()) return prefix.address;
  return std::nullopt;
}

// What came of one connection, whoever's TCP it was.
struct LiveResult {
  const replay::TcpScript* script = nullptr;
  tcp::FourTuple tuple;
  LiveConnection::State state = LiveConnection::State::kRunning;
  const StreamCheck* received = nullptr;
  std::string awaited;
  std::string what_was_done;
  std::deque<std::string> last_packets;
  std::map<std::string, std::uint64_t> numbers;

  bool is_done() const { return state == LiveConnection::State::kDone; }
};

LiveResult result_of(const LiveConnection& connection) {
  const std::size_t steps = connection.script().steps.size();
  return {.script = &connection.script(),
          .tuple = connection.tuple(),
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
  return {.script = &connection.script(),
          .tuple = connection.tuple(),
          .state = connection.state(),
          .received = &connection.received(),
          .awaited = connection.awaited(),
          .what_was_done = fmt::format("did {} of {} turns of the recorded application",
                                       connection.turns_done(), connection.turns()),
          .last_packets = connection.last_packets(),
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

std::vector<std::string> notes_on(const LiveResult& result) {
  const StreamCheck& received = *result.received;
  std::vector<std::string> notes{
      fmt::format("{}; {}", state_name(result), result.what_was_done),
      fmt::format("octets from the peer: {} ({} of {})", received.are_equal() ? "equal" : "NOT equal",
                  received.length(StreamCheck::Side::kActual),
                  received.length(StreamCheck::Side::kRecorded))};
  if (received.first_difference())
    notes.push_back(fmt::format("{} octets differ, the first at {}; --mask REGEX leaves out what may",
                                received.different(), *received.first_difference()));
  if (result.is_done()) return notes;
  notes.push_back(fmt::format("awaited: {}", result.awaited));
  if (!result.last_packets.empty()) notes.emplace_back("last packets:");
  for (const std::string& line : result.last_packets) notes.push_back("  " + line);
  return notes;
}

std::vector<std::string> notes_on(const replay::DatagramExchange& exchange) {
  std::vector<std::string> notes{
      fmt::format("{}; sent {} packets, {} of {} recorded steps",
                  exchange.state() == replay::LiveState::kDone      ? "done"
                  : exchange.state() == replay::LiveState::kStalled ? "stalled"
                                                                    : "unfinished",
                  exchange.sent(), exchange.steps_done(), exchange.script().steps.size()),
      fmt::format(
          "datagrams from the peer: {} ({} of {} recorded; {} with other octets, {} not recorded, {} twice)",
          exchange.are_equal() ? "equal" : "NOT equal", exchange.equal(), exchange.script().expected.size(),
          exchange.changed(), exchange.added(), exchange.again())};
  for (const std::string& difference : exchange.differences()) notes.push_back(difference);
  if (exchange.state() == replay::LiveState::kDone) return notes;
  notes.emplace_back("last packets:");
  for (const std::string& line : exchange.last_packets()) notes.push_back("  " + line);
  return notes;
}

std::map<std::string, std::uint64_t> numbers_of(const replay::DatagramExchange& exchange) {
  return {{"steps", exchange.script().steps.size()},
          {"steps_done", exchange.steps_done()},
          {"sent", exchange.sent()},
          {"unsendable", exchange.unsendable()},
          {"datagrams_equal", exchange.equal()},
          {"datagrams_changed", exchange.changed()},
          {"datagrams_added", exchange.added()},
          {"datagrams_again", exchange.again()},
          {"datagrams_lost", exchange.lost()}};
}

// The recorded conversations of the end that is played; never none.
struct Parts {
  replay::Scene scene;
  replay::LiveScripts scripts;
};

Parts parts_of(const ReplayOptions& options, bool is_client, bool has_datagrams) {
  Parts parts{.scene = look_at(options.capture), .scripts = {}};
  const replay::Cast cast(parts.scene, *replay::Role::parse(is_client ? "client" : "server"), true);
  const auto read = [&](const auto& make) {
    auto reader = open_replayed(options.capture);
    auto scripts = make(reader, parts.scene, cast);
    if (!scripts) fail_reading(options.capture, scripts.error());
    std::erase_if(*scripts, [&](const auto& entry) { return entry.second.is_opener != is_client; });
    return std::move(*scripts);
  };
  parts.scripts.tcp = read(replay::make_scripts);
  if (has_datagrams) parts.scripts.datagrams = read(replay::make_datagram_scripts);
  // Without a connection there is no application.
  if (!has_datagrams)
    std::erase_if(parts.scripts.tcp, [](const auto& entry) { return !entry.second.us.initial; });
  if (parts.scripts.tcp.empty() && parts.scripts.datagrams.empty())
    fail(Exit::kUsage, "{}: no TCP connection with its handshake{}, to be played by its {}", options.capture,
         has_datagrams ? " and no exchange of datagrams" : "", is_client ? "client" : "server");
  add_masks(parts.scripts, options.masks);
  return parts;
}

// Which families the scripts speak.
std::vector<IpFamily> families_of(const replay::LiveScripts& scripts) {
  std::vector<IpFamily> families;
  const auto add = [&](const auto& some) {
    for (const auto& [flow, script] : some)
      if (std::ranges::find(families, script.ours.address.family()) == families.end())
        families.push_back(script.ours.address.family());
  };
  add(scripts.tcp);
  add(scripts.datagrams);
  return families;
}

// The flow that a script was made of, and which of its ends is ours.
template <typename Scripts, typename Script>
std::pair<std::size_t, std::size_t> place_of(const replay::Scene& scene, const Scripts& scripts,
                                             const Script* script) {
  const auto entry = std::ranges::find_if(scripts, [&](const auto& each) { return &each.second == script; });
  return {entry->first, scene.flows[entry->first].ends[0] == script->ours ? 0 : 1};
}

replay::FlowRecords recorded_packets(const ReplayOptions& options, const replay::Scene& scene) {
  replay::FlowRecords records;
  auto reader = open_replayed(options.capture);
  for (;;) {
    const auto packet = reader.next();
    if (!packet) fail_reading(options.capture, packet.error());
    if (!*packet) return records;
    if (const auto view = drivers::PacketView::parse(**packet))
      records.add(**packet, *view, (*packet)->time - scene.begin);
  }
}

replay::RunFlow run_flow_of(const LiveResult& result, const Parts& parts, const ReplayOptions& options) {
  const auto [number, ours] = place_of(parts.scene, parts.scripts.tcp, result.script);
  replay::RunFlow flow{.recorded = number, .ours = ours, .is_partial = options.limit || options.duration};
  flow.actual.protocol = IpProtocol::kTcp;
  flow.actual.ends[flow.ours] = result.tuple.local;
  flow.actual.ends[1 - flow.ours] = result.tuple.remote;
  flow.outcome.is_playable = true;
  flow.outcome.received = *result.received;
  if (!result.is_done() && !flow.is_partial)
    flow.outcome.stall = fmt::format("{}; awaited: {}", state_name(result), result.awaited);
  // What was recorded is played by client and server, whether it was legal or not.
  flow.is_tested[flow.ours] = options.role == "app";
  flow.is_tested[1 - flow.ours] = true;
  return flow;
}

ReplayReport report_of(const ReplayOptions& options, const Parts& parts,
                       const std::vector<LiveResult>& results, replay::RunRecorder& recorder) {
  std::vector<replay::RunFlow> flows;
  for (const LiveResult& result : results) flows.push_back(run_flow_of(result, parts, options));
  ReplayReport report{
      .capture = options.capture,
      .role = options.role,
      .packets = parts.scene.packets,
      .flows = recorder.reports(recorded_packets(options, parts.scene), std::move(flows)),
      .end = fmt::format("sent {} packets, {} came, {:.3f} s", recorder.sent(), recorder.received(),
                         std::chrono::duration<double>(recorder.duration()).count()),
      .numbers = {{"sent", recorder.sent()}, {"received", recorder.received()}}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    report.flows[i].notes = notes_on(results[i]);
    report.flows[i].numbers = results[i].numbers;
  }
  return report;
}

void add_exchanges(const replay::LiveReplay& live, const ReplayOptions& options, const Parts& parts,
                   ReplayReport& report) {
  for (const auto& exchange : live.exchanges()) {
    const auto [number, ours] = place_of(parts.scene, parts.scripts.datagrams, &exchange->script());
    replay::FlowReport& flow = report.flows.emplace_back(
        replay::report_of(*exchange, number, ours, options.limit || options.duration));
    flow.notes = notes_on(*exchange);
    flow.numbers = numbers_of(*exchange);
  }
}

// `Replay` is made of the host, the scripts and the setup, and is asked from time to time.
template <typename Replay>
int play(const ReplayOptions& options, const Parts& parts, const replay::LiveSetup& setup, LocalHost& host,
         bool is_client, replay::RunRecorder& recorder, const std::vector<std::string>& command) {
  std::unique_ptr<Replay> live;
  {
    sockets::Session session(host.stack());
    live = std::make_unique<Replay>(session.host(), parts.scripts, setup);
  }
  const pid_t child = command.empty() ? 0 : start_child(command);
  Prompt prompt(setup.speed.one_at_a_time);
  bool is_over = false, is_interrupted = false;
  while (!is_over && !is_interrupted) {
    is_interrupted = !rest();
    const std::uint64_t steps = prompt.take();
    sockets::Session session(host.stack());
    if (steps > 0) live->allow(steps);
    is_over = live->is_over() || live->has_waited_in_vain();
  }
  (void)host.stack().drain(std::chrono::milliseconds(200));
  const int child_status = end_child(child, is_client);

  sockets::Session session(host.stack());
  std::vector<LiveResult> results;
  for (const auto& connection : live->connections()) results.push_back(result_of(*connection));
  ReplayReport report = report_of(options, parts, results, recorder);
  if constexpr (std::is_same_v<Replay, replay::LiveReplay>) add_exchanges(*live, options, parts, report);
  if (!setup.limit && !setup.duration) report.waiting = live->waiting();
  report.numbers["waiting"] = live->waiting();
  report.numbers["command_status"] = child_status;
  if (child_status != 0)
    report.notes.push_back(fmt::format("the command behind '--' ended with status {}", child_status));
  report.is_done =
      report.waiting == 0 && child_status == 0 &&
      std::ranges::all_of(report.flows, [](const replay::FlowReport& flow) {
        return flow.tcp.stall.empty() && flow.octets_are_equal() && flow.least < replay::Likeness::kUnknown;
      });
  const bool is_good = put_out(options, report) && *report.is_done;
  std::fflush(stdout);
  live.reset();
  return static_cast<int>(is_good ? Exit::kGood : Exit::kFailed);
}

// What passes towards our end has arrived, as it is where the Host looks; what it sends may be lost behind.
drivers::judge::JudgeOptions judge_options_of(const ReplayOptions& options,
                                              const std::vector<IpAddress>& local) {
  drivers::judge::JudgeOptions judge;
  judge.captured_at = local;
  judge.has_missed_nothing = true;
  judge.has_offload = !options.device.no_offload;
  return judge;
}

// On a device, which is gone behind it. Sets `recorder` up.
int run_on_device(const ReplayOptions& options, const Parts& parts, bool is_client,
                  std::optional<replay::RunRecorder>& recorder, const std::vector<std::string>& command) {
  const Peer peer = parse_peer(options.peer);
  DeviceOptions device = options.device;
  if (!options.write.empty()) device.traces.push_back(options.write);
  LocalHost host(device, DefaultDevice::kPrivateTap,
                 std::make_unique<drivers::PacketSink>([&](const drivers::CapturedPacket& packet) {
                   if (recorder) recorder->take(packet);
                 }));
  std::FILE* const out = options.as_json || !command.empty() ? stderr : stdout;
  if (!options.is_quiet)
    for (const std::string& line : host.report()) fmt::print(out, "{}\n", line);
  replay::LiveSetup setup = live_setup_of(options);
  if (peer.port && !setup.port) setup.port = peer.port;
  // A connection may be played at an address of the other family.
  for (const IpFamily family :
       peer.address ? std::vector{peer.address->family()} : families_of(parts.scripts)) {
    const auto local = of_family(host.addresses(), family);
    const auto remote = peer.address ? peer.address : of_family(host.kernel_addresses(), family);
    if (!local || (is_client && !remote))
      fail(Exit::kUsage, "{} has no {} address, which a recorded connection needs; give one",
           local ? "the peer (--peer)" : "this host (--ip)", family == IpFamily::kIpv4 ? "IPv4" : "IPv6");
    setup.local.push_back(*local);
    if (is_client) setup.peer.push_back(*remote);
  }
  {
    sockets::Session session(host.stack());
    recorder.emplace(judge_options_of(options, setup.local));
  }
  return options.role == "app"
             ? play<replay::AppReplay>(options, parts, setup, host, is_client, *recorder, command)
             : play<replay::LiveReplay>(options, parts, setup, host, is_client, *recorder, command);
}

// The trace was written while it was not known yet.
void add_findings(const std::string& path, const std::vector<drivers::judge::Finding>& findings) {
  if (findings.empty()) return;
  const std::string part = path + ".part.pcapng";
  copy_with_findings(path, part, findings);
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) fail(Exit::kUsage, "cannot write {}: {}", path, error.message());
}

}  // namespace

int run_live_replay(const ReplayOptions& options, const std::vector<std::string>& command) {
  const bool is_app = options.role == "app";
  const std::string& end = is_app ? options.as : options.role;
  if (end != "client" && end != "server")
    fail(Exit::kUsage, "--as '{}': --role app takes the place of 'client' or 'server'", end);
  const bool is_client = end == "client";
  const Parts parts = parts_of(options, is_client, !is_app);
  block_signals();
  std::optional<replay::RunRecorder> recorder;
  const int status = run_on_device(options, parts, is_client, recorder, command);
  if (options.write.ends_with(".pcapng")) add_findings(options.write, recorder->findings());
  return status;
}

}  // namespace transom::tools
