#include "drivers/replay/feed.h"

#include <deque>
#include <set>

#include "drivers/congestion_plugin.h"
#include "drivers/replay/datagram_player.h"
#include "drivers/replay/neighbours.h"
#include "drivers/replay/partial_ack.h"
#include "drivers/replay/tcp_player.h"

namespace transom::drivers::replay {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLinkFlow = SIZE_MAX;                // packets that are in no flow
constexpr std::size_t kLookAhead = 8192;                   // packets read before they are due
constexpr std::size_t kMaxWaiting = std::size_t{1} << 18;  // packets held back, all flows together
constexpr Duration kPatience = milliseconds(10);           // before an acknowledgment is put in between
constexpr std::uint64_t kProgressEvery = 16384;
const MacAddress kPeerMac({2, 0, 0, 0, 0, 2});

// A packet of the capture that outlives the reader's buffer.
struct HeldPacket {
  std::vector<std::uint8_t> octets;
  CapturedPacket captured;
  std::optional<PacketView> view;
  std::size_t side = 0;

  explicit HeldPacket(const CapturedPacket& packet)
      : octets(packet.octets.begin(), packet.octets.end()), captured(packet) {
    captured.octets = octets;
    view = PacketView::parse(captured);
  }
};

struct FeedFlow {
  std::deque<std::unique_ptr<HeldPacket>> waiting;
  Duration shift{};
  std::optional<std::size_t> ours;
  bool is_scheduled = false;
  Instant due{};
  Instant blocked_since = kNever;
  bool is_stalled = false;
  // --- TCP
  const TcpFacts* facts = nullptr;
  std::unique_ptr<TcpPlayer> player;
  std::array<SequenceOffsets, 2> recorded;  // by side
  std::int64_t recorded_end = 0;            // of ours, so far
  SequenceOffsets sent;                     // of the Host
  std::int64_t sent_end = 0;
  std::int64_t fed_ack = 0;                // the highest that was fed
  std::optional<std::uint32_t> timestamp;  // of theirs, the latest
  std::int64_t right_edge = 0;             // that the peer has offered
  TcpOutcome outcome;
};

class Feed final : public tcp::ChosenNumbers {
 public:
  Feed(CaptureReader& reader, const Scene& scene, const Cast& cast, const FeedOptions& options,
       FeedListener& listener)
      : reader_(reader),
        scene_(scene),
        cast_(cast),
        options_(options),
        listener_(listener),
        our_mac_(our_mac()),
        has_ethernet_(our_mac_.has_value()),
        neighbours_(their_macs(), a_peer_mac()),
        host_(pool_, config()),
        datagrams_(host_) {}
  ~Feed() { host_.tcp().choose_numbers(nullptr); }

  std::expected<FeedOutcome, CaptureError> run();

  // tcp::ChosenNumbers
  std::optional<SeqNum> initial_sequence(const tcp::FourTuple& tuple) override;
  std::optional<std::uint32_t> timestamp_offset(const tcp::FourTuple& tuple) override;

 private:
  HostConfig config() const;
  std::map<IpAddress, MacAddress> their_macs() const;
  MacAddress a_peer_mac() const;
  std::optional<MacAddress> our_mac() const;
  std::uint32_t mtu() const;
  void set_up();
  FeedFlow& flow(std::size_t number);
  const TcpEnd* our_end(const tcp::FourTuple& tuple) const;

