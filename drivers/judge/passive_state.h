// The state of one end (RFC 9293 §3.3.2), as far as its own segments and those of its peer tell.
//
// Nobody outside knows whether a packet that passed the capture has arrived. So there are two: what the end
// is in at the most, when all that was seen has arrived, and at the least, by what its own segments say.
#pragma once

#include <optional>

#include "stack/tcp/types.h"

namespace transom::drivers::judge {

// What happens to an end, of what an RFC 9293 state machine looks at.
struct StateEvent {
  bool syn = false, fin = false, rst = false, ack = false;
  bool acknowledges_syn = false;  // the SYN of who receives it
  bool acknowledges_fin = false;  // likewise
};

struct StateChange {
  tcp::State from, to;
};

class PassiveState {
 public:
  // The end has sent or received this; what changed because of it.
  std::optional<StateChange> sends(const StateEvent& event);
  std::optional<StateChange> receives(const StateEvent& event);
  // The capture begins within the connection.
  void begin_within() { state_ = tcp::State::kEstablished; }

  tcp::State state() const { return state_; }

 private:
  std::optional<StateChange> go(tcp::State to);

  tcp::State state_ = tcp::State::kClosed;
};

}  // namespace transom::drivers::judge
