#include "tests/adversarial/wire_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::test {

// ---------------------------------------------------------------- what passed

std::optional<WireWatch::Seen> WireWatch::parse(const Packet& frame, bool has_ethernet_header, bool is_out) {
  octets_.resize(frame.size());
  frame.copy_out(0, octets_);
  Bytes packet(octets_);
  if (has_ethernet_header) {
    if (packet.size() < wire::EthernetHeader::kSize) return std::nullopt;
    const bool is_ip =
        (packet[12] == 0x08 && packet[13] == 0x00) || (packet[12] == 0x86 && packet[13] == 0xdd);
    if (!is_ip) return std::nullopt;
    packet = packet.subspan(wire::EthernetHeader::kSize);
  }
  if (packet.empty()) return std::nullopt;
  Seen seen;
  wire::Reader reader(packet);
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol{};
  if (packet[0] >> 4 == 4) {
    const auto ip = wire::Ipv4Header::parse(reader);
    if (!ip || ip->is_fragment() || !wire::Ipv4Header::has_valid_checksum(packet.first(reader.position())))
      return std::nullopt;
    source = ip->source;
    destination = ip->destination;
    protocol = ip->protocol;
    seen.ecn = ip->traffic_class & 3;
    seen.ip_octets = ip->total_length;
  } else {
    const auto ip = wire::Ipv6Header::parse(reader);
    if (!ip) return std::nullopt;
    source = ip->source;
    destination = ip->destination;
    protocol = ip->next_header;
    seen.ecn = ip->traffic_class & 3;
    seen.ip_octets = wire::Ipv6Header::kSize + ip->payload_length;
  }
  if (protocol != IpProtocol::kTcp || seen.ip_octets > packet.size()) return std::nullopt;
  const Bytes segment = packet.subspan(reader.position(), seen.ip_octets - reader.position());
  if (frame.info().checksum == ChecksumState::kUnknown) {
    auto sum = wire::pseudo_header_sum(source, destination, IpProtocol::kTcp,
                                       static_cast<std::uint32_t>(segment.size()));
    sum.add(segment);
    if (sum.checksum() != 0) return std::nullopt;
  }
  wire::Reader tcp(segment);
  const auto header = wire::TcpHeader::parse(tcp);
  if (!header) return std::nullopt;
  seen.header = *header;
  seen.payload = tcp.rest();
  seen.segment = frame.info().segment_size != 0 ? frame.info().segment_size : seen.payload.size();
  const Endpoint from{source, header->source_port};
  const Endpoint to{destination, header->destination_port};
  seen.tuple = is_out ? tcp::FourTuple{from, to} : tcp::FourTuple{to, from};
  return seen;
}

void WireWatch::violate(const Seen& seen, std::string_view rule, const std::string& why) const {
  hooks_.violated(
      rule, fmt::format("{} > {}: seq {} ack {} win {} len {}: {}", to_string(seen.tuple.local),
                        to_string(seen.tuple.remote), seen.header.sequence.value(),
                        seen.header.acknowledgment.value(), seen.header.window, seen.payload.size(), why));
}

bool WireWatch::View::ecn() const {
  const auto any = [](const wire::TcpFlags& flags) { return flags.ece || flags.cwr || flags.ae; };
  return any(own_syn.flags) && any(peer_syn.flags);
}

std::uint64_t WireWatch::received(const tcp::FourTuple& tuple) const {
  const auto found = views_.find(tuple);
  return found == views_.end() ? 0 : static_cast<std::uint64_t>(found->second.received.end_of_run(0));
}

// ---------------------------------------------------------------- in

std::optional<tcp::FourTuple> WireWatch::on_in(const Packet& frame, bool has_ethernet_header) {
  const auto seen = parse(frame, has_ethernet_header, false);
  if (!seen) return std::nullopt;
  take(*seen);
  return seen->tuple;
}

