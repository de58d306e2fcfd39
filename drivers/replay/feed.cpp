#include "drivers/replay/feed_run.h"

#include <algorithm>

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kLookAhead = 8192;                       // packets read before they are due
constexpr std::size_t kMaxWaiting = std::size_t{1} << 18;      // packets held back, all flows together
constexpr Duration kPatience = std::chrono::milliseconds(10);  // before an acknowledgment is put in between
constexpr std::uint64_t kProgressEvery = 16384;

}  // namespace

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

std::optional<std::uint32_t> Feed::identification(const ip::OutgoingDatagram& datagram) {
  CapturedPacket packet;
  packet.octets = datagram.transport;
  PacketView view;
  view.family = datagram.source.family();
  view.source = datagram.source;
  view.destination = datagram.destination;
  view.protocol = datagram.protocol;
  wire::Reader reader(datagram.transport);
  if (view.protocol == IpProtocol::kTcp) {
    if (const auto header = wire::TcpHeader::parse(reader)) view.tcp = *header;
  } else if (view.protocol == IpProtocol::kUdp) {
    if (const auto header = wire::UdpHeader::parse(reader)) view.udp = *header;
  }
  const auto number = flow_of_sent(packet, view);
  const auto found = number ? flows_.find(*number) : flows_.end();
  if (found == flows_.end()) return std::nullopt;
  const auto chosen = view.tcp ? found->second.segment_identification(*view.tcp, datagram.packets)
                               : found->second.datagram_identification(playing_);
  // RFC 6864 §4.1: only an atomic datagram goes without.
  return chosen == 0 && !datagram.dont_fragment ? std::nullopt : chosen;
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
  flow.numbering.emplace(flow.facts->ends[*flow.ours].identifications);
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
    if (held->view && into.ours == held->side && SegmentJoiner::is_wanted(*held->view)) {
      // The application wrote what is in the whole segment.
      const auto whole = joiner_.add(held->captured, *held->view);
      if (!whole) continue;
      const std::size_t side = held->side;
      held = std::make_unique<HeldPacket>(whole->packet);
      held->side = side;
    }
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

std::expected<FeedOutcome, CaptureError> feed(CaptureReader& reader, const Scene& scene, const Cast& cast,
                                              const FeedOptions& options, FeedListener& listener) {
  return std::make_unique<Feed>(reader, scene, cast, options, listener)->run();
}

}  // namespace transom::drivers::replay
