// What is to be played is made of a capture of any octets without harm, in bounded memory.
#include <cstdlib>

#include "drivers/capture/capture_reader.h"
#include "drivers/replay/datagram_script.h"
#include "drivers/replay/flow_records.h"
#include "drivers/replay/tcp_script.h"
#include "drivers/replay/transit_script.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace transom::drivers;
  const auto read = [&] { return CaptureReader::of({data, size}); };
  auto reader = read();
  if (!reader) return 0;
  const auto scene = replay::survey(*reader);
  if (!scene) return 0;
  replay::FlowRecords records;
  reader = read();
  while (true) {
    const auto packet = reader->next();
    if (!packet || !*packet) break;
    if (const auto view = PacketView::parse(**packet))
      records.add(**packet, *view, (*packet)->time - scene->begin);
  }
  if (records.flows().size() > scene->flows.size()) std::abort();
  for (const char* role : {"client", "server"}) {
    const replay::Cast cast(*scene, *replay::Role::parse(role)),
        with_groups(*scene, *replay::Role::parse(role), true);
    reader = read();
    if (const auto scripts = replay::make_scripts(*reader, *scene, with_groups)) {
      for (const auto& [flow, script] : *scripts)
        if (script.steps.empty() || script.stream.size() > (std::size_t{256} << 20)) std::abort();
    }
    reader = read();
    if (const auto scripts = replay::make_datagram_scripts(*reader, *scene, with_groups)) {
      for (const auto& [flow, script] : *scripts)
        if (script.steps.empty() || (!script.is_opener && script.expected.empty())) std::abort();
    }
    reader = read();
    (void)replay::make_transit_scripts(*reader, *scene, cast, 1500);
  }
  return 0;
}
