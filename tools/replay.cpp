// transom replay: a capture is played at a stack, and what that answers is held against the recording.
#include <unistd.h>

#include <functional>
#include <set>

#include "drivers/capture/capture_writer.h"
#include "drivers/replay/feed_report.h"
#include "drivers/replay/observation.h"
#include "drivers/trace/trace_sinks.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/replay_flags.h"
#include "tools/replay_output.h"

namespace transom::tools {

namespace {

using drivers::replay::Cast;
using drivers::replay::FeedOptions;
using drivers::replay::FeedOutcome;
using drivers::replay::FeedRecorder;
using drivers::replay::Role;
using drivers::replay::Scene;

// Shown while it takes long, on a terminal.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)), is_shown_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (was_shown_) fmt::print(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void operator()(std::uint64_t packets, std::uint64_t all) {
    if (!is_shown_) return;
    was_shown_ = true;
    if (all > 0) {
      fmt::print(stderr, "\r{} {} of {} packets ({} %)", what_, packets, all, packets * 100 / all);
    } else {
      fmt::print(stderr, "\r{} {} packets", what_, packets);
    }
    std::fflush(stderr);
  }

 private:
  std::string what_;
  bool is_shown_;
  bool was_shown_ = false;
};

}  // namespace

drivers::CaptureReader open_replayed(const std::string& path) {
  auto reader = drivers::CaptureReader::open(path);
  if (!reader) fail_reading(path, reader.error());
  return std::move(*reader);
}

void fail_reading(const std::string& path, const drivers::CaptureError& error) {
  fail(Exit::kUsage, "{}: {}", path, to_string(error));
}

Scene look_at(const std::string& path) {
  auto reader = open_replayed(path);
  Progress progress("reading");
  auto scene = drivers::replay::survey(reader, [&](std::uint64_t packets) { progress(packets, 0); });
  if (!scene) fail_reading(path, scene.error());
  return std::move(*scene);
}