void WireWatch::take(const Seen& seen) {
  ++counts_.segments_in;
  const wire::TcpHeader& header = seen.header;
  if (header.flags.rst) return;
  if (header.flags.syn) {
    constexpr std::size_t kRemembered = 16;
    auto& syns = syns_in_[seen.tuple];
    if (syns.size() >= kRemembered) syns.erase(syns.begin());
    syns.push_back(header);
  }
  const auto found = views_.find(seen.tuple);
  if (found == views_.end() || !found->second.syn_out) return;
  View& view = found->second;
  if (header.flags.syn) {
    const bool answers = header.flags.ack && header.acknowledgment == view.iss + 1;
    if (!view.syn_in && answers) {
      view.syn_in = true;
      view.irs = header.sequence;
      view.peer_syn = header;
      view.edge = header.window;  // never scaled (RFC 7323 §2.2)
    }
    if (!view.is_open() || header.sequence != view.irs) return;
  }
  if (!view.is_open() || !header.flags.ack) return;
  if (std::ranges::find(view.cookies, header.acknowledgment - 1) != view.cookies.end())
    view.iss = header.acknowledgment - 1;
  const std::int64_t begin = view.in_position(header.sequence + (header.flags.syn ? 1U : 0U));
  const std::int64_t end = begin + static_cast<std::int64_t>(seen.payload.size());
  view.received.add(std::max<std::int64_t>(begin, 0), end);
  if (header.flags.fin && end >= 0) view.fin_in = end;
  if (header.options.timestamps && view.stamped()) {
    const std::uint32_t value = header.options.timestamps->value;
    if (!view.was_stamped || static_cast<std::int32_t>(value - view.peer_stamp) > 0) view.peer_stamp = value;
    view.was_stamped = true;
  }
  const std::int64_t acked = view.out_position(header.acknowledgment);
  const std::int64_t sent = view.fin_out >= 0 ? view.fin_out + 1 : view.sent_end;
  if (acked < 0 || acked > sent) return;
  view.acked = std::max(view.acked, acked);
  const unsigned shift =
      view.scaled() && !header.flags.syn ? std::min<unsigned>(*view.peer_syn.options.window_scale, 14) : 0;
  view.edge = std::max(view.edge, acked + (std::int64_t{header.window} << shift));
  for (const auto& block : header.options.sacks()) {
    const std::int64_t left = view.out_position(block.left);
    const std::int64_t right = view.out_position(block.right);
    if (left >= 0 && right <= sent) view.sacked.add(left, right);
  }
}

// ---------------------------------------------------------------- out

std::optional<tcp::FourTuple> WireWatch::on_out(const Packet& frame, bool has_ethernet_header,
                                                std::uint32_t mtu) {
  const auto seen = parse(frame, has_ethernet_header, true);
  if (!seen) return std::nullopt;
  check(*seen, mtu);
  return seen->tuple;
}

void WireWatch::check(const Seen& seen, std::uint32_t mtu) {
  counts_.segments_out +=
      std::max<std::size_t>(1, (seen.payload.size() + std::max<std::size_t>(seen.segment, 1) - 1) /
                                   std::max<std::size_t>(seen.segment, 1));
  counts_.octets_out += seen.payload.size();
  const wire::TcpHeader& header = seen.header;
  if (header.flags.rst) {
    ++counts_.resets_out;
    // A cookie may bring the connection back (RFC 4987 §3.6): from its beginning, as far as this host knows.
    if (const auto ended = views_.find(seen.tuple); ended != views_.end()) {
      ended->second.own_ack = ended->second.own_edge = 0;
      ended->second.fin_out = -1;
      ended->second.has_repeated = true;
    }
    if (seen.ecn != 0) violate(seen, "ecn", "a reset says that it may be marked");
    return;
  }
  if (header.flags.syn) {
    syn_goes_out(seen);
    return;
  }
  const auto found = views_.find(seen.tuple);
  if (found == views_.end() || !found->second.is_open())
    return violate(seen, "handshake", "a segment of a connection that was not opened");
  View& view = found->second;
  if (!header.flags.ack) violate(seen, "handshake", "no ACK flag after the SYN");
  check_acknowledgment(seen, view);
  check_text(seen, view);
  check_form(seen, view, mtu);
}

