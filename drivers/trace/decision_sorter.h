// Which frame a decision of a host belongs to: the one that came in and caused it, or the one that it is the
// cause of. Why something is sent belongs to the frame that carries it, whatever caused it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/trace/event_text.h"

namespace transom::drivers {

class DecisionSorter {
 public:
  // A frame passes. Returns what was decided before and belongs to it.
  std::vector<std::string> frame(const PacketEvent& packet, std::uint64_t id);
  // A decision in words, if it belongs to the last frame; else it is kept for the next that goes out.
  // `is_last_open`: words can still be put to the last frame.
  std::optional<std::string> decision(const Event& event, bool is_last_open = true);

 private:
  static constexpr std::size_t kMaxComments = 64;  // of one frame

  EventText words_;
  std::uint64_t last_id_ = 0;
  std::size_t last_comments_ = 0;
  std::vector<std::string> next_;
};

}  // namespace transom::drivers
