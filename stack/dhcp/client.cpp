#include "stack/dhcp/client.h"

#include <algorithm>

#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/udp.h"

namespace transom::dhcp {

namespace {

using std::chrono::seconds;
using wire::DhcpMessage;
using wire::DhcpType;

constexpr Port kClientPort{68};
constexpr Port kServerPort{67};
constexpr IpAddress kNobody = IpAddress::v4(0);
constexpr IpAddress kEverybody = IpAddress::v4(0xffffffff);
constexpr Duration kFirstRetransmission = seconds(4);  // RFC 2131 §4.1
constexpr Duration kLastRetransmission = seconds(64);
constexpr int kMaxRequests = 4;                  // RFC 2131 §3.1 (5)
constexpr Duration kAfterDecline = seconds(10);  // RFC 2131 §3.1 (5)
constexpr Duration kAfterNak = seconds(1);
constexpr Duration kShortestRenewal = seconds(60);  // RFC 2131 §4.4.5
constexpr std::uint32_t kForEver = 0xffffffff;
constexpr std::uint32_t kShortestLease = 10;  // seconds; shorter ones would keep everybody busy
constexpr std::uint16_t kLargestMessage = 1500;

// RFC 4361 §6.1: type 255, the number of the interface, and a DUID of type LL (RFC 8415 §11.4).
std::vector<std::uint8_t> make_identifier(const link::Interface& interface) {
  constexpr std::uint8_t kDuidType = 255;
  constexpr std::uint16_t kLinkLayer = 3, kEthernet = 1;
  std::vector<std::uint8_t> identifier(15);
  wire::Writer writer(identifier);
  writer.u8(kDuidType);
  writer.u32(static_cast<std::uint32_t>(interface.id()));
  writer.u16(kLinkLayer);
  writer.u16(kEthernet);
  wire::write_mac(writer, interface.mac());
  return identifier;
}

bool is_host(const IpAddress& address) {
  const std::uint32_t first = address.v4_value() >> 24;
  return first != 0 && first != 127 && first < 224;
}

// RFC 950: of who gives no mask.
std::uint8_t usual_length(const IpAddress& address) {
  const std::uint32_t first = address.v4_value() >> 24;
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

std::vector<wire::DhcpRoute> routes_from(const DhcpMessage& ack) {
  if (ack.routes) return *ack.routes;  // RFC 3442: then the list of routers does not count
  std::vector<wire::DhcpRoute> routes;
  for (const IpAddress& router : ack.routers) {
    if (is_host(router)) routes.push_back({{kNobody, 0}, router});
  }
  return routes;
}

}  // namespace

std::string_view to_string(State state) {
  constexpr std::string_view kNames[] = {"stopped", "init",  "selecting", "requesting",
                                         "probing", "bound", "renewing",  "rebinding"};
  return kNames[static_cast<std::size_t>(state)];
}

Client::Client(Context& context, link::LinkLayer& link, ip::IpLayer& ip, udp::UdpLayer& udp,
               InterfaceId interface, const Config& config)
    : context_(context),
      link_(link),
      ip_(ip),
      interface_(interface),
      config_(config),
      identifier_(make_identifier(link_interface())),
      socket_(udp.open(IpFamily::kIpv4)) {
  socket_->options().bound_interface = interface;
  socket_->options().broadcast = true;
  socket_->set_listener(this);
  // Another client of this host may have the port on another interface.
  (void)socket_->bind({.local = {kNobody, kClientPort}});
  begin(context_.random.between(Duration::zero(), config.start_delay));
}

Client::~Client() = default;

// ---------------------------------------------------------------- messages out

DhcpMessage Client::message(DhcpType type) const {
  DhcpMessage made;
  made.type = type;
  made.transaction = transaction_;
  made.hardware = link_interface().mac();
  made.client_identifier = identifier_;
  const auto since = std::chrono::duration_cast<seconds>(context_.now - started_).count();
  made.seconds = static_cast<std::uint16_t>(std::min<std::int64_t>(since, UINT16_MAX));
  if (type != DhcpType::kDiscover && type != DhcpType::kRequest) return made;
  made.host_name = config_.host_name;
  made.asks_for = {1, 121, 3, 6, 15, 119, 51, 58, 59};
  made.max_size = kLargestMessage;
  return made;
}

// Past the routes: there may be no address to speak from.
void Client::broadcast(const DhcpMessage& message, const IpAddress& source) {
  Packet packet = context_.pool.allocate();
  if (!packet) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
  const std::size_t udp_size = wire::UdpHeader::kSize + message.size();
  wire::Ipv4Header header;
  header.total_length = static_cast<std::uint16_t>(wire::Ipv4Header::kMinSize + udp_size);
  header.protocol = IpProtocol::kUdp;
  header.source = source;
  header.destination = kEverybody;
  const MutableBytes octets = packet.append(header.total_length);
  const MutableBytes datagram = octets.subspan(wire::Ipv4Header::kMinSize);
  wire::UdpHeader udp{kClientPort, kServerPort, static_cast<std::uint16_t>(udp_size), 0};
  wire::Writer writer(octets);
  header.write(writer);
  udp.write(writer);
  message.write(writer);
  wire::ChecksumSum sum = wire::pseudo_header_sum(source, kEverybody, IpProtocol::kUdp, udp.length);
  sum.add(datagram);
  udp.checksum = sum.checksum() == 0 ? 0xffff : sum.checksum();
  wire::Writer again(datagram);
  udp.write(again);
  context_.count(Counter::kIpOutRequests);
  context_.count(Counter::kIpExtOutBcastPkts);
  context_.count(Counter::kUdpOutDatagrams);
  link_.send_broadcast(link_interface(), std::move(packet));
}

void Client::unicast(const DhcpMessage& message, const IpAddress& server) {
  std::vector<std::uint8_t> octets(message.size());
  wire::Writer writer(octets);
  message.write(writer);
  const Bytes piece = octets;
  (void)socket_->send({&piece, 1}, {.to = Endpoint{server, kServerPort}, .source = lease_->address.address});
}

// RFC 2131 §4.1: 4 s, doubled up to 64 s, each a second more or less.
Duration Client::backoff() {
  const Duration base = std::min(kFirstRetransmission * (1 << std::min(tries_ - 1, 4)), kLastRetransmission);
  return context_.random.between(base - seconds(1), base + seconds(1));
}

// ---------------------------------------------------------------- states

void Client::enter(State state) {
  state_ = state;
  tries_ = 0;
}

void Client::begin(Duration delay) {
  drop_lease();
  enter(State::kInit);
  wait(delay);
}

void Client::wait_until(Instant when) {
  if (when == kNever) return timer_.cancel();
  timer_.start(context_.timers, std::max(when, context_.now));
}

void Client::on_timer() {
  switch (state_) {
    case State::kStopped:
    case State::kProbing:
      return;
    case State::kInit:
      transaction_ = static_cast<std::uint32_t>(context_.random.next());
      started_ = context_.now;
      enter(State::kSelecting);
      return discover();
    case State::kSelecting:
      return discover();
    case State::kRequesting:
      return tries_ < kMaxRequests ? request() : begin(Duration::zero());
    case State::kBound:
      transaction_ = static_cast<std::uint32_t>(context_.random.next());
      started_ = context_.now;
      enter(State::kRenewing);
      return renew();
    case State::kRenewing:
      return context_.now >= lease_->rebinding ? rebind() : renew();
    case State::kRebinding:
      return context_.now >= lease_->expires ? begin(Duration::zero()) : rebind();
  }
}

void Client::discover() {
  DhcpMessage discovery = message(DhcpType::kDiscover);
  discovery.broadcast = true;  // nothing can be sent to us before we have an address
  ++tries_;
  broadcast(discovery, kNobody);
  wait(backoff());
}

// RFC 2131 §4.3.2, SELECTING: names the server and the address, and no address as our own.
void Client::request() {
  DhcpMessage wish = message(DhcpType::kRequest);
  wish.broadcast = true;
  wish.requested = offer_->yours;
  wish.server = offer_->server;
  ++tries_;
  broadcast(wish, kNobody);
  wait(backoff());
}

// RFC 2131 §4.4.5: to the server that gave the lease; again when half of what is left has passed.
void Client::renew() {
  DhcpMessage wish = message(DhcpType::kRequest);
  wish.client = lease_->address.address;
  unicast(wish, lease_->server);
  const Duration left = lease_->rebinding - context_.now;
  wait_until(std::min(lease_->rebinding, context_.now + std::max(left / 2, kShortestRenewal)));
}

// To any server.
void Client::rebind() {
  if (state_ != State::kRebinding) enter(State::kRebinding);
  DhcpMessage wish = message(DhcpType::kRequest);
  wish.client = lease_->address.address;
  broadcast(wish, lease_->address.address);
  const Duration left = lease_->expires - context_.now;
  wait_until(std::min(lease_->expires, context_.now + std::max(left / 2, kShortestRenewal)));
}

void Client::release() {
  if (lease_) {
    transaction_ = static_cast<std::uint32_t>(context_.random.next());
    started_ = context_.now;
    DhcpMessage farewell = message(DhcpType::kRelease);
    farewell.client = lease_->address.address;
    farewell.server = lease_->server;
    unicast(farewell, lease_->server);
  }
  drop_lease();
  enter(State::kStopped);
  timer_.cancel();
}

// ---------------------------------------------------------------- messages in

void Client::read_socket() {
  while (auto datagram = socket_->receive()) receive(*datagram);
}

bool Client::is_for_us(const DhcpMessage& reply) const {
  // RFC 6842 §3: the identifier, if there is one, is ours.
  const bool names_us = reply.client_identifier.empty() || reply.client_identifier == identifier_;
  return reply.is_reply && reply.transaction == transaction_ && reply.hardware == link_interface().mac() &&
         names_us;
}

void Client::receive(const udp::Datagram& datagram) {
  if (datagram.source.port != kServerPort) return;
  std::vector<std::uint8_t> octets(datagram.payload.size());
  datagram.payload.copy_out(0, octets);
  const auto reply = DhcpMessage::parse(octets);
  if (!reply || !is_for_us(*reply)) return;
  switch (reply->type) {
    case DhcpType::kOffer:
      return on_offer(*reply);
    case DhcpType::kAck:
      return on_ack(*reply);
    case DhcpType::kNak:
      return on_nak(*reply);
    default:
      return;
  }
}

// The first that will do.
void Client::on_offer(const DhcpMessage& offer) {
  if (state_ != State::kSelecting || !offer.server || !is_host(*offer.server) || !is_host(offer.yours))
    return;
  offer_ = offer;
  enter(State::kRequesting);
  request();
}

Lease Client::lease_from(const DhcpMessage& ack) const {
  Lease lease;
  lease.address = {ack.yours, ack.prefix_length.value_or(usual_length(ack.yours))};
  lease.server = *ack.server;
  lease.routes = routes_from(ack);
  for (const IpAddress& server : ack.dns_servers) {
    if (is_host(server) || server.is_loopback()) lease.dns_servers.push_back(server);
  }
  lease.search_domains = ack.search_domains;
  if (lease.search_domains.empty() && !ack.domain.empty()) lease.search_domains = {ack.domain};
  // Time counts from when the request was sent (RFC 2131 §4.4.1).
  lease.obtained = context_.now;
  const std::uint32_t duration = *ack.lease;
  if (duration == kForEver) return lease;
  lease.expires = context_.now + seconds(duration);
  // RFC 2131 §4.4.5: the server's times where they make sense; a few percent earlier, each time others.
  std::uint32_t renewal = ack.renewal.value_or(0);
  std::uint32_t rebinding = ack.rebinding.value_or(0);
  if (renewal == 0 || renewal >= rebinding || rebinding >= duration) {
    renewal = duration / 2;
    rebinding = static_cast<std::uint32_t>(std::uint64_t{duration} * 7 / 8);
  }
  lease.renewal = context_.now + context_.random.between(seconds(renewal) * 19 / 20, seconds(renewal));
  const Duration latest = seconds(rebinding);
  lease.rebinding = std::max(lease.renewal, context_.now + context_.random.between(latest * 19 / 20, latest));
  return lease;
}

void Client::on_ack(const DhcpMessage& ack) {
  const bool is_first = state_ == State::kRequesting;
  if (!is_first && state_ != State::kRenewing && state_ != State::kRebinding) return;
  const bool is_whole = is_host(ack.yours) && ack.lease && ack.server && is_host(*ack.server);
  if (!is_whole || *ack.lease < kShortestLease) return;
  if (is_first && ack.server != offer_->server) return;
  Lease lease = lease_from(ack);
  if (!is_first && lease.address == lease_->address) {
    remove_routes();
    lease_ = std::move(lease);
    add_routes();
    enter(State::kBound);
    return wait_until(lease_->renewal);
  }
  drop_lease();
  enter(State::kProbing);
  timer_.cancel();
  pending_ = std::move(lease);
  const auto added = link_.add_address(link_interface(), pending_->address);
  // It may be configured by hand already: then it is as good.
  if (!added && added.error() != Error::kAddressInUse) return begin(kAfterDecline);
  check_address();
}

void Client::on_nak(const DhcpMessage& nak) {
  const bool is_first = state_ == State::kRequesting;
  if (!is_first && state_ != State::kRenewing && state_ != State::kRebinding) return;
  if (is_first && nak.server && nak.server != offer_->server) return;
  begin(kAfterNak);
}

// ---------------------------------------------------------------- the address

void Client::follow_addresses() {
  if (state_ == State::kProbing || lease_) address_timer_.start(context_.timers, context_.now);
}

void Client::check_address() {
  const std::optional<Lease>& current = state_ == State::kProbing ? pending_ : lease_;
  if (!current) return;
  const link::InterfaceAddress* const entry = link_interface().find_address(current->address.address);
  if (entry != nullptr && entry->state == link::AddressState::kDuplicated) return decline();
  if (entry == nullptr) return begin(kAfterDecline);  // somebody has taken it away
  if (state_ == State::kProbing && entry->is_usable()) bind();
}

void Client::bind() {
  lease_ = std::exchange(pending_, std::nullopt);
  add_routes();
  enter(State::kBound);
  wait_until(lease_->renewal);
}

// RFC 2131 §4.4.4: another has it.
void Client::decline() {
  const Lease& lease = state_ == State::kProbing ? *pending_ : *lease_;
  DhcpMessage refusal = message(DhcpType::kDecline);
  refusal.requested = lease.address.address;
  refusal.server = lease.server;
  broadcast(refusal, kNobody);
  begin(kAfterDecline);
}

void Client::drop_lease() {
  remove_routes();
  for (std::optional<Lease>* lease : {&pending_, &lease_}) {
    if (!*lease) continue;
    const IpAddress address = (*lease)->address.address;
    lease->reset();
    (void)link_.remove_address(link_interface(), address);
  }
}

void Client::add_routes() {
  for (const wire::DhcpRoute& given : lease_->routes) {
    ip::Route route{.prefix = given.prefix, .interface = interface_, .metric = config_.metric};
    if (!given.gateway.is_unspecified()) route.gateway = given.gateway;
    if (ip_.routes().add(route)) routes_.push_back(route);
  }
}

void Client::remove_routes() {
  for (const ip::Route& route : routes_) ip_.routes().remove(route);
  routes_.clear();
}

}  // namespace transom::dhcp
