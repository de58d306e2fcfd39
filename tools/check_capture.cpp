// transom check-capture: what is wrong with a capture, before it is replayed.
#include <nlohmann/json.hpp>

#include "drivers/capture/capture_check.h"
#include "tools/commands.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

struct CheckOptions {
  std::vector<std::string> files;
  bool as_json = false;
};

nlohmann::ordered_json as_json(const std::string& file, const drivers::CaptureReport& report) {
  nlohmann::ordered_json findings = nlohmann::json::array();
  for (const drivers::CaptureFinding& finding : report.findings) {
    findings.push_back({{"flaw", drivers::name_of(finding.flaw)},
                        {"count", finding.count},
                        {"first_packet", finding.first_packet},
                        {"words", drivers::words_of(finding.flaw)},
                        {"detail", finding.detail},
                        {"fix", drivers::fix_of(finding.flaw)}});
  }
  return {{"file", file},
          {"packets", report.packets},
          {"connections", report.connections},
          {"first_time_ns", report.first_time.count()},
          {"last_time_ns", report.last_time.count()},
          {"findings", std::move(findings)}};
}

void print(const std::string& file, const drivers::CaptureReport& report) {
  fmt::print("{}: {} packets in {:.6f} s, {} TCP connections{}\n", file, report.packets,
             std::chrono::duration<double>(report.last_time - report.first_time).count(), report.connections,
             report.findings.empty() ? ": nothing wrong" : "");
  for (const drivers::CaptureFinding& finding : report.findings) {
    const std::string first =
        finding.first_packet == 0 ? "" : fmt::format(", first in packet {}", finding.first_packet);
    fmt::print("  {:>7}  {}{}{}{}\n           {}\n", finding.count, drivers::words_of(finding.flaw), first,
               finding.detail.empty() ? "" : ": ", finding.detail, drivers::fix_of(finding.flaw));
  }
}

int run(const CheckOptions& options) {
  bool is_good = true;
  for (const std::string& file : options.files) {
    auto reader = drivers::CaptureReader::open(file);
    drivers::CaptureCheck check;
    while (true) {
      if (!reader) fail(Exit::kUsage, "{}: {}", file, drivers::to_string(reader.error()));
      auto packet = reader->next();
      if (!packet) fail(Exit::kUsage, "{}: {}", file, drivers::to_string(packet.error()));
      if (!*packet) break;
      check.take(**packet);
    }
    const drivers::CaptureReport report = check.finish(reader->dropped());
    is_good = is_good && report.findings.empty();
    if (options.as_json)
      fmt::print("{}\n", as_json(file, report).dump());
    else
      print(file, report);
  }
  return static_cast<int>(is_good ? Exit::kGood : Exit::kFailed);
}

}  // namespace

void add_check_capture(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("check-capture", "What is wrong with a capture, and what helps");
  auto options = std::make_shared<CheckOptions>();
  command
      ->add_option("files", options->files,
                   "Captures: pcap or pcapng, also .gz and .zst; '-' is standard input")
      ->type_name("FILE...")
      ->required();
  command->add_flag("--json", options->as_json, "One object for each file");
  command->footer(
      "Ends with 0 when nothing is wrong, 1 when something is, 2 when a file cannot be read.\n"
      "Example: transom check-capture customer.pcapng.zst");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
