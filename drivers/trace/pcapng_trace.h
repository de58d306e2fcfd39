// A trace as a capture with comments: each frame carries what the stack decided because of it (a frame that
// came in) or why it was sent (one that went out). Every interface is written as Ethernet; bare IP packets
// get a header of zeros, so that one file can hold them all.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "drivers/trace/event_text.h"
#include "drivers/trace/pcapng_writer.h"

namespace transom::drivers {

class PcapngTrace final : public Observer {
 public:
  PcapngTrace(OutputFile file, std::function<Duration(Instant)> wall_clock, std::uint32_t snap_length);
  ~PcapngTrace() override;
  PcapngTrace(const PcapngTrace&) = delete;
  PcapngTrace& operator=(const PcapngTrace&) = delete;

  void on_event(const Event& event) override;

 private:
  void hold(const PacketEvent& packet, const Event& event);
  void write_held();

  PcapngWriter writer_;
  std::function<Duration(Instant)> wall_clock_;
  EventText words_;
  std::map<InterfaceId, std::uint32_t> interfaces_;
  // The last frame, until it is known what followed from it.
  bool holds_ = false;
  std::uint64_t held_id_ = 0;
  Instant held_time_{};
  InterfaceId held_interface_{};
  std::vector<std::uint8_t> held_;
  std::vector<std::string> held_comments_;
  std::vector<std::string> next_comments_;  // for the next frame that goes out
};

}  // namespace transom::drivers
