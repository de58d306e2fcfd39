#include "drivers/replay/feed.h"

#include <algorithm>

#include "drivers/replay/agenda.h"
#include "drivers/replay/datagram_player.h"
#include "drivers/replay/feed_flow.h"
#include "drivers/replay/feed_host.h"
#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/partial_ack.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kLinkFlow = SIZE_MAX;                    // packets that are in no flow
constexpr std::size_t kLookAhead = 8192;                       // packets read before they are due
constexpr std::size_t kMaxWaiting = std::size_t{1} << 18;      // packets held back, all flows together
constexpr Duration kPatience = std::chrono::milliseconds(10);  // before an acknowledgment is put in between
constexpr std::size_t kMaxFragments = 4096;                    // whose later ones may follow
constexpr std::uint64_t kProgressEvery = 16384;

class Feed final : public tcp::ChosenNumbers {
 public:
  Feed(CaptureReader& reader, const Scene& scene, const Cast& cast, const FeedOptions& options,
       FeedListener& listener)
      : reader_(reader),
        scene_(scene),
        cast_(cast),
        options_(options),
        listener_(listener),
        stand_in_(scene, cast,
                  {.seed = options.seed,
                   .congestion_control = options.congestion_control,
                   .observer = options.observer}),
        host_(stand_in_.host()),
        datagrams_(host_) {
    host_.tcp().choose_numbers(this);
  }
  ~Feed() { host_.tcp().choose_numbers(nullptr); }

  std::expected<FeedOutcome, CaptureError> run();

  // tcp::ChosenNumbers
  std::optional<SeqNum> initial_sequence(const tcp::FourTuple& tuple) override;
  std::optional<std::uint32_t> timestamp_offset(const tcp::FourTuple& tuple) override;

 private:
  FeedFlow& flow(std::size_t number);
  const TcpEnd* our_end(const tcp::FourTuple& tuple) const;

  std::expected<void, CaptureError> read_ahead();
  void schedule(std::size_t number);
  void advance_to(Instant instant);
  void process(std::size_t number);
  bool concerns_us(const IpAddress& destination) const;
  void wait(std::size_t number);
  void give_up(std::size_t number);
  void play_ours(std::size_t number, HeldPacket& packet);
  void feed_theirs(std::size_t number, HeldPacket& packet);
  void get_ready(FeedFlow& flow, const wire::TcpHeader& header);
  void hear(FeedFlow& flow, const PacketView& view, const PacketRecord& record);
  void put_in(std::size_t number, const CapturedPacket& packet, const PacketView* view);
  void insert_partial_ack(std::size_t number, const HeldPacket& like);
  void write_ahead(FeedFlow& flow);
  void after();  // the Host has done something
  void take_sent();
  void on_sent(const CapturedPacket& packet);
  std::optional<std::size_t> flow_of_sent(const CapturedPacket& packet, const PacketView& view);
  void accept();
  FeedOutcome finish();

  CaptureReader& reader_;
  const Scene& scene_;
  const Cast& cast_;
  const FeedOptions& options_;
  FeedListener& listener_;
  FeedHost stand_in_;
  Host& host_;
  DatagramPlayer datagrams_;
  FlowTable table_;
  std::map<std::size_t, FeedFlow> flows_;
  std::map<tcp::FourTuple, std::size_t> current_;      // the flow that a four-tuple stands for now
  std::map<FragmentKey, std::size_t> sent_fragments_;  // of datagrams of ours: their flows
  Agenda agenda_;
  std::vector<TcpPlayer*> woken_;
  Instant now_{};
  std::size_t held_ = 0;
  std::size_t blocked_ = 0;  // of those held, behind a blocked packet
  bool has_ended_ = false;   // the capture
  FeedOutcome outcome_;
};

// ---------------------------------------------------------------- flows

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
      [&flow](std::int64_t begin, MutableBytes out) { return flow.find_ahead(begin, out); });
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
    if (into.is_blocked()) {
      ++blocked_;
    } else {
      schedule(number);
    }
  }
  return {};
}

void Feed::schedule(std::size_t number) {
  const FeedFlow& flow = flows_.at(number);
  if (agenda_.has(number) || flow.waiting.empty()) return;
  agenda_.set(number, Instant(flow.waiting.front()->captured.time - scene_.begin + flow.shift));
}