  std::expected<void, CaptureError> read_ahead();
  void schedule(std::size_t number);
  void schedule_at(FeedFlow& flow, std::size_t number, Instant due);
  void unschedule(FeedFlow& flow, std::size_t number);
  void advance_to(Instant instant);
  void process(std::size_t number);
  bool may_go(FeedFlow& flow, const HeldPacket& packet);
  void wait(std::size_t number);
  void give_up(std::size_t number);
  void play_ours(std::size_t number, HeldPacket& packet);
  void feed_theirs(std::size_t number, HeldPacket& packet);
  bool is_acceptable(FeedFlow& flow, const PacketView& view, const PacketRecord& record) const;
  void put_in(std::size_t number, const CapturedPacket& packet, const PacketView* view);
  void insert_partial_ack(std::size_t number, const HeldPacket& like);
  void write_rest(FeedFlow& flow, const HeldPacket& first);
  void write_ahead(FeedFlow& flow);
  static bool find_ahead(const FeedFlow& flow, std::int64_t begin, MutableBytes out);
  void open_listener(FeedFlow& flow);
  void after();  // the Host has done something
  void take_sent();
  void on_sent(Packet packet);
  void accept();
  PacketRecord record_of(std::optional<std::size_t> number, std::size_t side, const CapturedPacket& packet,
                         const PacketView* view, SequenceOffsets* own, const SequenceOffsets* other);
  std::string awaited(const FeedFlow& flow, const HeldPacket& packet) const;

  CaptureReader& reader_;
  const Scene& scene_;
  const Cast& cast_;
  const FeedOptions& options_;
  FeedListener& listener_;
  std::optional<MacAddress> our_mac_;
  bool has_ethernet_;  // else bare IP packets are fed: the capture has no MAC address for our end, or tags
  Neighbours neighbours_;
  BufferPool pool_;
  Host host_;
  InterfaceId interface_{};
  DatagramPlayer datagrams_;
  FlowTable table_;
  std::map<std::size_t, FeedFlow> flows_;
  std::map<tcp::FourTuple, std::size_t> current_;  // the flow that a four-tuple stands for now
  std::map<Endpoint, tcp::Listener*> listeners_;
  std::set<std::pair<Instant, std::size_t>> agenda_;
  std::vector<TcpPlayer*> woken_;
  Instant now_{};
  std::size_t held_ = 0;
  std::size_t blocked_ = 0;  // of those held, behind a blocked packet
  bool has_ended_ = false;   // the capture
  std::uint64_t sent_number_ = 0;
  FeedOutcome outcome_;
};

// ---------------------------------------------------------------- the Host

HostConfig Feed::config() const {
  HostConfig config;
  config.seed = seed_from_number(options_.seed);
  config.ip.report_groups = false;
  config.ip.icmp_errors_per_second = 1'000'000;
  config.link.max_pending_packets = 64;
  return config;
}

std::map<IpAddress, MacAddress> Feed::their_macs() const {
  std::map<IpAddress, MacAddress> macs;
  for (const auto& [address, mac] : scene_.macs)
    if (!cast_.is_ours(address)) macs.emplace(address, mac);
  return macs;
}

MacAddress Feed::a_peer_mac() const {
  for (const IpAddress& address : cast_.their_addresses())
    if (const auto found = scene_.macs.find(address); found != scene_.macs.end()) return found->second;
  return kPeerMac;
}

std::optional<MacAddress> Feed::our_mac() const {
  if (scene_.link_type != LinkType::kEthernet || scene_.has_tags) return std::nullopt;
  for (const IpAddress& address : cast_.our_addresses()) {
    const auto found = scene_.macs.find(address);
    if (found != scene_.macs.end() && !found->second.is_zero()) return found->second;
  }
  return std::nullopt;
}

// What lets our ends announce the MSS that they announced, and send what they sent.
std::uint32_t Feed::mtu() const {
  std::uint32_t mtu = 0;
  for (const auto& [number, facts] : scene_.tcp) {
    const auto ours = cast_.ours(number);
    if (!ours || !facts.ends[*ours].syn_options.maximum_segment_size) continue;
    const std::uint32_t headers = scene_.flows[number].ends[0].address.is_v4() ? 40 : 60;
    mtu = std::max(mtu, *facts.ends[*ours].syn_options.maximum_segment_size + headers);
  }
  if (mtu == 0) mtu = 1500;
  return std::min(std::max({mtu, scene_.longest[0], scene_.longest[1]}), 65535U);
}

void Feed::set_up() {
  link::InterfaceConfig interface;
  interface.name = "replay";
  interface.type = has_ethernet_ ? link::LinkType::kEthernet : link::LinkType::kPointToPoint;
  interface.mac = our_mac_.value_or(MacAddress());
  interface.mtu = mtu();
  interface.conflict_detection.enabled = false;
  interface.link_local = false;
  interface.transmit_limit = 1 << 16;
  interface_ = host_.add_interface(interface);
  for (const IpAddress& address : cast_.our_addresses())
    (void)host_.add_address(interface_, {address, static_cast<std::uint8_t>(address.bits())});
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6})
    (void)host_.add_route({IpAddress::any(family), 0}, std::nullopt, interface_);
  if (!options_.congestion_control.empty()) {
    const auto chosen = choose_congestion_control(host_.tcp(), options_.congestion_control);
    if (chosen) host_.tcp().set_standard_congestion_control(**chosen);
  }
  host_.tcp().choose_numbers(this);
  host_.set_observer(options_.observer);
  host_.enter(now_);
  datagrams_.open(scene_, cast_);
  host_.leave();
}

