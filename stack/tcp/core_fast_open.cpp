// TCP Fast Open (RFC 7413), the side of the listener: which SYNs open a connection at once.
#include "stack/tcp/core.h"

namespace transom::tcp {

Core::FastOpenVerdict Core::judge_fast_open(Listener& listener, const Segment& syn) {
  const auto& option = syn.header.options.fast_open;
  if (option && option->is_request()) context.count(Counter::kTcpExtTCPFastOpenCookieReqd);
  const Options& options = listener.options();
  if (!config.fast_open.server || options.fast_open_queue == 0 || (!option && syn.octets == 0)) return {};
  const bool needs_cookie = !config.fast_open.server_without_cookie && !options.fast_open_without_cookie;
  if (!option && needs_cookie) return {};                                             // its data comes again
  if (!listener.fast_open_queue()->has_room(options.fast_open_queue, context.now)) {  // §5.1
    const FourTuple tuple = syn.tuple();
    context.count(Counter::kTcpExtTCPFastOpenListenOverflow);
    context.tell(TcpFastOpenEvent{tuple.local, tuple.remote, Reason::kFastOpenQueueFull, syn.octets});
    return {};
  }
  if (!needs_cookie) return {.open = true, .cookie = std::nullopt};
  return judge_cookie(listener, syn);
}

// RFC 7413 §4.1.2. A client that brings anything but a good cookie gets one.
Core::FastOpenVerdict Core::judge_cookie(const Listener& listener, const Segment& syn) {
  const FourTuple tuple = syn.tuple();
  const wire::FastOpenCookie& cookie = *syn.header.options.fast_open;
  const FastOpenCookies& cookies =
      listener.fast_open_cookies() ? *listener.fast_open_cookies() : fast_open_cookies_;
  if (cookie.is_request()) {
    context.tell(TcpFastOpenEvent{tuple.local, tuple.remote, Reason::kFastOpenCookieGiven, syn.octets});
    return {.open = false, .cookie = cookies.make(tuple)};
  }
  switch (cookies.judge(tuple, cookie)) {
    case FastOpenCookies::Verdict::kRight:
      return {.open = true, .cookie = std::nullopt};
    case FastOpenCookies::Verdict::kOld:
      context.count(Counter::kTcpExtTCPFastOpenPassiveAltKey);
      return {.open = true, .cookie = cookies.make(tuple)};
    case FastOpenCookies::Verdict::kWrong:
      break;
  }
  context.count(Counter::kTcpExtTCPFastOpenPassiveFail);
  context.tell(TcpFastOpenEvent{tuple.local, tuple.remote, Reason::kFastOpenBadCookie, syn.octets});
  return {.open = false, .cookie = cookies.make(tuple)};
}

// False when there is no room for the connection.
bool Core::open_fast(Listener& listener, Segment& syn, SeqNum iss,
                     const std::optional<wire::FastOpenCookie>& cookie) {
  const FourTuple tuple = syn.tuple();
  auto destination = ip.destination(tuple.remote.address, reply_interface(syn.received));
  if (!destination || connections_.size() >= config.max_connections) {
    context.count(Counter::kTcpExtTCPFastOpenPassiveFail);
    return false;
  }
  const Negotiated negotiated =
      answer_to(*this, listener.options(), syn, receive_mss(**destination, listener.options()));
  auto* connection = new Connection(*this, tuple, std::move(*destination), listener.options());
  connections_.insert(*connection);
  ports_.add_user(tuple.local.port);
  connection->open_fast(iss, negotiated, syn, listener.fast_open_queue(), cookie);
  listener.push(*connection);
  return true;
}

}  // namespace transom::tcp
