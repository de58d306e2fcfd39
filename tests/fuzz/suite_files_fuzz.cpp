// The files of a suite's case, of any octets: case.toml is refused with its line or gives a case, a golden
// record is refused or survives being written and read again.
#include <cstdlib>

#include "tools/failure.h"
#include "tools/golden_record.h"
#include "tools/suite_case.h"

namespace {

using namespace transom::tools;

void read_case(std::string_view text) {
  const RecordSets records{{"packets", {{{"flags", "S"}, {"length", 3}, {"late", true}, {"time", 0.5}}}}};
  try {
    (void)SuiteCase::parse(text, "folder", "name").expectations.judge(records);
  } catch (const Failure& failure) {
    if (failure.exit() != Exit::kUsage) std::abort();
  }
}

void read_golden(std::string_view text) {
  const auto record = GoldenRecord::parse(text);
  if (!record) return;
  const auto again = GoldenRecord::parse(record->text());
  if (!again || !differences(*record, *again).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_case(text);
  read_golden(text);
  return 0;
}
