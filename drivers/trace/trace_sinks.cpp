#include "drivers/trace/trace_sinks.h"

#include "drivers/trace/json_trace.h"
#include "drivers/trace/pcapng_trace.h"
#include "drivers/trace/text_trace.h"

namespace transom::drivers {

std::expected<std::unique_ptr<TraceSink>, DeviceError> make_trace(const TraceOptions& options) {
  const auto ends_in = [&](std::string_view suffix) { return options.path.ends_with(suffix); };
  const bool is_json = ends_in(".jsonl");
  const bool is_pcapng = ends_in(".pcapng");
  if (!is_json && !is_pcapng && !ends_in(".txt") && options.path != "-") {
    return std::unexpected(DeviceError{fmt::format(
        "cannot tell what kind of trace {} is to be; end it in .txt, .jsonl or .pcapng", options.path)});
  }
  auto file = OutputFile::open(options.path);
  if (!file) return std::unexpected(file.error());
  if (is_json) return std::make_unique<JsonTrace>(std::move(*file));
  if (is_pcapng)
    return std::make_unique<PcapngTrace>(std::move(*file), options.wall_clock, options.snap_length);
  return std::make_unique<TextTrace>(std::move(*file));
}

}  // namespace transom::drivers
