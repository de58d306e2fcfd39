// A trace as a capture with comments: each frame carries what the stack decided because of it (a frame that
// came in) or why it was sent (one that went out). Every interface is written as Ethernet; bare IP packets
// get a header of zeros, so that one file can hold them all; one interface per host and interface of the
// host.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "drivers/capture/capture_writer.h"
#include "drivers/trace/decision_sorter.h"
#include "drivers/trace/trace_sink.h"

namespace transom::drivers {

class PcapngTrace final : public TraceSink {
 public:
  PcapngTrace(OutputFile file, std::function<Duration(Instant)> wall_clock, std::uint32_t snap_length);
  ~PcapngTrace() override;
  PcapngTrace(const PcapngTrace&) = delete;
  PcapngTrace& operator=(const PcapngTrace&) = delete;

  void write(std::string_view host, const Event& event) override;

 private:
  void hold(std::string_view host, const PacketEvent& packet, const Event& event);
  void write_held();

  CaptureWriter writer_;
  std::uint32_t snap_length_;
  std::function<Duration(Instant)> wall_clock_;
  using HostInterface = std::pair<std::string, InterfaceId>;
  std::map<HostInterface, std::uint32_t> interfaces_;
  // The last frame, until it is known what followed from it.
  bool holds_ = false;
  Instant held_time_{};
  bool held_is_outgoing_ = false;
  HostInterface held_interface_;
  std::vector<std::uint8_t> held_;
  std::vector<std::string> held_comments_;
  std::map<std::string, DecisionSorter> sorters_;  // one for each host: the ids of events are its own
};

}  // namespace transom::drivers