const TcpEnd* Feed::our_end(const tcp::FourTuple& tuple) const {
  const auto found = current_.find(tuple);
  if (found == current_.end()) return nullptr;
  const FeedFlow& flow = flows_.at(found->second);
  return flow.facts != nullptr && flow.ours ? &flow.facts->ends[*flow.ours] : nullptr;
}

std::optional<SeqNum> Feed::initial_sequence(const tcp::FourTuple& tuple) {
  const TcpEnd* end = our_end(tuple);
  return end != nullptr ? end->initial : std::nullopt;
}

std::optional<std::uint32_t> Feed::timestamp_offset(const tcp::FourTuple& tuple) {
  const TcpEnd* end = our_end(tuple);
  if (end == nullptr || !end->first_timestamp) return std::nullopt;
  const Instant then{end->first_timestamp_time - scene_.begin};
  return *end->first_timestamp - tcp::timestamp_ticks(then);
}

FeedFlow& Feed::flow(std::size_t number) {
  const auto [found, is_new] = flows_.try_emplace(number);
  FeedFlow& flow = found->second;
  if (!is_new || number == kLinkFlow) return flow;
  flow.ours = cast_.ours(number);
  const auto facts = scene_.tcp.find(number);
  if (facts == scene_.tcp.end() || !flow.ours) return flow;
  flow.facts = &facts->second;
  for (std::size_t side = 0; side < 2; ++side)
    flow.recorded[side] = SequenceOffsets(flow.facts->ends[side].initial.value_or(SeqNum()));
  flow.sent = flow.recorded[*flow.ours];
  flow.outcome.is_playable = flow.facts->has_handshake() || flow.facts->is_stray(*flow.ours);
  flow.player = std::make_unique<TcpPlayer>(host_, scene_.flows[number], *flow.facts, *flow.ours,
                                            [this](TcpPlayer& player) { woken_.push_back(&player); });
  flow.player->set_finder(
      [&flow](std::int64_t begin, MutableBytes out) { return find_ahead(flow, begin, out); });
  return flow;
}

// ---------------------------------------------------------------- what is due when

std::expected<void, CaptureError> Feed::read_ahead() {
  while (!has_ended_ && (held_ - blocked_ < kLookAhead && held_ < kMaxWaiting)) {
    auto packet = reader_.next();
    if (!packet) return std::unexpected(packet.error());
    if (!*packet) {
      has_ended_ = true;
      break;
    }
    if (options_.progress && (*packet)->number % kProgressEvery == 0) options_.progress((*packet)->number);
    auto held = std::make_unique<HeldPacket>(**packet);
    std::size_t number = kLinkFlow;
    if (held->view) {
      const Place place = table_.place(held->captured, *held->view);
      held->side = place.side;
      number = place.flow;
    }
    FeedFlow& into = flow(number);
    into.waiting.push_back(std::move(held));
    ++held_;
    if (into.blocked_since != kNever) {
      ++blocked_;
    } else {
      schedule(number);
    }
  }
  return {};
}

