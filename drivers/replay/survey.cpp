#include "drivers/replay/survey.h"

#include <chrono>

#include "drivers/frame_layout.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

namespace {
constexpr std::uint32_t kJumbo = 9216;  // longer packets are made by offload
constexpr std::uint64_t kProgressEvery = 16384;
}  // namespace

void Survey::add(const CapturedPacket& packet) {
  if (scene_.packets++ == 0) {
    scene_.begin = packet.time;
    scene_.link_type = packet.link_type;
  }
  scene_.end = std::max(scene_.end, packet.time);
  scene_.octets += packet.octets.size();
  if (packet.is_cut()) ++scene_.cut;
  const auto view = PacketView::parse(packet);
  if (!view) {
    ++scene_.without_ip;
    return;
  }
  if (packet.link_type == LinkType::kEthernet) add_macs(packet, *view);
  const std::uint32_t length =
      view->transport_length + static_cast<std::uint32_t>(view->transport_offset - view->network_offset);
  if (length > kJumbo) {
    ++scene_.super_packets;
  } else {
    std::uint32_t& longest = scene_.longest[view->family == IpFamily::kIpv4 ? 0 : 1];
    longest = std::max(longest, length);
  }
  if (view->transport_checksum == ChecksumVerdict::kUnfilled) ++scene_.unfilled_checksums;
  const Place place = table_.place(packet, *view);
  if (SegmentJoiner::is_wanted(*view)) {
    if (const auto whole = joiner_.add(packet, *view)) add_tcp(whole->view, place, packet.time);
  } else if (view->tcp) {
    add_tcp(*view, place, packet.time);
  }
  add_icmp(packet, *view);
}

void Survey::add_macs(const CapturedPacket& packet, const PacketView& view) {
  wire::Reader reader(packet.octets);
  const auto header = wire::EthernetHeader::parse(reader);
  if (!header) return;
  scene_.macs.try_emplace(view.source, header->source);
  scene_.has_tags = scene_.has_tags || header->tag;
  if (!header->destination.is_group()) {
    scene_.sent_to.try_emplace(view.destination, header->destination);
  } else if (header->destination.is_broadcast() && !view.tcp && view.destination.is_v4() &&
             !view.destination.is_limited_broadcast()) {
    // RFC 919 §7: the host part is all ones, of two bits at least.
    if ((view.destination.v4_value() & 3U) == 3) scene_.broadcasts.insert(view.destination);
  }
}

IdentificationPattern::Kind TcpFacts::kind_of(std::size_t side, const wire::TcpFlags& flags,
                                              std::int64_t sequence, std::int64_t acknowledgment) const {
  using Kind = IdentificationPattern::Kind;
  if (flags.rst) return flags.ack ? Kind::kResetAck : Kind::kReset;
  if (flags.syn) return flags.ack ? Kind::kSynAck : Kind::kOther;
  const auto &own = ends[side].fin, &other = ends[1 - side].fin;
  const bool is_last = own && other && flags.ack && sequence > *own && acknowledgment > *other;
  return is_last ? Kind::kLastAcknowledgment : Kind::kOther;
}

