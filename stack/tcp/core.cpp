#include "stack/tcp/core.h"

#include <algorithm>
#include <utility>

#include "stack/tcp/segment_filter.h"

namespace transom::tcp {

namespace {

// Where the numbers of the next connection may begin, as Linux: behind anything that the old one may have
// sent.
SeqNum beyond(const TimeWaitRecord& record) {
  constexpr std::uint32_t kUnscaledWindow = 65535;
  return record.send_next + kUnscaledWindow + 2;
}

}  // namespace

Core::Core(Context& the_context, ip::IpLayer& the_ip, const Config& the_config)
    : ConnectionOwner(the_context, the_ip, the_config),
      ports_(config, context.random),
      connections_(context.random.key()),
      listeners_(context.random.key()),
      time_waits_(*this, ports_),
      syn_queue_(*this),
      cookies_(secrets),
      fast_open_cookies_({.current = secrets.fast_open_key()}) {}

Core::~Core() {
  std::vector<Connection*> all(held_.begin(), held_.end());
  all.insert(all.end(), abandoned_.begin(), abandoned_.end());
  connections_.for_each([&](Connection& connection) { all.push_back(&connection); });
  std::vector<Listener*> listeners;
  listeners_.for_each([&](Listener& listener) { listeners.push_back(&listener); });
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (Connection* connection : all) delete connection;
  for (Listener* listener : listeners) {
    syn_queue_.remove_all_of(*listener);
    delete listener;
  }
}

// ---------------------------------------------------------------- opens

Result<PortHold> Core::bind(const BindRequest& request) {
  const IpAddress& address = request.local.address;
  if (!address.is_unspecified() && !ip.is_local(address) && !request.may_be_foreign)
    return std::unexpected(Error::kAddressNotAvailable);
  return ports_.bind(request);
}

Result<Connection*> Core::connect(PortHold& hold, const Endpoint& remote, const Options& options) {
  Endpoint peer = remote;
  if (peer.address.is_unspecified())
    peer.address = IpAddress::loopback(peer.address.family());                           // as Linux and BSD
  if (!ip.is_unicast(peer.address)) return std::unexpected(Error::kNetworkUnreachable);  // MUST-46
  if (peer.port == Port::kNone) return std::unexpected(Error::kConnectionRefused);
  if (connections_.size() >= config.max_connections) return std::unexpected(Error::kNoBuffers);
  auto destination = ip.destination(peer.address, hold ? hold.interface() : InterfaceId::kAny);
  if (!destination) return std::unexpected(destination.error());

  FourTuple tuple{{(*destination)->source, Port::kNone}, peer};
  if (hold && !hold.local().address.is_unspecified()) tuple.local.address = hold.local().address;  // MUST-43
  if (tuple.local.address.family() != peer.address.family())
    return std::unexpected(Error::kNetworkUnreachable);
  const auto is_free = [&](Port port) {
    tuple.local.port = port;
    if (connections_.find(tuple) != nullptr || syn_queue_.find(tuple) != nullptr) return false;
    const TimeWaitRecord* old = time_waits_.find(tuple);
    return old == nullptr || time_waits_.may_be_reused(*old);
  };
  if (hold) {
    if (!is_free(hold.local().port)) return std::unexpected(Error::kAddressNotAvailable);
  } else if (const auto port = ports_.choose(secrets, tuple.local.address, peer, is_free)) {
    tuple.local.port = *port;
  } else {
    return std::unexpected(port.error());
  }
  std::optional<SeqNum> minimum_iss;
  if (TimeWaitRecord* old = time_waits_.find(tuple)) {
    minimum_iss = beyond(*old);
    context.count(Counter::kTcpExtTWRecycled);
    time_waits_.remove(*old);
  }
  auto* connection = new Connection(*this, tuple, std::move(*destination), options);
  connections_.insert(*connection);
  ports_.add_user(tuple.local.port);
  connection->open(std::move(hold), new_sequence(tuple, minimum_iss));
  return connection;
}

Result<Listener*> Core::listen(PortHold& hold, std::size_t backlog, const Options& options) {
  if (const auto listening = ports_.listen(hold); !listening) return std::unexpected(listening.error());
  auto* listener = new Listener(*this, std::move(hold), backlog, options);
  if (config.fast_open.all_listeners && options.fast_open_queue == 0)
    listener->options().fast_open_queue = static_cast<std::uint32_t>(backlog);
  listeners_.insert(*listener);
  return listener;
}

void Core::close(Listener& listener) {
  syn_queue_.remove_all_of(listener);
  listeners_.erase(listener);
  delete &listener;
}

// ---------------------------------------------------------------- segments

void Core::receive(const ip::Received& received, Packet packet) {
  auto segment = parse_segment(context, received, std::move(packet));
  if (!segment) return;
  const FourTuple tuple = segment->tuple();
  if (Connection* connection = connections_.find(tuple)) {
    if (is_unwanted(*segment, connection->options())) return;
    connection->segment_arrives(*segment);
    return;
  }
  if (HalfOpen* record = syn_queue_.find(tuple)) {
    if (is_unwanted(*segment, record->listener->options())) return;
    arrives_at_half_open(*record, *segment);
    return;
  }
  std::optional<SeqNum> minimum_iss;
  if (TimeWaitRecord* record = time_waits_.find(tuple)) {
    if (!time_waits_.segment_arrives(*record, *segment)) return;
    minimum_iss = beyond(*record);
    if (listeners_.find(tuple, received.interface.id()) != nullptr) time_waits_.remove(*record);
  }
  if (Listener* listener = listeners_.find(tuple, received.interface.id())) {
    if (is_unwanted(*segment, listener->options())) return;
    arrives_in_listen(*listener, *segment, minimum_iss);
    return;
  }
  context.drop(DropReason::kTcpNoConnection);
  send_reset_for(context, ip, *segment);  // RFC 9293 §3.10.7.1
}

bool Core::is_unwanted(Segment& segment, const Options& options) {
  // RFC 5082 §3: whoever is near has not let routers count the hops down.
  if (segment.received.ttl < options.min_hops) {
    context.drop(DropReason::kBelowMinimumHops, Counter::kTcpExtTCPMinTTLDrop);
    return true;
  }
  if (!options.filter) return false;
  segment.packet.prepend(segment.header_size);  // it stands there still
  const std::size_t kept = options.filter->octets_to_keep(segment.received, segment.packet);
  segment.packet.trim_front(segment.header_size);
  if (kept == 0) {
    context.drop(DropReason::kFiltered);
    return true;
  }
  // As Linux: octets that it cuts off have not come, and are sent again.
  const std::size_t payload = kept - std::min<std::size_t>(kept, segment.header_size);
  if (payload < segment.octets) {
    segment.packet.trim_back(segment.octets - payload);
    segment.octets = static_cast<std::uint32_t>(payload);
    segment.header.flags.fin = false;  // it stands behind them
  }
  return false;
}

// `minimum`: where the numbers must begin after a TIME-WAIT.
SeqNum Core::new_sequence(const FourTuple& tuple, std::optional<SeqNum> minimum) const {
  if (const auto chosen = secrets.chosen_sequence(tuple)) return *chosen;
  const SeqNum iss = secrets.initial_sequence(tuple, context.now);
  return minimum && is_before(iss, *minimum) ? *minimum : iss;
}

// RFC 9293 §3.10.7.2.
void Core::arrives_in_listen(Listener& listener, Segment& segment, std::optional<SeqNum> minimum_iss) {
  const wire::TcpFlags& flags = segment.header.flags;
  if (flags.rst) {
    context.drop(DropReason::kTcpListenNotSyn);
    return;
  }
  if (flags.ack) {
    try_cookie(listener, segment);
    return;
  }
  if (!flags.syn) {
    context.drop(DropReason::kTcpListenNotSyn);
    return;
  }
  const FourTuple tuple = segment.tuple();
  if (flags.fin || tuple.local == tuple.remote) {  // no honest opening says both; LAND
    context.drop(DropReason::kTcpSynFin);
    return;
  }
  if (listener.is_full()) {
    context.count(Counter::kTcpExtListenOverflows);
    context.drop(DropReason::kTcpAcceptQueueFull, Counter::kTcpExtListenDrops);
    return;
  }
  const bool queue_is_full = listener.half_open >= std::max<std::size_t>(listener.backlog(), 1) ||
                             syn_queue_.size() >= config.max_half_open;
  if (!queue_is_full) {
    const SeqNum iss = new_sequence(tuple, minimum_iss);
    const FastOpenVerdict verdict = judge_fast_open(listener, segment);
    if (verdict.open && open_fast(listener, segment, iss, verdict.cookie)) return;
    syn_queue_.add(listener, segment, iss, verdict.open ? std::nullopt : verdict.cookie);
    return;
  }
  if (!config.syn_cookies) {
    context.count(Counter::kTcpExtTCPReqQFullDrop);
    context.drop(DropReason::kTcpSynQueueFull, Counter::kTcpExtListenDrops);
    return;
  }
  context.count(Counter::kTcpExtTCPReqQFullDoCookies);
  context.count(Counter::kTcpExtSyncookiesSent);
  listener.has_sent_cookies = true;
  listener.last_cookie_sent = context.now;
  const wire::TcpOptions ours = syn_options(config, listener.options(), 0, nullptr);
  Negotiated negotiated = negotiate(segment.header.options, ours, tuple.remote.address.family());
  // A cookie has room for the classic kind only.
  if (negotiated.timestamps && config.ecn != EcnMode::kOff && asks_for_ecn(segment.header.flags))
    negotiated.ecn.kind = EcnKind::kClassic;
  if (!negotiated.timestamps) {  // nowhere to keep them
    negotiated.sack = negotiated.window_scaling = false;
    negotiated.send_scale = negotiated.receive_scale = 0;
  }
  const SeqNum cookie = cookies_.make(tuple, segment.header.sequence, negotiated.peer_mss, context.now);
  syn_queue_.answer_with_cookie(listener, segment, cookie, cookies_.timestamp(tuple, negotiated, context.now),
                                negotiated);
}

void Core::try_cookie(Listener& listener, Segment& segment) {
  const bool plausible = listener.has_sent_cookies &&
                         context.now - listener.last_cookie_sent <= SynCookies::kLifetime &&
                         !segment.header.flags.syn;
  if (plausible) {
    const wire::TcpOptions ours = syn_options(config, listener.options(), 0, nullptr);
    if (const auto negotiated = cookies_.check(segment, ours, context.now)) {
      if (listener.is_full()) {
        context.drop(DropReason::kTcpAcceptQueueFull, Counter::kTcpExtListenOverflows);
        return;
      }
      context.count(Counter::kTcpExtSyncookiesRecv);
      make_connection(listener, segment.header.acknowledgment - 1, segment.header.sequence - 1, *negotiated,
                      segment, {});
      return;
    }
    context.count(Counter::kTcpExtSyncookiesFailed);
  }
  context.drop(plausible ? DropReason::kTcpBadCookie : DropReason::kTcpListenNotSyn);
  send_reset_for(context, ip, segment);
}

void Core::arrives_at_half_open(HalfOpen& record, Segment& segment) {
  if (!syn_queue_.segment_arrives(record, segment)) return;
  Listener& listener = *record.listener;
  if (SynQueue::is_deferred(record, segment)) {
    record.is_acknowledged = true;
    return;
  }
  if (listener.is_full()) {  // the peer will send again; so shall we
    context.drop(DropReason::kTcpAcceptQueueFull, Counter::kTcpExtListenOverflows);
    return;
  }
  const SeqNum iss = record.iss;
  const SeqNum irs = record.irs;
  auto saved_syn = std::move(record.saved_syn);
  const Negotiated negotiated = record.negotiated;
  // One that has waited for its data tells nothing of the way.
  const SynAckHistory history{record.was_repeated,
                              record.is_acknowledged ? std::nullopt : record.round_trip(context.now)};
  syn_queue_.remove(record);
  make_connection(listener, iss, irs, negotiated, segment, history, std::move(saved_syn));
}

void Core::make_connection(Listener& listener, SeqNum iss, SeqNum irs, const Negotiated& negotiated,
                           Segment& ack, const SynAckHistory& history,
                           std::unique_ptr<std::vector<std::uint8_t>> saved_syn) {
  const FourTuple tuple = ack.tuple();
  auto destination = ip.destination(tuple.remote.address, reply_interface(ack.received));
  if (!destination || connections_.size() >= config.max_connections) {
    context.drop(DropReason::kNoBuffers, Counter::kTcpExtListenDrops);
    return;
  }
  auto* connection = new Connection(*this, tuple, std::move(*destination), listener.options());
  connections_.insert(*connection);
  ports_.add_user(tuple.local.port);
  connection->establish_passively(iss, irs, negotiated, ack, history);
  if (saved_syn) connection->save_syn(std::move(*saved_syn));
  listener.push(*connection);
  connection->segment_arrives(ack);
}

bool Core::icmp_error(const ip::IcmpError& error) {
  wire::Reader reader(error.transport);
  const auto local = static_cast<Port>(reader.u16());
  const auto remote = static_cast<Port>(reader.u16());
  Connection* connection =
      reader.ok() ? connections_.find({{error.source, local}, {error.destination, remote}}) : nullptr;
  if (connection == nullptr) {
    context.drop(DropReason::kIcmpQuoteUnmatched);
    return false;
  }
  return connection->icmp_error(error);
}

// ---------------------------------------------------------------- ConnectionOwner

void Core::wants_output(Connection& connection) {
  connection.output_pending = true;
  connection.next_pending = nullptr;
  *last_pending_ = &connection;
  last_pending_ = &connection.next_pending;
}

void Core::flush() {
  while (first_pending_ != nullptr) {
    Connection& connection = *first_pending_;
    first_pending_ = connection.next_pending;
    if (first_pending_ == nullptr) last_pending_ = &first_pending_;
    connection.output();
  }
  for (std::size_t i = 0; i < abandoned_.size(); ++i) delete abandoned_[i];
  abandoned_.clear();
}

void Core::leave_tables(Connection& connection) {
  connections_.erase(connection);
  ports_.remove_user(connection.tuple().local.port);
  if (!connection.is_orphan()) held_.insert(&connection);
}

void Core::enters_time_wait(Connection& connection) {
  leave_tables(connection);
  time_waits_.add(connection);
}

void Core::has_ended(Connection& connection) { leave_tables(connection); }

void Core::is_abandoned(Connection& connection) {
  held_.erase(&connection);
  abandoned_.push_back(&connection);
}

// ---------------------------------------------------------------- for ss

std::vector<Info> Core::infos() const {
  std::vector<Info> infos;
  listeners_.for_each([&](const Listener& listener) {
    Info info;
    info.tuple = {listener.local(), {IpAddress::any(listener.local().address.family()), Port::kNone}};
    info.state = State::kListen;
    info.interface = listener.interface();
    info.receive_queue = static_cast<std::uint32_t>(listener.queued());
    info.send_queue = static_cast<std::uint32_t>(listener.backlog());
    infos.push_back(info);
  });
  syn_queue_.for_each([&](const HalfOpen& record) { infos.push_back(syn_queue_.info(record)); });
  connections_.for_each([&](const Connection& connection) { infos.push_back(connection.info()); });
  time_waits_.for_each([&](const TimeWaitRecord& record) { infos.push_back(time_waits_.info(record)); });
  return infos;
}

}  // namespace transom::tcp
