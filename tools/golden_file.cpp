#include "tools/golden_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/failure.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

GoldenRecord read_golden(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) fail(Exit::kUsage, "cannot read {}", path);
  auto record = GoldenRecord::parse(text.view());
  if (!record)
    fail(Exit::kUsage, "{}:{}: {}; --accept writes it anew", path, record.error().line,
         record.error().message);
  return std::move(*record);
}

}  // namespace

GoldenCheck check_golden(const std::string& path, const GoldenRun& run, bool accepts) {
  GoldenCheck check;
  check.is_new = !std::filesystem::exists(path);
  if (check.is_new && !accepts) fail(Exit::kUsage, "{}: there is no golden record; --accept writes it", path);
  Masks masks = run.masks.value_or(standard_masks(run.role));
  bool is_written = check.is_new;
  if (!check.is_new) {
    const GoldenRecord golden = read_golden(path);
    check.differences = differences(golden, GoldenRecord::of(run.role, run.flows, golden.masked));
    is_written = !check.differences.empty() || (run.masks && *run.masks != golden.masked);
    if (!run.masks) masks = golden.masked;
  }
  if (accepts && is_written) {
    write_text_file(path, GoldenRecord::of(run.role, run.flows, masks).text(), Exit::kEnvironment);
    check.was_written = true;
  }
  return check;
}

std::string GoldenCheck::text(const std::string& path) const {
  std::string text;
  for (const GoldenDifference& difference : differences)
    text += fmt::format("  {:<10} {}\n", to_string(difference.verdict), difference.text);
  if (was_written) {
    text += fmt::format("{} {}\n", is_new ? "wrote" : "accepted: wrote", path);
  } else {
    text += differences.empty()
                ? fmt::format("{}: the same\n", path)
                : fmt::format("{}: {} differences; --accept writes it anew\n", path, differences.size());
  }
  return text;
}

}  // namespace transom::tools