void Survey::add_tcp(const PacketView& view, const Place& place, Duration time) {
  TcpFacts& facts = scene_.tcp[place.flow];
  if (facts.packets++ == 0) facts.begin = time;
  facts.last = std::max(facts.last, time);
  TcpEnd& end = facts.ends[place.side];
  TcpEnd& other = facts.ends[1 - place.side];
  const wire::TcpHeader& header = *view.tcp;
  if (view.family == IpFamily::kIpv4 && !view.is_fragment) {
    const auto kind = facts.kind_of(place.side, header.flags, end.offsets.of(header.sequence),
                                    other.offsets.of(header.acknowledgment));
    end.identifications.add(kind, static_cast<std::uint16_t>(view.identification), view.payload_length);
  }
  if (header.flags.rst) {
    if (other.initial && !end.initial && !end.has_reset) end.refused = true;
    end.has_reset = true;
    return;
  }
  if (other.has_reset) end.outlived_reset = true;
  if (header.flags.syn && !end.initial) {
    end.initial = header.sequence;
    end.offsets = SequenceOffsets(header.sequence);
    end.is_opener = !header.flags.ack;
    end.syn_options = header.options;
    end.syn_window = header.window;
    end.ip_ttl = view.hop_limit;
    end.syn_had_data = view.payload_length > 0;
    end.asked_for_ecn = header.flags.ece;
    end.largest_window = header.window;
  }
  if (!end.initial) {
    end.end = std::max<std::int64_t>(end.end, 1);  // it took part in something that began before
    return;
  }
  if (header.options.timestamps && !end.first_timestamp) {
    end.first_timestamp = header.options.timestamps->value;
    end.first_timestamp_time = time;
  }
  add_keep_alive(facts, end, view, time);
  const std::int64_t begin = end.offsets.see(header.sequence);
  const std::int64_t behind = begin + view.sequence_length();
  if (behind > end.end) {
    end.end = behind;
    end.offsets.see(header.sequence + view.sequence_length());
  }
  if (header.flags.ack && other.initial)
    end.acknowledged = std::max(end.acknowledged, other.offsets.of(header.acknowledgment));
  if (header.flags.syn && header.flags.ack && end.acknowledged > 1) end.acknowledged_syn_data = true;
  if (header.flags.fin && !end.fin) {
    end.fin = behind - 1;
    end.acknowledged_at_fin = end.acknowledged;
  }
  if (!header.flags.syn) {
    const std::uint32_t window = std::uint32_t{header.window} << facts.scale(place.side);
    end.largest_window = std::max(end.largest_window, window);
  }
}

// RFC 9293 §3.8.4: a probe is behind what was sent already, while nothing is outstanding.
void Survey::add_keep_alive(TcpFacts& facts, TcpEnd& end, const PacketView& view, Duration time) {
  const wire::TcpHeader& header = *view.tcp;
  const TcpEnd& other = &end == &facts.ends[0] ? facts.ends[1] : facts.ends[0];
  const bool is_probe = !header.flags.syn && !header.flags.fin && view.payload_length <= 1 && end.end > 1 &&
                        end.offsets.of(header.sequence) == end.end - 1 && other.acknowledged >= end.end;
  const bool is_answer = view.payload_length == 0 && !header.flags.syn && !header.flags.fin;
  if (is_probe) {
    const auto gap = static_cast<std::uint32_t>(
        std::chrono::round<std::chrono::seconds>(time - facts.last_activity).count());
    if (!end.keep_idle) {
      end.keep_idle = gap;
    } else if (!end.keep_interval && gap > 0) {
      end.keep_interval = gap;
    }
  }
  // What answers a probe is activity for the prober, too.
  if (is_probe || !is_answer || !other.keep_idle) facts.last_activity = time;
}

// Port unreachable (RFC 792, RFC 4443 §3.1) quotes the datagram that found nobody.
void Survey::add_icmp(const CapturedPacket& packet, const PacketView& view) {
  const bool is_v4 = view.protocol == IpProtocol::kIcmp;
  if ((!is_v4 && view.protocol != IpProtocol::kIcmpv6) || view.transport_offset > packet.octets.size())
    return;
  wire::Reader reader(packet.octets.subspan(view.transport_offset));
  const auto header = wire::IcmpHeader::parse(reader);
  if (!header || header->code != (is_v4 ? 3 : 4) || header->type != (is_v4 ? 3 : 1)) return;
  const Bytes quoted = reader.rest();
  const auto layout = layout_of(quoted, link::LinkType::kPointToPoint);
  if (!layout || layout->protocol != IpProtocol::kUdp || layout->is_fragment) return;
  wire::Reader udp(quoted.subspan(layout->transport_offset));
  if (const auto datagram = wire::UdpHeader::parse(udp))
    scene_.udp_refused.insert({view.source, datagram->destination_port});
}

Scene Survey::finish() && {
  scene_.flows = table_.flows();
  std::erase_if(scene_.broadcasts, [this](const IpAddress& address) {
    return scene_.macs.contains(address) || scene_.sent_to.contains(address);
  });
  return std::move(scene_);
}

std::expected<Scene, CaptureError> survey(CaptureReader& reader,
                                          const std::function<void(std::uint64_t)>& progress) {
  Survey survey;
  std::uint64_t count = 0;
  for (;;) {
    auto packet = reader.next();
    if (!packet) return std::unexpected(packet.error());
    if (!*packet) return std::move(survey).finish();
    survey.add(**packet);
    if (progress && ++count % kProgressEvery == 0) progress(count);
  }
}

}  // namespace transom::drivers::replay