namespace {

std::vector<std::string> notes_on(const Scene& scene, const FeedOutcome& outcome) {
  std::vector<std::string> notes;
  const auto note = [&](std::uint64_t packets, std::string_view text) {
    if (packets > 0) notes.push_back(fmt::format("{} {}", packets, text));
  };
  note(scene.super_packets, "super-packets of an offloading device, fed whole");
  note(outcome.vouched, "packets were captured before their checksum was filled in, and are vouched for");
  note(scene.cut, "packets are cut by the snap length");
  note(outcome.between_others, "packets concern none of our ends");
  return notes;
}

int run_feed(const ReplayOptions& options) {
  const auto role = Role::parse(options.as);
  if (!role) fail(Exit::kUsage, "--as: {}", role.error());
  const Scene scene = look_at(options.capture);
  const Cast cast(scene, *role);
  if (cast.our_addresses().empty())
    fail(Exit::kUsage, "{}: none of its flows has an end for --as {}", options.capture, options.as);

  drivers::TraceFiles traces;
  if (!options.write.empty()) {
    auto sink = drivers::make_trace({.path = options.write, .wall_clock = [begin = scene.begin](Instant now) {
                                       return begin + now.time_since_epoch();
                                     }});
    if (!sink) throw Failure(Exit::kUsage, sink.error().message);
    traces.add(std::move(*sink));
  }
  FeedRecorder recorder(cast);
  FeedOutcome outcome;
  {
    auto reader = open_replayed(options.capture);
    Progress progress("feeding");
    FeedOptions feed_options{.seed = options.device.seed.value_or(1),
                             .stall = seconds_of(options.stall),
                             .congestion_control = options.device.congestion_control,
                             .observer = traces.empty() ? nullptr : &traces.add_host({}),
                             .progress = [&](std::uint64_t packets) { progress(packets, scene.packets); }};
    auto fed = drivers::replay::feed(reader, scene, cast, feed_options, recorder);
    if (!fed) fail_reading(options.capture, fed.error());
    outcome = std::move(*fed);
  }
  ReplayReport report{
      .capture = options.capture,
      .role = fmt::format("feed as {}", options.as),
      .packets = scene.packets,
      .notes = notes_on(scene, outcome),
      .flows = recorder.reports(scene, cast, outcome),
      .end = fmt::format("fed {} packets, {} came back, {:.3f} s of virtual time", outcome.fed, outcome.sent,
                         std::chrono::duration<double>(outcome.duration).count()),
      .numbers = {{"fed", outcome.fed}, {"sent", outcome.sent}}};
  return static_cast<int>(put_out(options, report) ? Exit::kGood : Exit::kFailed);
}

// Calls `take` with each packet of the capture; the packets that its writer says it has missed.
std::uint64_t read_all(const ReplayOptions& options, const char* doing,
                       const std::function<void(const drivers::CapturedPacket&)>& take) {
  auto reader = open_replayed(options.capture);
  Progress progress(doing);
  for (std::uint64_t count = 1;; ++count) {
    const auto packet = reader.next();
    if (!packet) fail_reading(options.capture, packet.error());
    if (!*packet) return reader.dropped();
    take(**packet);
    if (count % 16384 == 0) progress(count, 0);
  }
}

// Nothing is sent: both sides go through the judge's state machines. Then what stands around each finding is
// looked for; all of it is kept where all is to be shown, or written to a golden record.
int run_observe(const ReplayOptions& options) {
  drivers::judge::Judge judge;
  judge.missed(read_all(options, "judging", [&](const auto& packet) { judge.take(packet); }));
  judge.end();
  drivers::replay::ObservationOptions kept;
  // One more than is shown, so that it shows where something is left out.
  kept.context = options.context + 1;
  if (options.shows_all || !options.golden.empty()) kept = {.context = std::nullopt, .max_flows = SIZE_MAX};
  drivers::replay::Observation observation(judge, kept);
  read_all(options, "looking", [&](const auto& packet) { observation.add(packet); });
  if (!options.write.empty()) {
    if (drivers::CaptureWriter::format_of(options.write) != drivers::CaptureFormat::kPcapng)
      fail(Exit::kUsage, "{} has no room for comments; end it in .pcapng", options.write);
    copy_with_findings(options.capture, options.write, judge.findings());
  }
  ReplayReport report{.capture = options.capture,
                      .role = "observe",
                      .packets = judge.counts().packets,
                      .numbers = {{"connections", judge.counts().connections}}};
  if (observation.of_later_flows() > 0)
    report.notes.push_back(
        fmt::format("{} packets are of flows beyond the first {}: what is found in them is below",
                    observation.of_later_flows(), kept.max_flows));
  report.flows = std::move(observation).reports();
  std::set<std::uint64_t> known;  // frames
  for (const auto& flow : report.flows)
    for (const auto& finding : flow.findings) known.insert(finding.frame);
  for (const auto& finding : judge.findings())
    if (!known.contains(finding.frame)) report.others.push_back(finding);
  return static_cast<int>(put_out(options, report) ? Exit::kGood : Exit::kFailed);
}

void add_live_options(CLI::App& command, ReplayOptions& options) {
  const auto group = [&](CLI::Option* option) {
    option->group("With a live peer");
    return option;
  };
  group(command.add_option("--peer", options.peer,
                           "Where the recorded client connects to (default: the kernel's end)"))
      ->type_name("ADDRESS[:PORT]");
  group(command.add_option("--port", options.port, "The server's port, if not as recorded"));
  group(command.add_option("-i,--intf1", options.ports[0],
                           "--role both: the TAP device where the recorded clients stand (default: made in a "
                           "private network, whose kernel is the router)"))
      ->type_name("TAP");
  group(command.add_option("-I,--intf2", options.ports[1], "--role both: that of the servers"))
      ->type_name("TAP");
  group(command.add_flag("--bridge", options.is_bridge,
                         "--role both: what is between them is no router, frames go to the other end's MAC"));
  group(command.add_option(
            "--fidelity", options.fidelity,
            "stream: octets and turns; segment: cuts, flags and order, too; exact: every ACK, too"))
      ->check(CLI::IsMember({"stream", "segment", "exact"}))
      ->capture_default_str();
  group(command.add_option(
            "--when", options.when,
            "causal: when what it answers to has come, and the recorded thinking is over; recorded: "
            "at recorded times; hybrid: at recorded times, but not before what it answers to has come"))
      ->check(CLI::IsMember({"causal", "recorded", "hybrid"}))
      ->capture_default_str();
  group(command.add_option("--mask", options.masks,
                           "What matches in the peer's recorded octets may differ; repeatable"))
      ->type_name("REGEX")
      ->allow_extra_args(false);
  group(command.add_option("-x,--multiplier", options.speed.multiplier, "So many times as fast"))
      ->check(above_zero());
  group(command.add_option("-p,--pps", options.speed.packets_per_second, "Packets per second"))
      ->check(above_zero());
  group(command.add_option("-M,--mbps", options.speed.megabits_per_second, "Megabits per second"))
      ->check(above_zero());
  group(command.add_flag("-t,--topspeed", options.speed.top_speed, "Without thinking"));
  group(command.add_flag("-o,--oneatatime", options.speed.one_at_a_time,
                         "One packet for each line that is typed, or as many as it says"));
  group(command.add_option("--maxsleep", options.longest_sleep, "Longest thinking"))->type_name("SECONDS");
  group(command.add_option("-l,--loop", options.loops, "So many times; 0: for ever"))->capture_default_str();
  group(command.add_option("-L,--limit", options.limit, "Packets to send at most"));
  group(command.add_option("--duration", options.duration, "Seconds at most"))->check(above_zero());
}

}  // namespace

