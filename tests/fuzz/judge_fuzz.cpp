// A capture of any octets is judged without harm, in bounded memory.
#include <cstdlib>

#include "drivers/capture/capture_reader.h"
#include "drivers/judge/judge.h"
#include "drivers/judge/ladder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace transom::drivers;
  auto reader = CaptureReader::of({data, size});
  if (!reader) return 0;
  const judge::LadderText ladder;
  std::size_t drawn = 0;
  judge::JudgeOptions options{.max_connections = 16, .max_findings = 64, .max_summaries = 16};
  options.on_segment = [&](const judge::SegmentEvent& event) {
    drawn += ladder.line(judge::step_of(event), {}).size();
  };
  judge::Judge judge(std::move(options));
  while (true) {
    const auto packet = reader->next();
    if (!packet || !*packet) break;
    judge.take(**packet);
  }
  judge.end();
  if (judge.findings().size() > 64 || judge.connections().size() > 16) std::abort();
  return 0;
}
