#include "drivers/trace/decision_sorter.h"

#include <utility>

namespace transom::drivers {

std::vector<std::string> DecisionSorter::frame(const PacketEvent& packet, std::uint64_t id) {
  last_id_ = id;
  last_comments_ = 0;
  if (packet.direction != Direction::kOut) return {};
  last_comments_ = next_.size();
  return std::exchange(next_, {});
}

std::optional<std::string> DecisionSorter::decision(const Event& event, bool is_last_open) {
  // Timers are set with every ACK: too much to read beside each frame.
  if (std::holds_alternative<TcpTimerSetEvent>(event.what)) return std::nullopt;
  std::string text = words_.text(event);
  if (text.empty()) return std::nullopt;
  const bool is_of_last = is_last_open && last_id_ != 0 && event.cause == last_id_ &&
                          !std::holds_alternative<TcpSendEvent>(event.what);
  if (is_of_last && ++last_comments_ <= kMaxComments) return text;
  if (!is_of_last && next_.size() < kMaxComments) next_.push_back(std::move(text));
  return std::nullopt;
}

}  // namespace transom::drivers