void Feed::schedule(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  if (flow.is_scheduled || flow.waiting.empty()) return;
  schedule_at(flow, number, Instant(flow.waiting.front()->captured.time - scene_.begin + flow.shift));
}

void Feed::schedule_at(FeedFlow& flow, std::size_t number, Instant due) {
  flow.due = due;
  flow.is_scheduled = true;
  agenda_.emplace(due, number);
}

void Feed::unschedule(FeedFlow& flow, std::size_t number) {
  if (!flow.is_scheduled) return;
  agenda_.erase({flow.due, number});
  flow.is_scheduled = false;
}

void Feed::advance_to(Instant instant) {
  while (host_.next_deadline() <= instant) {
    now_ = std::max(now_, host_.next_deadline());
    host_.advance(now_);
    after();
    // What has been sent may have made something due earlier.
    if (!agenda_.empty() && agenda_.begin()->first < instant) return;
  }
  now_ = std::max(now_, instant);
}

std::expected<FeedOutcome, CaptureError> Feed::run() {
  set_up();
  for (;;) {
    if (auto read = read_ahead(); !read) return std::unexpected(read.error());
    if (agenda_.empty()) break;
    const Instant due = agenda_.begin()->first;
    if (host_.next_deadline() <= due) {
      advance_to(due);
      continue;
    }
    const std::size_t number = agenda_.begin()->second;
    now_ = std::max(now_, due);
    unschedule(flows_.at(number), number);
    process(number);
  }
  const Instant end = now_ + options_.linger;
  while (host_.next_deadline() <= end) advance_to(end);
  outcome_.duration = now_.time_since_epoch();
  for (auto& [number, flow] : flows_) {
    if (flow.facts == nullptr) continue;
    flow.outcome.received = std::move(flow.player->received());
    flow.outcome.error = flow.player->error();
    flow.outcome.made_up = flow.player->made_up();
    flow.outcome.recorded_sent = flow.recorded_end;
    flow.outcome.actual_sent = flow.sent_end;
    outcome_.tcp.emplace(number, std::move(flow.outcome));
  }
  outcome_.datagrams_sent = datagrams_.sent();
  outcome_.datagrams_received = datagrams_.received();
  host_.set_observer(nullptr);
  return std::move(outcome_);
}

void Feed::process(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  if (flow.waiting.empty()) return;
  HeldPacket& packet = *flow.waiting.front();
  if (!may_go(flow, packet)) return wait(number);
  if (flow.blocked_since != kNever) {  // all that follows is as much later
    flow.blocked_since = kNever;
    blocked_ -= flow.waiting.size();
    flow.shift = std::max(flow.shift, now_.time_since_epoch() - (packet.captured.time - scene_.begin));
  }
  if (flow.player) current_.insert_or_assign(flow.player->tuple(), number);
  const auto taken = std::move(flow.waiting.front());
  flow.waiting.pop_front();
  --held_;
  const bool is_known = flow.ours.has_value() || number == kLinkFlow;
  if (flow.ours && taken->side == *flow.ours) {
    play_ours(number, *taken);
  } else if (taken->view && cast_.is_ours(taken->view->source)) {
    ++outcome_.between_others;  // ours to a group: no application of ours is behind it
  } else if (flow.is_stalled) {
    ++flow.outcome.not_delivered;
  } else if (!is_known && taken->view && !taken->view->destination.is_multicast() &&
             !cast_.is_ours(taken->view->destination)) {
    ++outcome_.between_others;
  } else {
    feed_theirs(number, *taken);
  }
  if (flow.player) write_ahead(flow);
  schedule(number);
}