void WireWatch::syn_goes_out(const Seen& seen) {
  const wire::TcpHeader& header = seen.header;
  View& view = views_[seen.tuple];
  if (seen.ecn != 0) violate(seen, "ecn", "a SYN says that it may be marked");
  if (!header.flags.ack) {
    if (!view.syn_out || view.iss != header.sequence) {
      view = {};
      view.syn_out = true;
      view.iss = header.sequence;
      syns_in_[seen.tuple].clear();
    }
    view.own_syn = header;
    return;
  }
  const auto& syns = syns_in_[seen.tuple];
  const auto syn = std::find_if(syns.rbegin(), syns.rend(), [&](const wire::TcpHeader& candidate) {
    return candidate.sequence + 1 == header.acknowledgment;
  });
  if (syn == syns.rend()) return violate(seen, "acknowledgment", "a SYN-ACK for a SYN that did not come");
  const wire::TcpOptions& asked = syn->options;
  const wire::TcpOptions& given = header.options;
  if ((given.window_scale && !asked.window_scale) || (given.timestamps && !asked.timestamps) ||
      (given.sack_permitted && !asked.sack_permitted)) {
    violate(seen, "options", "the SYN-ACK agrees to what was not offered");
  }
  const bool is_same =
      view.syn_out && view.iss == header.sequence && (!view.syn_in || view.irs == syn->sequence);
  if (is_same) {
    view.syn_in = true;
    view.irs = syn->sequence;
    view.peer_syn = *syn;
    view.own_syn = header;
    return;
  }
  std::vector<SeqNum> cookies;
  if (view.is_open() && view.irs == syn->sequence) {
    cookies = std::move(view.cookies);
    cookies.push_back(view.iss);
    cookies.push_back(header.sequence);
  }
  view = {};
  view.cookies = std::move(cookies);
  view.syn_out = view.syn_in = true;
  view.iss = header.sequence;
  view.irs = syn->sequence;
  view.own_syn = header;
  view.peer_syn = *syn;
}

void WireWatch::check_acknowledgment(const Seen& seen, View& view) const {
  const wire::TcpHeader& header = seen.header;
  const std::int64_t ack = view.in_position(header.acknowledgment);
  if (ack > view.frontier())
    violate(seen, "acknowledgment",
            fmt::format("acknowledges {} octets, {} have come", ack, view.frontier()));
  if (ack < view.own_ack)
    violate(seen, "acknowledgment", fmt::format("acknowledges {} octets after {}", ack, view.own_ack));
  view.own_ack = std::max(view.own_ack, ack);
  if (header.options.sack_count > 0 && !view.sack()) violate(seen, "options", "SACK was not agreed on");
  for (const auto& block : header.options.sacks()) {
    const std::int64_t left = view.in_position(block.left);
    const std::int64_t right = view.in_position(block.right);
    if (left >= right || !view.received.contains(left, right))
      violate(seen, "acknowledgment", fmt::format("reports {}:{}, which has not come", left, right));
  }
  const unsigned shift = view.scaled() ? *view.own_syn.options.window_scale : 0;
  const std::int64_t edge = ack + (std::int64_t{header.window} << shift);
  const std::int64_t tolerance = (std::int64_t{1} << shift) - 1;
  if (edge + tolerance < view.own_edge)
    violate(seen, "window taken back", fmt::format("offers up to {} after {}", edge, view.own_edge));
  view.own_edge = std::max(view.own_edge, edge);
}

