// Where a trace can go. A Host has one Observer, and a file may be about several Hosts: TraceFiles stands
// between them.
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
#include "drivers/trace/trace_sink.h"

namespace transom::drivers {

struct TraceOptions {
  std::string path;  // replaced if it exists; what it ends in says which kind
  // Turns Instants into nanoseconds since 1970-01-01 UTC, for pcapng.
  std::function<Duration(Instant)> wall_clock = [](Instant now) { return now.time_since_epoch(); };
  std::uint32_t snap_length = 262144;  // octets kept of each frame, in pcapng
};

// What has been told is in the file when the sink is destroyed.
std::expected<std::unique_ptr<TraceSink>, DeviceError> make_trace(const TraceOptions& options);

// Several files about several hosts.
class TraceFiles {
 public:
  void add(std::unique_ptr<TraceSink> sink) { sinks_.push_back(std::move(sink)); }
  bool empty() const { return sinks_.empty(); }
  // To be given to a Host. `name` tells hosts apart; empty when there is only one.
  Observer& add_host(std::string name) {
    hosts_.push_back(std::make_unique<HostObserver>(*this, std::move(name)));
    return *hosts_.back();
  }

 private:
  class HostObserver final : public Observer {
   public:
    HostObserver(TraceFiles& files, std::string name) : files_(files), name_(std::move(name)) {}
    void on_event(const Event& event) override {
      for (const auto& sink : files_.sinks_) sink->write(name_, event);
    }

   private:
    TraceFiles& files_;
    std::string name_;
  };

  std::vector<std::unique_ptr<TraceSink>> sinks_;
  std::vector<std::unique_ptr<HostObserver>> hosts_;
};

}  // namespace transom::drivers