void Feed::advance_to(Instant instant) {
  while (host_.next_deadline() <= instant) {
    now_ = std::max(now_, host_.next_deadline());
    host_.advance(now_);
    after();
    // What has been sent may have made something due earlier.
    if (!agenda_.is_empty() && agenda_.due() < instant) return;
  }
  now_ = std::max(now_, instant);
}

std::expected<FeedOutcome, CaptureError> Feed::run() {
  host_.enter(now_);
  datagrams_.open(scene_, cast_);
  host_.leave();
  for (;;) {
    if (auto read = read_ahead(); !read) return std::unexpected(read.error());
    if (agenda_.is_empty()) break;
    const Instant due = agenda_.due();
    if (host_.next_deadline() <= due) {
      advance_to(due);
      continue;
    }
    const std::size_t number = agenda_.flow();
    now_ = std::max(now_, due);
    agenda_.remove(number);
    process(number);
  }
  const Instant end = now_ + options_.linger;
  while (host_.next_deadline() <= end) advance_to(end);
  return finish();
}

FeedOutcome Feed::finish() {
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
  return std::move(outcome_);
}

// Our ends are among those that get it.
bool Feed::concerns_us(const IpAddress& destination) const {
  return cast_.is_ours(destination) || destination.is_multicast() || destination.is_limited_broadcast() ||
         scene_.broadcasts.contains(destination);
}

void Feed::process(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  if (flow.waiting.empty()) return;
  HeldPacket& packet = *flow.waiting.front();
  if (!flow.may_go(packet)) return wait(number);
  if (flow.is_blocked()) {  // all that follows is as much later
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
  } else if (!is_known && taken->view && !concerns_us(taken->view->destination)) {
    ++outcome_.between_others;
  } else {
    feed_theirs(number, *taken);
  }
  if (flow.player) write_ahead(flow);
  schedule(number);
}

void Feed::wait(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  if (!flow.is_blocked()) {
    flow.blocked_since = now_;
    blocked_ += flow.waiting.size();
  } else if (now_ - flow.blocked_since >= options_.stall) {
    return give_up(number);
  } else if (flow.sent_end > flow.fed_ack && flow.player->is_established()) {
    insert_partial_ack(number, *flow.waiting.front());
  }
  if (!agenda_.has(number)) agenda_.set(number, now_ + kPatience);
}

void Feed::give_up(std::size_t number) {
  FeedFlow& flow = flows_.at(number);
  flow.outcome.stall = flow.awaited(*flow.waiting.front());
  flow.is_stalled = true;
  flow.blocked_since = kNever;
  blocked_ -= flow.waiting.size();
  schedule(number);
}

// ---------------------------------------------------------------- packets

void Feed::play_ours(std::size_t number, HeldPacket& packet) {
  FeedFlow& flow = flows_.at(number);
  const std::size_t ours = *flow.ours;
  PacketRecord record =
      flow.record_of(ours, packet.captured, *packet.view, flow.recorded[ours], flow.recorded[1 - ours]);
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
    flow.write_rest(packet);
  }
  host_.leave();
  after();
}

// Of a packet without an IP header.
PacketRecord bare_record(const CapturedPacket& packet) {
  PacketRecord record;
  record.number = packet.number;
  record.length = packet.original_length;
  return record;
}

void Feed::feed_theirs(std::size_t number, HeldPacket& packet) {
  FeedFlow& flow = flows_.at(number);
  const std::optional<std::size_t> known = number == kLinkFlow ? std::nullopt : std::optional(number);
  const PacketView* view = packet.view ? &*packet.view : nullptr;
  PacketRecord record = view != nullptr
                            ? flow.record_of(packet.side, packet.captured, *view, flow.recorded[packet.side],
                                             flow.recorded[1 - packet.side])
                            : bare_record(packet.captured);
  record.time = packet.captured.time - scene_.begin;
  listener_.recorded(known, record);
  if (flow.facts != nullptr && view->tcp) {
    if (!flow.player->is_established()) get_ready(flow, *view->tcp);
    hear(flow, *view, record);
  }
  put_in(number, packet.captured, view);
}

// The port is open for a SYN that was answered with a SYN-ACK, and closed for one that was refused.
void Feed::get_ready(FeedFlow& flow, const wire::TcpHeader& header) {
  const Endpoint local = flow.player->tuple().local;
  host_.enter(now_);
  if (header.flags.syn && !header.flags.ack) {
    if (flow.player->is_passive()) {
      stand_in_.open_port(local);
    } else if (flow.facts->ends[*flow.ours].refused) {
      stand_in_.close_port(local);
    }
  }
  flow.player->prepare(stand_in_.listener_of(local));
  host_.leave();
}