// Has the Host sent what the packet acknowledges? Not more than the recorded end had sent: what was never
// sent is not waited for.
bool Feed::may_go(FeedFlow& flow, const HeldPacket& packet) {
  if (flow.facts == nullptr || flow.is_stalled || !packet.view || !packet.view->tcp) return true;
  if (packet.side == *flow.ours || !packet.view->tcp->flags.ack || !flow.outcome.is_playable) return true;
  const std::int64_t acknowledged = flow.recorded[*flow.ours].of(packet.view->tcp->acknowledgment);
  return std::min(acknowledged, flow.recorded_end) <= flow.sent_end;
}

void Feed::wait(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  if (flow.blocked_since == kNever) {
    flow.blocked_since = now_;
    blocked_ += flow.waiting.size();
  } else if (now_ - flow.blocked_since >= options_.stall) {
    return give_up(number);
  } else if (flow.sent_end > flow.fed_ack && flow.player->is_established()) {
    insert_partial_ack(number, *flow.waiting.front());
  }
  if (!flow.is_scheduled) schedule_at(flow, number, now_ + kPatience);
}

void Feed::give_up(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  flow.outcome.stall = awaited(flow, *flow.waiting.front());
  flow.is_stalled = true;
  flow.blocked_since = kNever;
  blocked_ -= flow.waiting.size();
  schedule(number);
}

std::string Feed::awaited(const FeedFlow& flow, const HeldPacket& packet) const {
  const std::int64_t acknowledged = flow.recorded[*flow.ours].of(packet.view->tcp->acknowledgment);
  return fmt::format("packet {} acknowledges {}, but only {} was sent", packet.captured.number, acknowledged,
                     flow.sent_end);
}

// ---------------------------------------------------------------- packets

PacketRecord Feed::record_of(std::optional<std::size_t> number, std::size_t side,
                             const CapturedPacket& packet, const PacketView* view, SequenceOffsets* own,
                             const SequenceOffsets* other) {
  if (view == nullptr) {
    PacketRecord record;
    record.number = packet.number;
    record.length = packet.original_length;
    return record;
  }
  std::int64_t sequence = 0, acknowledgment = 0;
  std::uint8_t scale = 0;
  if (view->tcp && number && own != nullptr) {
    const TcpFacts& facts = scene_.tcp.at(*number);
    sequence = own->of(view->tcp->sequence);
    // Sequence numbers of resets may be anything.
    if (!view->tcp->flags.rst) own->see(view->tcp->sequence + view->sequence_length());
    acknowledgment = view->tcp->flags.ack ? other->of(view->tcp->acknowledgment) : 0;
    scale = facts.scale(side);
  }
  return make_record(packet, *view, sequence, acknowledgment, scale);
}

void Feed::play_ours(std::size_t number, HeldPacket& packet) {
  FeedFlow& flow = flows_.at(number);
  const std::size_t ours = *flow.ours;
  PacketRecord record =
      record_of(number, ours, packet.captured, &*packet.view,
                flow.facts != nullptr ? &flow.recorded[ours] : nullptr, &flow.recorded[1 - ours]);
  record.time = packet.captured.time - scene_.begin;
  record.is_ours = true;
  if (flow.facts != nullptr && !record.flags.rst)
    flow.recorded_end = std::max(flow.recorded_end, record.end());
  listener_.recorded(number, record);
  host_.enter(now_);
  if (flow.facts == nullptr) {
    datagrams_.on_recorded(packet.captured, *packet.view);
  } else if (packet.view->tcp && flow.outcome.is_playable) {
    flow.player->on_recorded(*packet.view, record.sequence);
    write_rest(flow, packet);
  }
  host_.leave();
  after();
}

