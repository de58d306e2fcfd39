#include "tools/replay_output.h"

#include "tools/capture_copy.h"
#include "tools/failure.h"
#include "tools/golden_file.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

using drivers::replay::Likeness;

Likeness bar_named(std::string_view name) {
  return name == "any" ? Likeness::kLegal : name == "unknown" ? Likeness::kUnknown : Likeness::kViolation;
}

// Whether the run is as the golden record: without --fail-on, each difference is too much.
bool is_golden(const ReplayOptions& options, const ReplayReport& report) {
  if (options.golden.empty()) return true;
  std::optional<Masks> masks;
  if (options.golden_masks) {
    auto parsed = parse_masks(*options.golden_masks);
    if (!parsed) fail(Exit::kUsage, "--golden-mask: {}", parsed.error());
    masks = std::move(*parsed);
  }
  const GoldenCheck check =
      check_golden(options.golden, {report.role, report.flows, std::move(masks)}, options.accepts);
  if (!options.is_quiet) fmt::print(options.as_json ? stderr : stdout, "{}", check.text(options.golden));
  return options.accepts || worst_of(check.differences) < bar_named(options.fail_on.value_or("any"));
}

}  // namespace

// What a device took away cannot be told from what was lost: with `both` that is too bad, too.
Likeness bar_of(const ReplayOptions& options) {
  return bar_named(options.fail_on.value_or(options.role == "both" ? "unknown" : "violation"));
}

void copy_with_findings(const std::string& input, const std::string& output,
                        const std::vector<drivers::judge::Finding>& findings) {
  auto next = findings.begin();
  (void)copy_capture(
      {.input = input, .output = output}, [&](const drivers::CapturedPacket& packet, const Emit& emit) {
        drivers::CapturedPacket commented = packet;
        for (; next != findings.end() && next->frame <= packet.number; ++next) {
          commented.comments.push_back(
              fmt::format("{}: {} [{}]", to_string(next->verdict), next->text, next->rule->section));
        }
        emit(commented);
      });
}

bool put_out(const ReplayOptions& options, const ReplayReport& report) {
  if (!options.html.empty()) write_text_file(options.html, to_html(report), Exit::kUsage);
  if (!options.junit.empty()) write_text_file(options.junit, as_junit(report, bar_of(options)), Exit::kUsage);
  if (options.as_json) {
    fmt::print("{}\n", to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (!options.is_quiet) {
    print_text(report, options.shows_all ? std::nullopt : std::optional(options.context));
  }
  return is_golden(options, report) && report.likeness() < bar_of(options);
}

}  // namespace transom::tools
