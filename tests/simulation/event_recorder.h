// Keeps the TCP events that a Host tells.
#pragma once

#include <vector>

#include "stack/base/observer.h"

namespace transom::test {

class EventRecorder final : public Observer {
 public:
  template <typename What>
  struct Told {
    Instant time;
    What what;
  };

  void on_event(const Event& event) override {
    const bool holds_packet = std::holds_alternative<PacketEvent>(event.what);  // only valid now
    if (!holds_packet) events_.push_back(event);
  }

  // In order.
  template <typename What>
  std::vector<Told<What>> all() const {
    std::vector<Told<What>> found;
    for (const Event& event : events_) {
      if (const auto* what = std::get_if<What>(&event.what)) found.push_back({event.time, *what});
    }
    return found;
  }

 private:
  std::vector<Event> events_;
};

}  // namespace transom::test
