// transom replay: a capture is played at a stack, and what that answers is held against the recording.
#include <unistd.h>

#include "drivers/trace/trace_sinks.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/replay_report.h"

namespace transom::tools {

namespace {

using drivers::replay::Cast;
using drivers::replay::FeedOptions;
using drivers::replay::FeedRecorder;
using drivers::replay::Likeness;
using drivers::replay::Role;
using drivers::replay::Scene;

struct ReplayOptions {
  std::string capture;
  std::string role = "feed";
  std::string as = "server";
  std::uint64_t seed = 1;
  double stall = 5;  // seconds
  std::string congestion_control;
  std::string write;
  bool as_json = false;
  bool is_quiet = false;
  bool shows_all = false;
  std::size_t context = 3;
  std::string fail_on = "violation";
};

drivers::CaptureReader open_capture(const std::string& path) {
  auto reader = drivers::CaptureReader::open(path);
  if (!reader)
    fail(Exit::kUsage, "{}: {} (at octet {})", path, reader.error().message, reader.error().offset);
  return std::move(*reader);
}

[[noreturn]] void fail_reading(const std::string& path, const drivers::CaptureError& error) {
  fail(Exit::kUsage, "{}: {} (at octet {})", path, error.message, error.offset);
}

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

Scene look_at(const std::string& path) {
  auto reader = open_capture(path);
  Progress progress("reading");
  auto scene = drivers::replay::survey(reader, [&](std::uint64_t packets) { progress(packets, 0); });
  if (!scene) fail_reading(path, scene.error());
  return std::move(*scene);
}

Likeness bar_of(const std::string& text) {
  return text == "any" ? Likeness::kLegal : text == "unknown" ? Likeness::kUnknown : Likeness::kViolation;
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
  ReplayReport report{
      .capture = options.capture, .role = fmt::format("feed as {}", options.as), .scene = &scene};
  FeedRecorder recorder;
  {
    auto reader = open_capture(options.capture);
    Progress progress("feeding");
    FeedOptions feed_options{
        .seed = options.seed,
        .stall = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.stall)),
        .congestion_control = options.congestion_control,
        .observer = traces.empty() ? nullptr : &traces.add_host({}),
        .progress = [&](std::uint64_t packets) { progress(packets, scene.packets); }};
    auto outcome = drivers::replay::feed(reader, scene, cast, feed_options, recorder);
    if (!outcome) fail_reading(options.capture, outcome.error());
    report.outcome = std::move(*outcome);
  }
  report.flows = recorder.reports(scene, cast, report.outcome);
  if (options.as_json) {
    fmt::print("{}\n", to_json(report).dump(2));
  } else if (!options.is_quiet) {
    print_text(report, options.shows_all ? std::nullopt : std::optional(options.context));
  }
  return static_cast<int>(report.likeness() >= bar_of(options.fail_on) ? Exit::kFailed : Exit::kGood);
}

}  // namespace

void add_replay(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("replay", "Play a capture at a stack, and judge what it answers");
  auto options = std::make_shared<ReplayOptions>();
  command->add_option("capture", options->capture, "pcap or pcapng, also compressed")
      ->required()
      ->type_name("CAPTURE");
  command->add_option("--role", options->role, "feed: into a stack of ours, in virtual time")
      ->check(CLI::IsMember({"feed"}))
      ->capture_default_str();
  command
      ->add_option("--as", options->as,
                   "Whose place our stack takes: server, client, or an address of the capture")
      ->type_name("END")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of what the capture does not decide")->capture_default_str();
  command
      ->add_option("--stall", options->stall,
                   "Give a flow up when what it waits for has not come for so long")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--cc", options->congestion_control, "Congestion control of our stack")
      ->type_name("NAME");
  command
      ->add_option("-w,--write", options->write,
                   "What happened: .pcapng with our decisions as comments, .txt, .jsonl")
      ->type_name("FILE");
  command->add_flag("--json", options->as_json, "The result as JSON");
  command->add_flag("-q,--quiet", options->is_quiet, "Only the exit status");
  command->add_flag("--all", options->shows_all,
                    "All packets in the ladder, not only those around differences");
  command->add_option("--context", options->context, "Lines around each difference")->capture_default_str();
  command->add_option("--fail-on", options->fail_on, "violation, unknown, or any difference")
      ->check(CLI::IsMember({"violation", "unknown", "any"}))
      ->capture_default_str();
  command->footer("Example: transom replay http.pcapng --role feed --as server\nSee docs/replay.md.");
  command->callback([options, &selected] { selected.run = [options] { return run_feed(*options); }; });
}

}  // namespace transom::tools
