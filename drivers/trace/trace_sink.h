// One file of a trace.
#pragma once

#include <string_view>

#include "stack/base/observer.h"

namespace transom::drivers {

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  // `host` is empty when the file is about one only.
  virtual void write(std::string_view host, const Event& event) = 0;
};

}  // namespace transom::drivers
