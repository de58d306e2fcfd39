#include "drivers/replay/tcp_script.h"

#include <algorithm>

#include "drivers/replay/icmp_errors.h"

namespace transom::drivers::replay {

namespace {

// Of one stream, and of all together: a few packets may speak of gigabytes.
constexpr std::int64_t kMaxStream = std::int64_t{256} << 20, kFreeOctets = std::int64_t{64} << 20;
constexpr std::int64_t kLargestCut = 1024;  // as much was on the wire for each octet that was kept

class ScriptWriter {
 public:
  // `room`: octets of streams that may still be kept.
  ScriptWriter(const Flow& flow, const TcpFacts& facts, std::size_t ours, Duration begin, std::int64_t& room)
      : facts_(facts), ours_(ours) {
    script_.ours = flow.ends[ours];
    script_.theirs = flow.ends[1 - ours];
    script_.us = facts.ends[ours];
    script_.peer = facts.ends[1 - ours];
    script_.is_opener = script_.us.is_opener;
    script_.begin = facts.begin - begin;
    script_.scale = facts.scale(ours);
    script_.peer_closes = script_.peer.fin.has_value();
    for (std::size_t side = 0; side < 2; ++side)
      offsets_[side] = SequenceOffsets(facts.ends[side].initial.value_or(SeqNum()));
    script_.stream.resize(octets_of(script_.us, room));
    script_.expected.resize(octets_of(script_.peer, room));
    known_.resize(script_.stream.size());
  }

  // `fragments`: that it was captured in.
  void add(const CapturedPacket& packet, const PacketView& view, std::size_t side,
           std::vector<FragmentRange> fragments) {
    const wire::TcpHeader& header = *view.tcp;
    const std::int64_t begin = offsets_[side].of(header.sequence);
    const std::int64_t end = begin + view.sequence_length();
    if (!header.flags.rst) offsets_[side].see(header.sequence + view.sequence_length());
    const std::int64_t text = begin + (header.flags.syn ? 1 : 0);
    const Duration time = packet.time - facts_.begin;
    if (side != ours_) {
      if (!header.flags.rst) copy(view.payload, text, script_.expected, nullptr);
      arrivals_.push_back({time, end});
      their_end_ = std::max(their_end_, end);
      if (header.options.timestamps) timestamps_.try_emplace(header.options.timestamps->value, end);
      return;
    }
    copy(view.payload, text, script_.stream, &known_);
    ScriptStep step;
    step.number = packet.number;
    step.time = time;
    step.flags = header.flags;
    step.begin = begin;
    step.end = end;
    // A reset without an acknowledgment answers what came last (RFC 9293 §3.10.7.1).
    step.awaits = header.flags.ack   ? offsets_[1 - side].of(header.acknowledgment)
                  : header.flags.rst ? their_end_
                                     : 0;
    step.right_edge =
        step.awaits + (header.flags.syn ? header.window : std::int64_t{header.window} << script_.scale);
    step.urgent = header.flags.urg ? header.urgent_pointer : 0;
    if (header.options.timestamps) {
      const auto found = timestamps_.find(header.options.timestamps->echo);
      if (found != timestamps_.end()) step.echoes = found->second;
    }
    step.think = time - std::max(last_, heard(step.awaits));
    last_ = time;
    step.fragments = std::move(fragments);
    script_.steps.push_back(std::move(step));
  }

  // An ICMP message about a segment of one of the two.
  void add_error(const CapturedPacket& packet, const QuotedSegment& quoted, Bytes message) {
    if (quoted.from == script_.ours) {
      script_.is_unreachable = !script_.peer.initial && !script_.peer.has_reset;
      return;
    }
    ScriptStep step;
    step.number = packet.number;
    step.time = packet.time - facts_.begin;
    step.begin = step.end = offsets_[ours_].highest();
    step.awaits = offsets_[1 - ours_].of(quoted.sequence) + 1;
    if (quoted.acknowledgment) step.error_quotes_ack = offsets_[ours_].of(*quoted.acknowledgment);
    step.error.assign(message.begin(), message.end());
    step.think = step.time - std::max(last_, heard(step.awaits));
    last_ = step.time;
    script_.steps.push_back(std::move(step));
  }

  TcpScript finish() && {
    script_.made_up = static_cast<std::uint64_t>(std::ranges::count(known_, false));
    separate_network_time();
    return std::move(script_);
  }

 private:
  struct Arrival {
    Duration time;
    std::int64_t end;
  };

  static std::size_t octets_of(const TcpEnd& end, std::int64_t& room) {
    std::int64_t octets = end.end - 1 - (end.fin && *end.fin + 1 == end.end ? 1 : 0);
    octets = std::clamp<std::int64_t>(octets, 0, std::min(kMaxStream, room));
    room -= octets;
    return static_cast<std::size_t>(octets);
  }

