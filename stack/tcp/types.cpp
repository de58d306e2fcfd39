#include "stack/tcp/types.h"

namespace transom::tcp {

std::string_view to_string(Limited limited) {
  switch (limited) {
    case Limited::kIdle:
      return "idle";
    case Limited::kApplication:
      return "application";
    case Limited::kSendBuffer:
      return "send buffer";
    case Limited::kReceiveWindow:
      return "receive window";
    case Limited::kCongestionWindow:
      return "congestion window";
    case Limited::kRecovery:
      return "recovery";
    case Limited::kPacing:
      return "pacing";
    case Limited::kCount:
      break;
  }
  return "";
}

std::string_view to_string(State state) {
  switch (state) {
    case State::kClosed:
      return "CLOSED";
    case State::kListen:
      return "LISTEN";
    case State::kSynSent:
      return "SYN-SENT";
    case State::kSynReceived:
      return "SYN-RECEIVED";
    case State::kEstablished:
      return "ESTABLISHED";
    case State::kFinWait1:
      return "FIN-WAIT-1";
    case State::kFinWait2:
      return "FIN-WAIT-2";
    case State::kCloseWait:
      return "CLOSE-WAIT";
    case State::kClosing:
      return "CLOSING";
    case State::kLastAck:
      return "LAST-ACK";
    case State::kTimeWait:
      return "TIME-WAIT";
  }
  return "?";
}

std::string_view to_ss_string(State state) {
  switch (state) {
    case State::kClosed:
      return "UNCONN";
    case State::kSynReceived:
      return "SYN-RECV";
    case State::kEstablished:
      return "ESTAB";
    default:
      return to_string(state);
  }
}

}  // namespace transom::tcp
