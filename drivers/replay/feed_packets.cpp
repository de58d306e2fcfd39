// What passes between the capture and the Host: recorded packets of ours and theirs, and what the Host sends.
#include <algorithm>

#include "drivers/replay/feed_run.h"
#include "drivers/replay/partial_ack.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kMaxFragments = 4096;  // whose later ones may follow

// Of a packet without an IP header.
PacketRecord bare_record(const CapturedPacket& packet) {
  PacketRecord record;
  record.number = packet.number;
  record.length = packet.original_length;
  return record;
}

}  // namespace

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
    playing_ = &packet;
    datagrams_.on_recorded(packet.captured, *packet.view);
    playing_ = nullptr;
  } else if (packet.view->tcp && flow.outcome.is_playable) {
    flow.player->on_recorded(*packet.view, record.sequence);
    flow.write_rest(packet);
  }
  host_.leave();
  after();
}

void Feed::feed_theirs(std::size_t number, HeldPacket& packet) {
  const PacketView* view = packet.view ? &*packet.view : nullptr;
  if (view == nullptr || flows_.at(number).facts == nullptr || !SegmentJoiner::is_wanted(*view)) {
    learn_of(number, packet.side, packet.captured, view);
  } else if (const auto whole = joiner_.add(packet.captured, *view)) {
    learn_of(number, packet.side, whole->packet, &whole->view);
  }
  put_in(number, packet.captured, view);
}

// `view`: null for what has no IP header.
void Feed::learn_of(std::size_t number, std::size_t side, const CapturedPacket& packet,
                    const PacketView* view) {
  FeedFlow& flow = flows_.at(number);
  const std::optional<std::size_t> known = number == kLinkFlow ? std::nullopt : std::optional(number);
  PacketRecord record =
      view != nullptr ? flow.record_of(side, packet, *view, flow.recorded[side], flow.recorded[1 - side])
                      : bare_record(packet);
  record.time = packet.time - scene_.begin;
  listener_.recorded(known, record);
  if (flow.facts != nullptr && view->tcp) {
    if (!flow.player->is_established()) get_ready(flow, *view->tcp);
    hear(flow, *view, record);
  }
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

}  // namespace transom::drivers::replay