// What our application must read, and what it may write.
void Feed::hear(FeedFlow& flow, const PacketView& view, const PacketRecord& record) {
  const wire::TcpHeader& header = *view.tcp;
  const std::int64_t data = record.sequence + (header.flags.syn ? 1 : 0);
  if (view.payload_length > 0 && data >= 1 && flow.is_acceptable(view, record)) {
    flow.player->received().add(StreamCheck::Side::kRecorded, static_cast<std::uint64_t>(data - 1),
                                view.payload);
  }
  if (!header.flags.ack) return;
  flow.fed_ack = std::max(flow.fed_ack, std::min(record.acknowledgment, flow.recorded_end));
  flow.right_edge = std::max(flow.right_edge, record.acknowledgment + record.window);
}

void Feed::put_in(std::size_t number, const CapturedPacket& packet, const PacketView* view) {
  ++outcome_.fed;
  if (view != nullptr && view->transport_checksum == ChecksumVerdict::kUnfilled) ++outcome_.vouched;
  CapturedPacket happened = packet;
  happened.time = scene_.begin + now_.time_since_epoch();
  const std::optional<std::size_t> known = number == kLinkFlow ? std::nullopt : std::optional(number);
  const FeedFlow& flow = flows_.at(number);
  const std::size_t side = flow.ours ? 1 - *flow.ours : 0;
  SequenceOffsets own = flow.recorded[side];
  PacketRecord record =
      view != nullptr ? flow.record_of(side, packet, *view, own, flow.sent) : bare_record(packet);
  record.time = now_.time_since_epoch();
  listener_.happened(known, record, happened, view);
  if (stand_in_.receive(packet, view, now_)) after();
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

void Feed::write_ahead(FeedFlow& flow) {
  const HeldPacket* const packet = flow.wanted_ahead();
  if (packet == nullptr) return;
  host_.enter(now_);
  flow.player->write_ahead(flow.recorded[*flow.ours].of(packet->view->tcp->sequence), *packet->view);
  host_.leave();
  after();
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
  for (const auto& [local, listener] : stand_in_.listeners()) {
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
  Packet packet;
  while (const auto captured = stand_in_.next_sent(packet, now_)) on_sent(*captured);
}

std::optional<std::size_t> Feed::flow_of_sent(const CapturedPacket& packet, const PacketView& view) {
  if (view.is_fragment && view.fragment_offset != 0) {
    const auto found = sent_fragments_.find(FragmentKey(view));
    return found != sent_fragments_.end() ? std::optional(found->second) : std::nullopt;
  }
  if (!view.tcp) {
    const auto flow = table_.find(packet, view);
    if (flow && view.is_fragment) {
      if (sent_fragments_.size() >= kMaxFragments) sent_fragments_.clear();
      sent_fragments_.insert_or_assign(FragmentKey(view), *flow);
    }
    return flow;
  }
  const auto found =
      current_.find({{view.source, view.tcp->source_port}, {view.destination, view.tcp->destination_port}});
  return found != current_.end() ? std::optional(found->second) : std::nullopt;
}

void Feed::on_sent(const CapturedPacket& packet) {
  ++outcome_.sent;
  const auto view = PacketView::parse(packet);
  std::optional<std::size_t> number;
  PacketRecord record;
  if (view) number = flow_of_sent(packet, *view);
  if (number && flows_.contains(*number)) {
    FeedFlow& flow = flows_.at(*number);
    const std::size_t ours = flow.ours.value_or(0);
    record = flow.record_of(ours, packet, *view, flow.sent, flow.recorded[1 - ours]);
    if (flow.facts != nullptr && !record.flags.rst && record.end() > flow.sent_end) {
      flow.sent_end = record.end();
      if (flow.is_blocked()) agenda_.set(*number, now_);  // perhaps this was awaited
    }
  } else {
    record = view ? make_record(packet, *view, 0, 0, 0) : bare_record(packet);
  }
  record.time = now_.time_since_epoch();
  record.is_ours = true;
  listener_.happened(number, record, packet, view ? &*view : nullptr);
}

}  // namespace

std::expected<FeedOutcome, CaptureError> feed(CaptureReader& reader, const Scene& scene, const Cast& cast,
                                              const FeedOptions& options, FeedListener& listener) {
  return std::make_unique<Feed>(reader, scene, cast, options, listener)->run();
}

}  // namespace transom::drivers::replay