void Feed::feed_theirs(std::size_t number, HeldPacket& packet) {
  FeedFlow& flow = flows_.at(number);
  const std::optional<std::size_t> known = number == kLinkFlow ? std::nullopt : std::optional(number);
  const PacketView* view = packet.view ? &*packet.view : nullptr;
  PacketRecord record = record_of(known, packet.side, packet.captured, view,
                                  flow.facts != nullptr ? &flow.recorded[packet.side] : nullptr,
                                  &flow.recorded[1 - packet.side]);
  record.time = packet.captured.time - scene_.begin;
  listener_.recorded(known, record);
  if (flow.facts != nullptr && view->tcp) {
    if (!flow.player->is_established()) {
      if (view->tcp->flags.syn && !view->tcp->flags.ack) open_listener(flow);
      const auto found = listeners_.find(flow.player->tuple().local);
      host_.enter(now_);
      flow.player->prepare(found != listeners_.end() ? found->second : nullptr);
      host_.leave();
    }
    const wire::TcpHeader& header = *view->tcp;
    const std::int64_t data = record.sequence + (header.flags.syn ? 1 : 0);
    if (view->payload_length > 0 && data >= 1 && is_acceptable(flow, *view, record))
      flow.player->received().add(StreamCheck::Side::kRecorded, static_cast<std::uint64_t>(data - 1),
                                  view->payload);
    if (header.flags.ack) {
      flow.fed_ack = std::max(flow.fed_ack, std::min(record.acknowledgment, flow.recorded_end));
      flow.right_edge = std::max(flow.right_edge, record.acknowledgment + record.window);
    }
  }
  put_in(number, packet.captured, view);
}

// Would a receiver take its text? Of what an attacker puts between, or what was damaged, it does not.
bool Feed::is_acceptable(FeedFlow& flow, const PacketView& view, const PacketRecord& record) const {
  const wire::TcpHeader& header = *view.tcp;
  if (header.flags.rst || view.transport_checksum == ChecksumVerdict::kBad) return false;
  const std::int64_t oldest =
      flow.recorded_end - std::max<std::int64_t>(flow.facts->ends[1 - *flow.ours].largest_window, 65535);
  if (header.flags.ack && (record.acknowledgment > flow.recorded_end || record.acknowledgment < oldest))
    return false;                   // RFC 5961 §5
  if (header.options.timestamps) {  // RFC 7323 §5
    const std::uint32_t value = header.options.timestamps->value;
    if (flow.timestamp && static_cast<std::int32_t>(value - *flow.timestamp) < 0) return false;
    flow.timestamp = value;
  }
  return true;
}

void Feed::put_in(std::size_t number, const CapturedPacket& packet, const PacketView* view) {
  ++outcome_.fed;
  Bytes octets = packet.octets;
  if (!has_ethernet_ && view != nullptr) octets = octets.subspan(view->network_offset);
  Packet frame = pool_.copy_of(octets);
  if (!frame) return;
  if (!has_ethernet_ && packet.link_type == LinkType::kEthernet && packet.octets.size() >= 6) {
    const bool is_group = (packet.octets[0] & 1U) != 0;
    frame.info().link_broadcast = is_group && packet.octets[0] == 0xff;
    frame.info().link_multicast = is_group && packet.octets[0] != 0xff;
  }
  if (view != nullptr && view->transport_checksum == ChecksumVerdict::kUnfilled) {
    frame.info().checksum = transom::ChecksumState::kVerified;
    ++outcome_.vouched;
  }
  CapturedPacket happened = packet;
  happened.time = scene_.begin + now_.time_since_epoch();
  const std::optional<std::size_t> known = number == kLinkFlow ? std::nullopt : std::optional(number);
  FeedFlow& flow = flows_.at(number);
  const std::size_t side = flow.ours ? 1 - *flow.ours : 0;
  SequenceOffsets own = flow.recorded[side];
  PacketRecord record =
      record_of(known, side, packet, view, flow.facts != nullptr ? &own : nullptr, &flow.sent);
  record.time = now_.time_since_epoch();
  listener_.happened(known, record, happened, view);
  host_.receive(interface_, std::move(frame), now_);
  after();
}

