// A trace as lines for a person: time, connection, what happened and why.
#pragma once

#include "drivers/capture/output_file.h"
#include "drivers/trace/event_text.h"
#include "drivers/trace/trace_sink.h"

namespace transom::drivers {

class TextTrace final : public TraceSink {
 public:
  explicit TextTrace(OutputFile file) : file_(std::move(file)) {}
  void write(std::string_view host, const Event& event) override;

 private:
  OutputFile file_;
  EventText words_;
};

}  // namespace transom::drivers