void WireWatch::check_text(const Seen& seen, View& view) {
  const wire::TcpHeader& header = seen.header;
  const std::int64_t begin = view.out_position(header.sequence);
  const std::int64_t end = begin + static_cast<std::int64_t>(seen.payload.size());
  const std::int64_t sent = view.fin_out >= 0 ? view.fin_out + 1 : view.sent_end;
  const bool is_empty = seen.payload.empty() && !header.flags.fin;
  if (begin > sent || begin < view.acked - 1 - (is_empty ? 0 : sent))
    violate(seen, "sequence",
            fmt::format("starts at {}, {} were sent and {} acknowledged", begin, sent, view.acked));
  if (is_empty) return;
  const std::int64_t end_with_fin = end + (header.flags.fin ? 1 : 0);
  const bool is_repeated = begin < sent;
  view.has_repeated |= is_repeated;
  if (!seen.payload.empty() && begin >= 0 &&
      !hooks_.is_right(seen.tuple, static_cast<std::uint64_t>(begin), seen.payload))
    violate(seen, "stream", fmt::format("octets from {} are not those that were written", begin));
  if (view.fin_out >= 0 && (end > view.fin_out || (header.flags.fin && end != view.fin_out)))
    violate(seen, "stream", fmt::format("{} lies behind the FIN at {}", end, view.fin_out));
  if (end_with_fin > sent && end_with_fin > view.edge)
    violate(seen, "beyond the window", fmt::format("up to {}, offered was {}", end_with_fin, view.edge));
  view.sent_end = std::max(view.sent_end, end);
  if (header.flags.fin) view.fin_out = end;
  if (seen.ecn != 0 && is_repeated) violate(seen, "ecn", "a retransmission says that it may be marked");

  // RFC 6928 and RFC 5681 §3.1, with a tail loss probe and a limited transmit (RFC 3042) of two segments on
  // top: nothing was lost so far, as far as one sees.
  if (!view.has_repeated) {
    const std::int64_t without_option = seen.tuple.local.address.is_v4() ? 536 : 1220;
    const std::int64_t mss =
        view.peer_syn.options.maximum_segment_size.value_or(static_cast<std::uint16_t>(without_option));
    const std::int64_t first = std::min(10 * mss, std::max<std::int64_t>(2 * mss, 14600));
    const std::int64_t delivered = view.acked + view.sacked.total();
    if (view.sent_end > first + 2 * delivered + 3 * mss)
      violate(seen, "slow start", fmt::format("{} octets sent, {} delivered", view.sent_end, delivered));
  }
}

void WireWatch::check_form(const Seen& seen, View& view, std::uint32_t mtu) const {
  const wire::TcpHeader& header = seen.header;
  const std::size_t headers = seen.ip_octets - seen.payload.size();
  if (headers + std::min(seen.segment, seen.payload.size()) > mtu)
    violate(seen, "too long", fmt::format("{} octets on a link of {}", headers + seen.segment, mtu));
  constexpr std::size_t kSmallestMss = 216;
  const std::size_t mss = std::max<std::size_t>(
      view.peer_syn.options.maximum_segment_size.value_or(seen.tuple.local.address.is_v4() ? 536 : 1220),
      kSmallestMss);
  const std::size_t segment = std::min(seen.segment, seen.payload.size());
  if (segment > 0 && segment + header.options.size() > mss)
    violate(seen, "too long",
            fmt::format("a segment of {} with {} of options, the peer takes {}", segment,
                        header.options.size(), mss));
  if (header.options.timestamps.has_value() != view.stamped())
    violate(seen, "options", "timestamps, as agreed or not");
  if (header.options.timestamps && view.stamped()) {
    const auto [value, echo] = *header.options.timestamps;
    if (view.has_stamped && static_cast<std::int32_t>(value - view.last_stamp) < 0)
      violate(seen, "timestamps", fmt::format("{} after {}", value, view.last_stamp));
    view.last_stamp = value;
    view.has_stamped = true;
    if (view.was_stamped && static_cast<std::int32_t>(echo - view.peer_stamp) > 0)
      violate(seen, "timestamps",
              fmt::format("echoes {}, the latest that came is {}", echo, view.peer_stamp));
  }
  if (seen.ecn != 0 && !view.ecn()) violate(seen, "ecn", "not agreed on");
  if (seen.ecn != 0 && seen.payload.empty()) violate(seen, "ecn", "no data, and says that it may be marked");
}

}  // namespace transom::test