void add_replay(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("replay", "Play a capture at a stack, and judge what it answers");
  auto options = std::make_shared<ReplayOptions>();
  command->add_option("capture", options->capture, "pcap or pcapng, also compressed")
      ->required()
      ->type_name("CAPTURE");
  command
      ->add_option(
          "--role", options->role,
          "feed: into a stack of ours, in virtual time; client, server: that side is played at a live peer; "
          "app: only what its application says, on a TCP of ours; both: both sides, through a device between "
          "two ports; observe: nothing is sent, both sides are "
          "judged")
      ->check(CLI::IsMember({"feed", "client", "server", "app", "both", "observe"}))
      ->capture_default_str();
  command
      ->add_option("--as", options->as,
                   "Whose place our stack takes: server, client, or an address of the capture")
      ->type_name("END")
      ->capture_default_str();
  command
      ->add_option("--stall", options->stall,
                   "Give a flow up when what it waits for has not come for so long")
      ->type_name("SECONDS")
      ->check(above_zero())
      ->capture_default_str();
  command
      ->add_option("-w,--write", options->write,
                   "What happened: .pcapng with our decisions (live: and what is found; observe: that alone) "
                   "as comments, "
                   ".txt, .jsonl")
      ->type_name("FILE");
  command->add_option("--html", options->html, "The whole ladder as one HTML page")->type_name("FILE");
  command->add_option("--junit", options->junit, "JUnit XML, one test case per flow")->type_name("FILE");
  command->add_flag("--json", options->as_json, "The result as JSON");
  command->add_flag("-q,--quiet", options->is_quiet, "Only the exit status");
  command->add_flag("--all", options->shows_all,
                    "All packets in the ladder, not only those around differences");
  command->add_option("--context", options->context, "Lines around each difference")->capture_default_str();
  command
      ->add_option("--fail-on", options->fail_on,
                   "violation (the default), unknown, or any difference (the default of --golden)")
      ->check(CLI::IsMember({"violation", "unknown", "any"}));
  auto* golden = command->add_option("--golden", options->golden, "Hold the run against this golden record")
                     ->type_name("FILE");
  command->add_flag("--accept", options->accepts, "Show what differs, and write the golden record anew")
      ->needs(golden);
  command
      ->add_option("--golden-mask", options->golden_masks,
                   "Fields that a new golden record does not keep (default: time,isn,ports; and "
                   "identification, but for feed); also: addresses, octets, windows")
      ->type_name("NAMES")
      ->needs(golden);
  add_live_options(*command, *options);
  add_device_options(*command, options->device);
  command->footer(
      "Examples: transom replay http.pcapng --role feed --as server\n"
      "          transom replay http.pcapng --role server -- curl http://10.9.0.2/\n"
      "          transom replay http.pcapng --role client --peer 10.9.0.1:80 -- nginx -g 'daemon off;'\n"
      "See docs/replay.md.");
  command->callback([command, options, &selected] {
    check_flags(*command, options->role, !selected.neighbour_command.empty());
    selected.run = [options, &selected] {
      if (options->role == "client" || options->role == "server" || options->role == "app")
        return run_live_replay(*options, selected.neighbour_command);
      if (options->role == "both") return run_transit_replay(*options, selected.neighbour_command);
      return options->role == "observe" ? run_observe(*options) : run_feed(*options);
    };
  });
}

}  // namespace transom::tools