void Feed::insert_partial_ack(std::size_t number, const HeldPacket& like) {
  FeedFlow& flow = flows_.at(number);
  flow.fed_ack = flow.sent_end;
  ++flow.outcome.partial_acks;
  const std::vector<std::uint8_t> octets =
      partial_ack(like.captured, *like.view, flow.sent.number_of(flow.sent_end));
  CapturedPacket packet = like.captured;
  packet.octets = octets;
  packet.original_length = static_cast<std::uint32_t>(octets.size());
  const auto view = PacketView::parse(packet);
  if (view) put_in(number, packet, &*view);
}

// What followed without an answer in between was one write: PSH goes to its last segment, as recorded.
void Feed::write_rest(FeedFlow& flow, const HeldPacket& first) {
  constexpr Duration kOneWrite = milliseconds(1);
  if (first.view->payload_length == 0 || first.view->tcp->flags.psh) return;
  const SequenceOffsets& offsets = flow.recorded[*flow.ours];
  for (const auto& packet : flow.waiting) {
    if (packet->side != *flow.ours || !packet->view || !packet->view->tcp ||
        packet->captured.time - first.captured.time > kOneWrite)
      return;
    const std::int64_t begin = offsets.of(packet->view->tcp->sequence);
    if (begin != flow.player->written() || packet->view->payload_length == 0) return;
    flow.player->write_ahead(begin, *packet->view);
    if (packet->view->tcp->flags.psh) return;
  }
}

bool Feed::find_ahead(const FeedFlow& flow, std::int64_t begin, MutableBytes out) {
  const SequenceOffsets& offsets = flow.recorded[*flow.ours];
  std::vector<bool> known(out.size());
  std::size_t missing = out.size();
  for (const auto& packet : flow.waiting) {
    if (packet->side != *flow.ours || !packet->view || !packet->view->tcp) continue;
    const std::int64_t at = offsets.of(packet->view->tcp->sequence) - begin;
    for (std::size_t i = 0; i < packet->view->payload.size(); ++i) {
      const std::int64_t to = at + static_cast<std::int64_t>(i);
      if (to < 0 || to >= static_cast<std::int64_t>(out.size())) continue;
      const auto index = static_cast<std::size_t>(to);
      if (known[index]) continue;
      known[index] = true;
      out[index] = packet->view->payload[i];
      if (--missing == 0) return true;
    }
  }
  return false;
}

// The recorded stack had more to send than the window let through, and probed for room: ours must have it,
// too.
void Feed::write_ahead(FeedFlow& flow) {
  constexpr std::int64_t kFull = 2 * 1460;
  constexpr std::size_t kFarthest = 64;
  if (!flow.player->is_established() || flow.right_edge - flow.player->written() >= kFull) return;
  for (std::size_t i = 0; i < flow.waiting.size() && i < kFarthest; ++i) {
    const HeldPacket& packet = *flow.waiting[i];
    if (packet.side != *flow.ours || !packet.view || !packet.view->tcp || packet.view->payload_length <= 1)
      continue;
    const std::int64_t begin = flow.recorded[*flow.ours].of(packet.view->tcp->sequence);
    const std::int64_t end = begin + packet.view->payload_length;
    if (end <= flow.player->written()) continue;
    if (begin == flow.player->written() && end > flow.right_edge) {
      host_.enter(now_);
      flow.player->write_ahead(begin, *packet.view);
      host_.leave();
      after();
    }
    return;
  }
}