  static void copy(Bytes payload, std::int64_t at, std::vector<std::uint8_t>& stream,
                   std::vector<bool>* known) {
    for (std::size_t i = 0; i < payload.size(); ++i) {
      const std::int64_t index = at - 1 + static_cast<std::int64_t>(i);
      if (index < 0 || index >= static_cast<std::int64_t>(stream.size())) continue;
      stream[static_cast<std::size_t>(index)] = payload[i];
      if (known != nullptr) (*known)[static_cast<std::size_t>(index)] = true;
    }
  }

  // When what is acknowledged had come.
  Duration heard(std::int64_t awaits) {
    while (next_arrival_ < arrivals_.size() && reached_ < awaits) {
      const Arrival& arrival = arrivals_[next_arrival_++];
      if (arrival.end <= reached_) continue;
      reached_ = arrival.end;
      reached_at_ = arrival.time;
    }
    return reached_ >= awaits ? reached_at_ : Duration::zero();
  }

  // In the handshake nobody thinks: what an end took there is the way between it and the place of the
  // capture, there and back.
  void separate_network_time() {
    const auto& steps = script_.steps;
    const std::size_t answer = script_.is_opener ? 1 : 0;  // the step that answers the peer's SYN
    Duration peers{};
    if (steps.size() > answer) script_.network_time = std::max(steps[answer].think, Duration::zero());
    if (!steps.empty() && !arrivals_.empty()) {
      const std::size_t reply = script_.is_opener ? 0 : 1;
      if (arrivals_.size() > reply) peers = arrivals_[reply].time - steps.front().time;
    }
    script_.round_trip = script_.network_time + std::max(peers, Duration::zero());
    for (ScriptStep& step : script_.steps) {
      if (&step != &steps.front() || !script_.is_opener)
        step.think = std::max(step.think - script_.network_time, Duration::zero());
    }
  }

  const TcpFacts& facts_;
  std::size_t ours_;
  TcpScript script_;
  std::array<SequenceOffsets, 2> offsets_;
  std::vector<bool> known_;
  std::vector<Arrival> arrivals_;
  std::map<std::uint32_t, std::int64_t> timestamps_;  // of theirs: where the first segment with it ended
  std::size_t next_arrival_ = 0;
  std::int64_t reached_ = 0;
  Duration reached_at_{};
  std::int64_t their_end_ = 0;  // behind all that has come
  Duration last_{};
};

}  // namespace

std::vector<std::uint8_t> TcpScript::with_mask(std::int64_t position, Bytes octets) const {
  std::vector<std::uint8_t> masked(octets.begin(), octets.end());
  const auto size = static_cast<std::int64_t>(masked.size());
  for (const auto& [from, end] : ignored) {
    const std::int64_t to = std::min({end, position + size, static_cast<std::int64_t>(expected.size())});
    for (std::int64_t at = std::max(from, position); at < to; ++at)
      masked[static_cast<std::size_t>(at - position)] = expected[static_cast<std::size_t>(at)];
  }
  return masked;
}

std::expected<std::map<std::size_t, TcpScript>, CaptureError> make_scripts(CaptureReader& reader,
                                                                           const Scene& scene,
                                                                           const Cast& cast) {
  FlowTable table;
  SegmentJoiner joiner;
  std::int64_t room = kFreeOctets + kLargestCut * static_cast<std::int64_t>(scene.octets);
  std::map<std::size_t, ScriptWriter> writers;
  // Null for what is not to be played.
  const auto writer_of = [&](std::size_t flow) -> ScriptWriter* {
    const auto ours = cast.ours(flow);
    const auto facts = scene.tcp.find(flow);
    if (!ours || facts == scene.tcp.end() || !facts->second.has_handshake()) return nullptr;
    return &writers.try_emplace(flow, scene.flows[flow], facts->second, *ours, scene.begin, room)
                .first->second;
  };
  const auto read = for_each_placed(
      reader, table, [&](const CapturedPacket& packet, const PacketView& view, const Place& place) {
        std::optional<JoinedSegment> joined;
        if (SegmentJoiner::is_wanted(view) && !(joined = joiner.add(packet, view))) return;
        const Bytes message = behind_ip(packet, view);
        const auto quoted = quoted_segment(view.protocol, message);
        if (quoted) {
          const auto found = table.find(Flow{IpProtocol::kTcp, {quoted->from, quoted->to}});
          if (ScriptWriter* const writer = found ? writer_of(*found) : nullptr)
            writer->add_error(packet, *quoted, message);
        } else if (joined) {
          if (ScriptWriter* const writer = writer_of(place.flow))
            writer->add(packet, joined->view, place.side, std::move(joined->fragments));
        } else if (view.tcp) {
          if (ScriptWriter* const writer = writer_of(place.flow)) writer->add(packet, view, place.side, {});
        }
      });
  if (!read) return std::unexpected(read.error());
  std::map<std::size_t, TcpScript> scripts;
  for (auto& [flow, writer] : writers) scripts.emplace(flow, std::move(writer).finish());
  std::erase_if(scripts, [](const auto& entry) { return entry.second.steps.empty(); });
  return scripts;
}

}  // namespace transom::drivers::replay
