// transom sim: a scenario in virtual time.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "drivers/sim/scenario.h"
#include "drivers/trace/trace_sinks.h"
#include "drivers/units.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/interrupt.h"
#include "tools/table.h"

namespace transom::tools {

namespace {

using drivers::format_duration;
using drivers::format_rate;
using drivers::format_size;
using drivers::sim::FlowReport;
using drivers::sim::Scenario;
using nlohmann::json;

struct SimOptions {
  std::string scenario;
  std::optional<std::uint64_t> seed;
  std::string csv;
  std::vector<std::string> traces;
  bool as_json = false;
  bool is_quiet = false;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::unique_ptr<Scenario> load(const SimOptions& options) {
  std::ifstream file(options.scenario);
  if (!file) fail(Exit::kUsage, "cannot read {}", options.scenario);
  std::ostringstream text;
  text << file.rdbuf();
  const std::size_t slash = options.scenario.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : options.scenario.substr(0, slash);
  auto scenario = Scenario::parse(text.str(), options.scenario, directory, options.seed);
  if (!scenario) throw Failure(Exit::kUsage, scenario.error());
  return std::move(*scenario);
}

// One line per flow and sample.
class CsvFile {
 public:
  explicit CsvFile(const std::string& path) {
    if (path.empty()) return;
    file_.open(path);
    if (!file_) fail(Exit::kUsage, "cannot write {}", path);
    file_ << "time_s,flow,delivered_octets,cwnd_octets,ssthresh_octets,in_flight_octets,rtt_ms,srtt_ms,"
             "retransmitted_octets,pacing_octets_s,metrics\n";
  }
  void write(Scenario& scenario) {
    if (!file_.is_open()) return;
    const double now = seconds(scenario.simulation().now().time_since_epoch());
    for (const auto& flow : scenario.flows()) {
      const FlowReport report = flow->report();
      const tcp::Info& info = report.info;
      file_ << fmt::format("{:.6f},{},{},{},{},{},{:.3f},{:.3f},{},{},{}\n", now, report.name,
                           report.delivered, info.cwnd, info.ssthresh, info.in_flight,
                           seconds(info.latest_rtt) * 1e3, seconds(info.srtt) * 1e3, info.bytes_retransmitted,
                           info.pacing_rate, metrics(info));
    }
  }

 private:
  // Of the congestion control: "w_max octets=14480;k ms=12.5".
  static std::string metrics(const tcp::Info& info) {
    std::vector<std::string> parts;
    for (const tcp::Metric& metric : std::span(info.metrics).first(info.metric_count))
      parts.push_back(fmt::format("{}={:g}", metric.name, metric.value));
    return fmt::format("{}", fmt::join(parts, ";"));
  }