// The port is open for a SYN that was answered with a SYN-ACK, and closed for one that was refused.
void Feed::open_listener(FeedFlow& flow) {
  const Endpoint local = flow.player->tuple().local;
  const auto found = listeners_.find(local);
  host_.enter(now_);
  if (flow.player->is_passive() && found == listeners_.end()) {
    auto hold = host_.tcp().bind({.local = local, .reuse_address = true});
    if (hold) {
      if (auto listener = host_.tcp().listen(*hold, 4096, {})) listeners_.emplace(local, *listener);
    }
  } else if (flow.facts->ends[*flow.ours].refused && found != listeners_.end()) {
    found->second->close();
    listeners_.erase(found);
  }
  host_.leave();
}

// ---------------------------------------------------------------- what the Host has done

void Feed::after() {
  take_sent();
  for (;;) {
    host_.enter(now_);
    accept();
    std::vector<TcpPlayer*> woken;
    woken.swap(woken_);
    std::ranges::sort(woken);
    const auto rest = std::ranges::unique(woken);
    woken.erase(rest.begin(), rest.end());
    std::ranges::sort(woken, {}, [](TcpPlayer* player) { return player->tuple(); });  // the same in each run
    for (TcpPlayer* player : woken) player->run();
    datagrams_.read();
    host_.leave();
    take_sent();
    if (woken_.empty()) return;
  }
}

void Feed::accept() {
  for (const auto& [local, listener] : listeners_) {
    while (const auto accepted = listener->accept()) {
      const auto found = current_.find((*accepted)->tuple());
      if (found == current_.end()) {
        (*accepted)->abort();
        continue;
      }
      TcpPlayer& player = *flows_.at(found->second).player;
      player.take(**accepted);
      woken_.push_back(&player);
    }
  }
}

void Feed::take_sent() {
  PacketQueue& queue = host_.transmit_queue(interface_);
  while (!queue.empty()) on_sent(queue.pop());
}

void Feed::on_sent(Packet packet) {
  if (!packet.linearize()) return;
  if (has_ethernet_) {
    if (const auto answer = neighbours_.answer_to(packet.head())) {
      host_.receive(interface_, pool_.copy_of(*answer), now_);
      return;
    }
  }
  ++outcome_.sent;
  CapturedPacket captured;
  captured.number = ++sent_number_;
  captured.time = scene_.begin + now_.time_since_epoch();
  captured.link_type = has_ethernet_ ? LinkType::kEthernet : LinkType::kRaw;
  captured.octets = packet.head();
  captured.original_length = static_cast<std::uint32_t>(packet.head().size());
  captured.is_outgoing = true;
  const auto view = PacketView::parse(captured);
  std::optional<std::size_t> number;
  PacketRecord record;
  if (view && view->tcp) {
    const tcp::FourTuple tuple{{view->source, view->tcp->source_port},
                               {view->destination, view->tcp->destination_port}};
    if (const auto found = current_.find(tuple); found != current_.end()) number = found->second;
  } else if (view) {
    number = table_.find(captured, *view);
  }
  if (number && flows_.contains(*number)) {
    FeedFlow& flow = flows_.at(*number);
    record =
        record_of(number, flow.ours.value_or(0), captured, &*view,
                  flow.facts != nullptr ? &flow.sent : nullptr, &flow.recorded[1 - flow.ours.value_or(0)]);
    if (flow.facts != nullptr && !record.flags.rst && record.end() > flow.sent_end) {
      flow.sent_end = record.end();
      if (flow.blocked_since != kNever) {  // perhaps this was awaited
        unschedule(flow, *number);
        schedule_at(flow, *number, now_);
      }
    }
  } else {
    record = record_of(std::nullopt, 0, captured, view ? &*view : nullptr, nullptr, nullptr);
  }
  record.time = now_.time_since_epoch();
  record.is_ours = true;
  listener_.happened(number, record, captured, view ? &*view : nullptr);
}

}  // namespace

std::expected<FeedOutcome, CaptureError> feed(CaptureReader& reader, const Scene& scene, const Cast& cast,
                                              const FeedOptions& options, FeedListener& listener) {
  return std::make_unique<Feed>(reader, scene, cast, options, listener)->run();
}

}  // namespace transom::drivers::replay
