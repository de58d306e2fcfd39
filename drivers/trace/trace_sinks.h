// Where a trace can go. Each is an Observer; a Host has one, so TraceFanOut passes events on to several.
//
//   text     one line for a person                       .txt, or "-" for standard output
//   JSON     one object per line, schema version 1       .jsonl; docs/trace.md describes the fields
//   pcapng   the frames, with the decisions as comments  .pcapng; Wireshark and tshark show them
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "drivers/device.h"
#include "stack/base/observer.h"

namespace transom::drivers {

struct TraceOptions {
  std::string path;  // replaced if it exists; what it ends in says which kind
  // Turns Instants into nanoseconds since 1970-01-01 UTC, for pcapng.
  std::function<Duration(Instant)> wall_clock = [](Instant now) { return now.time_since_epoch(); };
  std::uint32_t snap_length = 262144;  // octets kept of each frame, in pcapng
};

// What has been told is in the file when the sink is destroyed.
std::expected<std::unique_ptr<Observer>, DeviceError> make_trace(const TraceOptions& options);

class TraceFanOut final : public Observer {
 public:
  void add(std::unique_ptr<Observer> sink) { sinks_.push_back(std::move(sink)); }
  void on_event(const Event& event) override {
    for (const auto& sink : sinks_) sink->on_event(event);
  }

 private:
  std::vector<std::unique_ptr<Observer>> sinks_;
};

}  // namespace transom::drivers
