// A capture of any octets is judged without harm, in bounded memory, wherever it is said to have been taken.
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
  using transom::IpAddress;
  judge::JudgeOptions options{.max_connections = 16, .max_findings = 64, .max_summaries = 16};
  options.on_segment = [&](const judge::SegmentEvent& event) {
    drawn += ladder.line(judge::step_of(event), {}).size();
  };
  // Taken nowhere, at a server or at a client of the collection, or at both.
  if ((size & 1U) != 0) options.captured_at.push_back(IpAddress::v4(192, 0, 2, 2));
  if ((size & 2U) != 0) options.captured_at.push_back(IpAddress::v4(192, 0, 2, 1));
  options.is_complete = (size & 4U) != 0;
  options.has_offload = (size & 8U) != 0;
  judge::Judge judge(std::move(options));
  while (true) {
    const auto packet = reader->next();
    if (!packet || !*packet) break;
    judge.take(**packet);
  }
  judge.missed(reader->dropped());
  judge.end();
  if (judge.findings().size() > 64 || judge.connections().size() > 16) std::abort();
  return 0;
}
