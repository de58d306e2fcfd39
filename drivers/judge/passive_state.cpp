#include "drivers/judge/passive_state.h"

namespace transom::drivers::judge {

using tcp::State;

std::optional<StateChange> PassiveState::go(State to) {
  if (to == state_) return std::nullopt;
  const StateChange change{state_, to};
  state_ = to;
  return change;
}

std::optional<StateChange> PassiveState::sends(const StateEvent& event) {
  if (event.rst) return go(State::kClosed);
  switch (state_) {
    case State::kClosed:
    case State::kListen:
      if (event.syn) return go(event.ack ? State::kSynReceived : State::kSynSent);
      break;
    case State::kSynSent:
      if (event.syn && event.ack) return go(State::kSynReceived);  // RFC 9293 §3.5, figure 7
      break;
    case State::kSynReceived:
    case State::kEstablished:
      if (event.fin) return go(State::kFinWait1);
      break;
    case State::kCloseWait:
      if (event.fin) return go(State::kLastAck);
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<StateChange> PassiveState::receives(const StateEvent& event) {
  // RFC 9293 §3.10.7.2: a reset means nothing to who listens.
  if (event.rst) return state_ == State::kListen ? std::nullopt : go(State::kClosed);
  switch (state_) {
    case State::kClosed:  // it must have listened, if it answers
      if (event.syn && !event.ack) return go(State::kListen);
      break;
    case State::kSynSent:
      if (event.syn && event.ack && event.acknowledges_syn) return go(State::kEstablished);
      if (event.syn && !event.ack) return go(State::kSynReceived);
      break;
    case State::kSynReceived:
      if (event.acknowledges_syn) return go(event.fin ? State::kCloseWait : State::kEstablished);
      break;
    case State::kEstablished:
      if (event.fin) return go(State::kCloseWait);
      break;
    case State::kFinWait1:
      if (event.fin) return go(event.acknowledges_fin ? State::kTimeWait : State::kClosing);
      if (event.acknowledges_fin) return go(State::kFinWait2);
      break;
    case State::kFinWait2:
      if (event.fin) return go(State::kTimeWait);
      break;
    case State::kClosing:
      if (event.acknowledges_fin) return go(State::kTimeWait);
      break;
    case State::kLastAck:
      if (event.acknowledges_fin) return go(State::kClosed);
      break;
    default:
      break;
  }
  return std::nullopt;
}

}  // namespace transom::drivers::judge
