// One recorded conversation that is played at a live peer: of TCP, of an application alone, of datagrams.
#pragma once

#include <deque>
#include <string>

#include "stack/base/time.h"

namespace transom::drivers::replay {

enum class LiveState : std::uint8_t { kRunning, kDone, kStalled, kReset };

class LivePart {
 public:
  LivePart() = default;
  LivePart(const LivePart&) = delete;
  LivePart& operator=(const LivePart&) = delete;
  virtual ~LivePart() = default;

  // --- within Host::enter() and leave()
  virtual void start(Instant now) = 0;  // of one that opens: its first step is due
  virtual void run(Instant now) = 0;    // does what is due
  virtual Instant next_deadline() const = 0;

  virtual LiveState state() const = 0;
};

}  // namespace transom::drivers::replay
