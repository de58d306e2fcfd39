// A trace as JSON lines: one object per event. The fields of each event are in docs/trace.md; "v" is the
// version of that schema.
#pragma once

#include "drivers/capture/output_file.h"
#include "drivers/trace/event_text.h"
#include "drivers/trace/trace_sink.h"

namespace transom::drivers {

inline constexpr int kTraceSchemaVersion = 1;

// One line of it, with its end. `host` may be empty.
std::string json_line(std::string_view host, const Event& event);

class JsonTrace final : public TraceSink {
 public:
  explicit JsonTrace(OutputFile file) : file_(std::move(file)) {}
  void write(std::string_view host, const Event& event) override;

 private:
  OutputFile file_;
};

}  // namespace transom::drivers
