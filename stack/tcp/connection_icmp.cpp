// What ICMP reports about a connection (RFC 9293 §3.9.2.2), and what of it is believed (RFC 5927).
#include "stack/tcp/connection.h"

namespace transom::tcp {

namespace {

// What a user is told when the connection times out after that (RFC 9293 MUST-47, SHLD-25).
Error soft_error_of(ip::IcmpErrorKind kind) {
  switch (kind) {
    case ip::IcmpErrorKind::kPacketTooBig:
    case ip::IcmpErrorKind::kParameterProblem:
    case ip::IcmpErrorKind::kRedirect:
    case ip::IcmpErrorKind::kOther:
      return Error::kNone;
    default:
      return ip::error_of(kind);
  }
}

}  // namespace

bool Connection::icmp_error(const ip::IcmpError& error) {
  wire::Reader reader(error.transport);
  reader.skip(4);
  const SeqNum quoted(reader.u32());
  // RFC 5927 §4.1: only about something that is in flight.
  const bool in_flight = is_at_or_after(quoted, sender_.una()) && is_before(quoted, sender_.nxt());
  if (!reader.ok() || !in_flight) {
    owner_.context.drop(DropReason::kIcmpQuoteUnmatched, Counter::kTcpExtOutOfWindowIcmps);
    return false;
  }
  const bool connecting = is_connecting();
  if (rarities_ && rarities_->error_listener != nullptr && error.kind != ip::IcmpErrorKind::kRedirect)
    rarities_->error_listener->on_icmp_error(error);
  // As Linux: who has asked for errors is told at once of what would be soft, and the connection goes on.
  if (options_->receive_errors && !connecting && error.kind != ip::IcmpErrorKind::kPacketTooBig &&
      error.kind != ip::IcmpErrorKind::kRedirect) {
    error_ = ip::error_of(error.kind);
    notify();
  }
  if (const Error soft = soft_error_of(error.kind); soft != Error::kNone) soft_error_ = soft;
  switch (error.kind) {
    case ip::IcmpErrorKind::kPacketTooBig:
      if (error.mtu >= owner_.ip.path_mtu(*destination_) ||
          !owner_.ip.learn_path_mtu(*destination_, error.mtu))
        return true;
      if (!connecting) want_output();
      return true;
    case ip::IcmpErrorKind::kPortUnreachable:
    case ip::IcmpErrorKind::kProtocolUnreachable:
    case ip::IcmpErrorKind::kProhibited:
      // Hard errors end an attempt to connect; RFC 5927 §5.2 makes them soft for a connection.
      if (!connecting) return true;
      owner_.context.count(Counter::kTcpAttemptFails);
      finish(error.kind == ip::IcmpErrorKind::kPortUnreachable ? Error::kConnectionRefused
                                                               : Error::kHostUnreachable,
             Reason::kUnreachable);
      return true;
    case ip::IcmpErrorKind::kHostUnreachable:
      // What a router says is soft (MUST-56). A SYN that cannot even leave our own link will not be answered:
      // tell the user now.
      if (connecting && owner_.ip.is_local(error.reporter)) {
        owner_.context.count(Counter::kTcpAttemptFails);
        finish(Error::kHostUnreachable, Reason::kUnreachable);
      }
      return true;
    default:
      return true;  // soft (MUST-56)
  }
}

}  // namespace transom::tcp