  std::ofstream file_;
};

// "cwnd 83 %, recovery 12 %": what kept the sender from sending more, of the time until its end.
std::string limits_text(const FlowReport& report) {
  constexpr std::string_view kNames[] = {"idle", "app", "sndbuf", "rwnd", "cwnd", "recovery", "pacing"};
  Duration sum{};
  std::vector<std::pair<Duration, std::string_view>> limits;
  for (std::size_t i = 0; i < report.info.limited.size(); ++i) {
    sum += report.info.limited[i];
    limits.emplace_back(report.info.limited[i], kNames[i]);
  }
  std::ranges::stable_sort(limits, std::greater{}, &std::pair<Duration, std::string_view>::first);
  std::vector<std::string> parts;
  for (const auto& [time, name] : limits) {
    const double share = seconds(time) / std::max(seconds(sum), 1e-9) * 100;
    if (share >= 0.5) parts.push_back(fmt::format("{} {:.0f} %", name, share));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

json to_json(const FlowReport& report) {
  json limits = json::object();
  for (std::size_t i = 0; i < report.info.limited.size(); ++i)
    limits[std::string(tcp::to_string(static_cast<tcp::Limited>(i)))] = seconds(report.info.limited[i]);
  json object = {{"name", report.name},
                 {"congestion_control", report.congestion_control},
                 {"delivered_octets", report.delivered},
                 {"active_s", seconds(report.active)},
                 {"goodput_bit_s", report.goodput},
                 {"rtt_p50_ms", seconds(report.rtt_p50) * 1e3},
                 {"rtt_p95_ms", seconds(report.rtt_p95) * 1e3},
                 {"retransmitted_octets", report.info.bytes_retransmitted},
                 {"sent_octets", report.info.bytes_sent},
                 {"limited_s", limits},
                 {"intact", report.is_intact},
                 {"ended", report.ended != kNever},
                 {"error", std::string(to_string(report.error))}};
  if (report.rounds > 0) {
    object["rounds"] = report.rounds;
    object["round_p50_ms"] = seconds(report.round_p50) * 1e3;
    object["round_p95_ms"] = seconds(report.round_p95) * 1e3;
  }
  return object;
}

json to_json(const std::string& name, const drivers::sim::Channel& channel, Duration duration) {
  const auto& statistics = channel.statistics();
  const auto& queue = channel.queue().statistics();
  json object = {{"name", name},
                 {"sent_packets", statistics.sent},
                 {"sent_octets", statistics.sent_octets},
                 {"dropped_full", queue.dropped_full},
                 {"dropped_early", queue.dropped_early},
                 {"marked", queue.marked},
                 {"lost", statistics.lost + statistics.faulted + statistics.too_long},
                 {"max_queue_octets", queue.max_octets}};
  if (channel.rate() > 0) {
    object["utilisation"] = static_cast<double>(statistics.sent_octets) * 8 /
                            (static_cast<double>(channel.rate()) * seconds(duration));
  }
  return object;
}

template <typename Use>
void for_each_channel(Scenario& scenario, Use use) {
  for (const auto& link : scenario.simulation().links()) {
    const std::string& name = link->name();
    const std::size_t dash = name.find('-');
    use(fmt::format("{}>{}", name.substr(0, dash), name.substr(dash + 1)), link->forth());
    use(fmt::format("{}>{}", name.substr(dash + 1), name.substr(0, dash)), link->back());
  }
}

void print_flows(Scenario& scenario) {
  std::vector<std::vector<std::string>> rows{{"flow", "cc", "goodput", "delivered", "rtt p50", "rtt p95",
                                              "retransmitted", "time limited by", "note"}};
  for (const auto& flow : scenario.flows()) {
    const FlowReport report = flow->report();
    std::string note;
    if (report.rounds > 0)
      note = fmt::format("{} rounds, p50 {}, p95 {}", report.rounds, format_duration(report.round_p50),
                         format_duration(report.round_p95));
    if (report.error != Error::kNone) note = to_string(report.error);
    if (!report.is_intact) note = "wrong octets arrived";
    const auto sent = static_cast<double>(report.info.bytes_sent);
    const double again = sent > 0 ? static_cast<double>(report.info.bytes_retransmitted) / sent * 100 : 0;
    rows.push_back({report.name, report.congestion_control, format_rate(report.goodput),
                    format_size(report.delivered), format_duration(report.rtt_p50),
                    format_duration(report.rtt_p95), fmt::format("{:.2f} %", again), limits_text(report),
                    note});
  }
  print_table(rows, {2, 3, 4, 5, 6});
}

// Only those that were anybody's limit.
void print_channels(Scenario& scenario) {
  std::vector<std::vector<std::string>> rows{
      {"link", "rate", "used", "packets", "dropped", "marked", "lost", "longest queue"}};
  for_each_channel(scenario, [&](const std::string& name, const drivers::sim::Channel& channel) {
    const json facts = to_json(name, channel, scenario.simulation().now().time_since_epoch());
    const auto number = [&](const char* key) { return facts[key].get<std::uint64_t>(); };
    if (number("sent_packets") == 0) return;
    rows.push_back({name, channel.rate() == 0 ? "-" : format_rate(channel.rate()),
                    facts.contains("utilisation")
                        ? fmt::format("{:.1f} %", facts["utilisation"].get<double>() * 100)
                        : "-",
                    fmt::format("{}", number("sent_packets")),
                    fmt::format("{}", number("dropped_full") + number("dropped_early")),
                    fmt::format("{}", number("marked")), fmt::format("{}", number("lost")),
                    format_size(number("max_queue_octets"))});
  });
  print_table(rows, {1, 2, 3, 4, 5, 6, 7});
}

int run(const SimOptions& options) {
  const auto scenario = load(options);
  CsvFile csv(options.csv);
  drivers::TraceFiles traces;
  for (const std::string& path : options.traces) {
    auto trace = drivers::make_trace({.path = path});
    if (!trace) throw Failure(Exit::kUsage, trace.error().message);
    traces.add(std::move(*trace));
  }
  if (!options.traces.empty()) {
    for (const auto& node : scenario->simulation().nodes())
      node->host().set_observer(&traces.add_host(node->name()));
  }

  const bool shows_progress = !options.is_quiet && isatty(STDERR_FILENO) != 0;
  const auto began = std::chrono::steady_clock::now();
  auto shown = began;
  const auto real_time = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  std::atomic<bool> is_interrupted = false;
  const Interrupt interrupt([&] { is_interrupted = true; });
  scenario->run([&] {
    csv.write(*scenario);
    if (shows_progress && std::chrono::steady_clock::now() - shown > std::chrono::milliseconds(200)) {
      shown = std::chrono::steady_clock::now();
      fmt::print(stderr, "\r{:.1f} of {:.1f} s virtual, {:.1f} s real ",
                 seconds(scenario->simulation().now().time_since_epoch()), seconds(scenario->duration()),
                 real_time());
    }
    return !is_interrupted;
  });
  const double took = real_time();
  if (shows_progress) fmt::print(stderr, "\r{:60}\r", "");

  auto& simulation = scenario->simulation();
  const Duration virtual_time = simulation.now().time_since_epoch();
  if (options.as_json) {
    json result = {{"title", scenario->title()},
                   {"seed", scenario->seed()},
                   {"virtual_s", seconds(virtual_time)},
                   {"real_s", took},
                   {"packets", simulation.packets()},
                   {"trace_hash", fmt::format("{:016x}", simulation.trace_hash())},
                   {"flows", json::array()},
                   {"links", json::array()}};
    for (const auto& flow : scenario->flows()) result["flows"].push_back(to_json(flow->report()));
    for_each_channel(*scenario, [&](const std::string& name, const drivers::sim::Channel& channel) {
      result["links"].push_back(to_json(name, channel, virtual_time));
    });
    fmt::print("{}\n", result.dump(2));
  } else {
    if (!scenario->title().empty()) fmt::print("{}\n\n", scenario->title());
    print_flows(*scenario);
    fmt::print("\n");
    print_channels(*scenario);
    fmt::print("\n{:.1f} s of virtual time in {:.2f} s; {} packets; seed {}; trace hash {:016x}\n",
               seconds(virtual_time), took, simulation.packets(), scenario->seed(), simulation.trace_hash());
  }
  if (!options.traces.empty()) {
    for (const auto& node : simulation.nodes()) node->host().set_observer(nullptr);
  }
  const bool all_intact =
      std::ranges::all_of(scenario->flows(), [](const auto& flow) { return flow->report().is_intact; });
  return all_intact ? 0 : 1;
}

}  // namespace

void add_sim(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("sim", "Run a scenario (a TOML file) in virtual time");
  auto options = std::make_shared<SimOptions>();
  command->add_option("scenario", options->scenario, "The scenario; docs/simulation.md describes it")
      ->type_name("FILE")
      ->required();
  command->add_option("--seed", options->seed, "In place of the scenario's")->type_name("NUMBER");
  command->add_flag("--json", options->as_json, "Print one JSON object");
  command->add_option("--csv", options->csv, "Write a line per flow and sample to this file")
      ->type_name("FILE");
  command->add_option("--trace", options->traces, "Write a trace: .txt, .jsonl, .pcapng or - ; repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_flag("-q,--quiet", options->is_quiet, "No progress");
  command->footer("Example: transom sim tests/simulation/scenarios/cubic_and_reno.toml");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
