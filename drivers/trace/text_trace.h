// A trace as lines for a person: time, connection, what happened and why.
#pragma once

#include "drivers/trace/event_text.h"
#include "drivers/trace/output_file.h"

namespace transom::drivers {

class TextTrace final : public Observer {
 public:
  explicit TextTrace(OutputFile file) : file_(std::move(file)) {}
  void on_event(const Event& event) override;

 private:
  OutputFile file_;
  EventText words_;
};

}  // namespace transom::drivers
