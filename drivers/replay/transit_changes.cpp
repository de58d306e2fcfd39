#include "drivers/replay/transit_changes.h"

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/capture/icmp_error.h"
#include "drivers/replay/flow_table.h"
#include "drivers/replay/ip_octets.h"

namespace transom::drivers::replay {

const Difference kTransitLost{"lost", Likeness::kUnknown, "RFC 2979 §2, RFC 1812 §5.3.6",
                              "did not come out: dropped by a rule of the device, or lost"};
const Difference kTransitAckMissing{"acknowledgment-missing", Likeness::kLegal, "RFC 9293 §3.8.6.3",
                                    "a pure acknowledgment did not come out"};
const Difference kTransitAdded{"added", Likeness::kUnknown, "", "came out, and nobody had put it in"};
const Difference kTransitTwice{"twice", Likeness::kUnknown, "RFC 791 §1.2", "came out more than once"};
const Difference kTransitRefused{"refused", Likeness::kUnknown, "RFC 1812 §5.2.7, RFC 2979 §2",
                                 "the device answered itself, with an error or a reset"};
const Difference kTransitRemapped{"remapped", Likeness::kViolation, "RFC 4787 §4.1, RFC 5382 §4",
                                  "the translation became another in mid-conversation"};
const Difference kTransitOrder{"order", Likeness::kLegal, "RFC 791 §1.2, RFC 9293 §3.10.7.4",
                               "overtook a packet of its conversation"};
const Difference kTransitShifted{"sequence-shift", Likeness::kLegal, "RFC 6528 §3, RFC 2979 §2",
                                 "the sequence numbers of this direction are all shifted by the same amount"};
const Difference kTransitReshifted{"sequence-shift-changed", Likeness::kViolation, "RFC 9293 §3.4",
                                   "the sequence number is shifted by another amount than those before"};
const Difference kTransitOctets{"other-octets", Likeness::kViolation, "RFC 2979 §2",
                                "other octets at the same place of the stream"};

namespace {

constexpr Difference kHops{"hop-limit", Likeness::kLegal, "RFC 1812 §5.3.1, RFC 8200 §3",
                           "the hop limit is lower: it was forwarded"};
constexpr Difference kHopsRaised{"hop-limit-raised", Likeness::kViolation, "RFC 1812 §5.3.1, RFC 8200 §3",
                                 "the hop limit is higher: packets may go round for ever"};
constexpr Difference kTranslated{"translated", Likeness::kLegal, "RFC 3022 §2",
                                 "addresses, ports or identifiers of echoes are translated"};
constexpr Difference kCongestion{"congestion-experienced", Likeness::kLegal, "RFC 3168 §5",
                                 "marked with CE: there is congestion"};
constexpr Difference kEcnBleached{"ecn", Likeness::kViolation, "RFC 3168 §5, §18.1",
                                  "the ECN field was changed to something that is no mark"};
constexpr Difference kDscp{"traffic-class", Likeness::kLegal, "RFC 2474 §3", "another DSCP"};
constexpr Difference kIdentification{"identification", Likeness::kLegal, "RFC 6864 §4.1",
                                     "another identification"};
constexpr Difference kDontFragment{"dont-fragment", Likeness::kUnknown, "RFC 1191 §3", "DF was changed"};
constexpr Difference kFragmented{"fragmented", Likeness::kLegal, "RFC 791 §3.2, RFC 1812 §4.2.2.7",
                                 "came out in other fragments"};
constexpr Difference kFragmentedForbidden{"fragmented-forbidden", Likeness::kViolation,
                                          "RFC 791 §2.3, RFC 8200 §4.5",
                                          "cut in spite of DF, or of IPv6, which only its source cuts"};
constexpr Difference kHeaders{"ip-options", Likeness::kUnknown, "RFC 1812 §5.2.4, RFC 8200 §4",
                              "other IP options or extension headers"};
constexpr Difference kChecksum{"checksum", Likeness::kViolation, "RFC 3022 §4.2, RFC 1624",
                               "the checksum was right, and is wrong"};
constexpr Difference kMss{"maximum-segment-size", Likeness::kUnknown, "RFC 9293 §3.7.1",
                          "another maximum segment size in the SYN"};
constexpr Difference kTcpOptions{"tcp-options", Likeness::kUnknown, "RFC 9293 §3.2", "other TCP options"};
constexpr Difference kNumbers{"tcp-numbers", Likeness::kUnknown, "RFC 9293 §3.4",
                              "other sequence or acknowledgment numbers"};
constexpr Difference kAcknowledgment{"acknowledgment-shift", Likeness::kViolation,
                                     "RFC 9293 §3.10.7.4, RFC 2979 §2",
                                     "acknowledges numbers that their end did not send: not shifted back"};
constexpr Difference kSackBlocks{"sack-shift", Likeness::kViolation, "RFC 2018 §3, RFC 2979 §2",
                                 "SACK blocks name numbers that their end did not send: not shifted back"};
constexpr Difference kFlags{"tcp-flags", Likeness::kUnknown, "RFC 9293 §3.1, RFC 3168 §6.1",
                            "other TCP flags"};
constexpr Difference kWindow{"window", Likeness::kUnknown, "RFC 9293 §3.8.6", "another window"};
constexpr Difference kUrgent{"urgent-pointer", Likeness::kUnknown, "RFC 9293 §3.8.5",
                             "another urgent pointer"};
constexpr Difference kPayload{"payload", Likeness::kViolation, "RFC 2979 §2", "other octets are carried"};

constexpr std::size_t kTcpFlagsAt = 13;

bool is_error(IpProtocol protocol, Bytes message) {
  return is_icmp(protocol) && is_icmp_error(protocol, message[0]);
}

// Ends of an options list, of a header that is whole.
std::size_t tcp_header_size(Bytes segment) {
  return std::min<std::size_t>(std::size_t{segment[12] / 16U} * 4, segment.size());
}

bool has_header(IpProtocol protocol, Bytes transport) {
  if (protocol == IpProtocol::kTcp)
    return transport.size() >= wire::TcpHeader::kMinSize &&
           tcp_header_size(transport) >= wire::TcpHeader::kMinSize;
  return transport.size() >= 8 || (protocol != IpProtocol::kUdp && !is_icmp(protocol));
}

bool equal_from(Bytes a, Bytes b, std::size_t from, std::size_t to = SIZE_MAX) {
  to = std::min({to, a.size(), b.size()});
  return from >= to || std::ranges::equal(a.subspan(from, to - from), b.subspan(from, to - from));
}

Bytes payload_of(IpProtocol protocol, Bytes transport) {
  if (protocol == IpProtocol::kTcp) return transport.subspan(tcp_header_size(transport));
  if (protocol == IpProtocol::kUdp || is_icmp(protocol)) return transport.subspan(8);
  return transport;
}

// Of a packet that is no fragment.
ChecksumVerdict checksum_of(const Carried& carried) {
  std::vector<std::uint8_t> whole = carried.header;
  whole.insert(whole.end(), carried.transport.begin(), carried.transport.end());
  const auto view = PacketView::parse(captured(whole));
  if (!view) return ChecksumVerdict::kUnknown;
  return view->network_checksum == ChecksumVerdict::kBad ? ChecksumVerdict::kBad : view->transport_checksum;
}

void compare_network(Bytes in, Bytes out, std::vector<const Difference*>& found) {
  const bool is_v4 = in[0] >> 4 == 4;
  const std::size_t hops = is_v4 ? 8 : 7, addresses = is_v4 ? 12 : 8, end = is_v4 ? 20 : 40;
  if (out[hops] != in[hops]) found.push_back(out[hops] < in[hops] ? &kHops : &kHopsRaised);
  if (!equal_from(in, out, addresses, end)) found.push_back(&kTranslated);
  const auto traffic_class = [&](Bytes header) {
    return is_v4 ? header[1] : static_cast<std::uint8_t>(header[0] << 4 | header[1] >> 4);
  };
  const std::uint8_t before = traffic_class(in), after = traffic_class(out);
  if ((before ^ after) >> 2 != 0) found.push_back(&kDscp);
  if (((before ^ after) & 3U) != 0)
    found.push_back((after & 3U) == 3 && (before & 3U) != 0 ? &kCongestion : &kEcnBleached);
  if (is_v4 && !equal_from(in, out, 4, 6)) found.push_back(&kIdentification);
  constexpr std::uint8_t kDf = 0x40;
  if (is_v4 && ((in[6] ^ out[6]) & kDf) != 0) found.push_back(&kDontFragment);
  if (in.size() != out.size() || !equal_from(in, out, end)) {
    // The identification of a fragment header may be another; sizes tell whether there is one.
    if (is_v4 || in.size() != out.size()) found.push_back(&kHeaders);
  }
}

bool has_other_sack_blocks(const wire::TcpOptions& in, const wire::TcpOptions& out) {
  return in.sack_count == out.sack_count && in.sack_blocks != out.sack_blocks;
}

void compare_tcp(Bytes in, Bytes out, bool is_acknowledging_shifted, std::vector<const Difference*>& found) {
  if (!equal_from(in, out, 0, 4)) found.push_back(&kTranslated);
  const bool is_same_place = equal_from(in, out, 4, 8);
  if (!is_same_place || !equal_from(in, out, 8, 12))
    found.push_back(is_same_place && is_acknowledging_shifted ? &kAcknowledgment : &kNumbers);
  if (in[kTcpFlagsAt] != out[kTcpFlagsAt] || (in[12] & 0xfU) != (out[12] & 0xfU)) found.push_back(&kFlags);
  if (!equal_from(in, out, 14, 16)) found.push_back(&kWindow);
  if (!equal_from(in, out, 18, 20)) found.push_back(&kUrgent);
  const Bytes options_in = in.first(tcp_header_size(in)), options_out = out.first(tcp_header_size(out));
  if (options_in.size() == options_out.size() && equal_from(options_in, options_out, 20)) return;
  wire::Reader reader_in(in), reader_out(out);
  const auto before = wire::TcpHeader::parse(reader_in), after = wire::TcpHeader::parse(reader_out);
  if (is_acknowledging_shifted && before && after && has_other_sack_blocks(before->options, after->options)) {
    found.push_back(&kSackBlocks);
    return;
  }
  const bool is_mss =
      before && after && before->options.maximum_segment_size != after->options.maximum_segment_size;
  found.push_back(is_mss ? &kMss : &kTcpOptions);
}

}  // namespace

bool is_same(const Carried& in, const Carried& out) {
  const IpProtocol protocol = in.protocol;
  const Bytes a(in.transport), b(out.transport);
  if (protocol != out.protocol || in.is_fragment != out.is_fragment || a.size() != b.size()) return false;
  if (in.is_fragment) return equal_from(a, b, 0);
  if (!has_header(protocol, a) || !has_header(protocol, b)) return equal_from(a, b, 0);
  if (protocol == IpProtocol::kTcp) return equal_from(a, b, 4, 16) && equal_from(a, b, 18);
  if (protocol == IpProtocol::kUdp) return equal_from(a, b, 4, 6) && equal_from(a, b, 8);
  if (!is_icmp(protocol)) return equal_from(a, b, 0);
  if (!equal_from(a, b, 0, 2)) return false;
  if (is_error(protocol, a)) return is_error(protocol, b) && equal_from(a, b, 4, 8);  // quotes are translated
  return equal_from(a, b, 6);
}

bool is_alike(const Carried& in, const Carried& out) {
  const IpProtocol protocol = in.protocol;
  const Bytes a(in.transport), b(out.transport);
  if (protocol != out.protocol || in.is_fragment || out.is_fragment || !has_header(protocol, a) ||
      !has_header(protocol, b))
    return false;
  constexpr std::uint8_t kSynFinReset = 7;
  if (protocol == IpProtocol::kTcp)
    return equal_from(a, b, 4, 8) && ((a[kTcpFlagsAt] ^ b[kTcpFlagsAt]) & kSynFinReset) == 0 &&
           payload_of(protocol, a).size() == payload_of(protocol, b).size();
  if (is_icmp(protocol)) return equal_from(a, b, 0, 2) && (is_error(protocol, a) || equal_from(a, b, 6, 8));
  return true;
}

bool is_shifted(const Carried& in, const Carried& out, bool may_acknowledge_other) {
  const Bytes a(in.transport), b(out.transport);
  if (in.protocol != IpProtocol::kTcp || out.protocol != IpProtocol::kTcp || in.is_fragment ||
      out.is_fragment || a.size() != b.size() || !has_header(in.protocol, a) || !has_header(in.protocol, b))
    return false;
  return equal_from(a, b, may_acknowledge_other ? 12 : 8, 16) && equal_from(a, b, 18);
}

std::uint32_t shift_of(const Carried& in, const Carried& out) {
  const auto number = [](const Carried& carried) {
    return wire::Reader(Bytes(carried.transport).subspan(4)).u32();
  };
  return number(out) - number(in);
}

std::vector<const Difference*> changes_of(const Carried& in, const Carried& out,
                                          bool is_acknowledging_shifted) {
  const IpProtocol protocol = in.protocol;
  std::vector<const Difference*> found;
  if (in.header.empty() || out.header.empty() || in.header[0] >> 4 != out.header[0] >> 4) {
    found.push_back(&kHeaders);
    return found;
  }
  compare_network(in.header, out.header, found);
  if (out.packets > in.packets) {
    const bool is_v4 = in.header[0] >> 4 == 4;
    constexpr std::uint8_t kDf = 0x40;
    found.push_back(is_v4 && (in.header[6] & kDf) == 0 ? &kFragmented : &kFragmentedForbidden);
  } else if (out.packets < in.packets) {
    found.push_back(&kFragmented);
  }
  const Bytes a(in.transport), b(out.transport);
  if (!in.is_fragment && has_header(protocol, a) && has_header(protocol, b)) {
    if (protocol == IpProtocol::kTcp) {
      compare_tcp(a, b, is_acknowledging_shifted, found);
    } else if (protocol == IpProtocol::kUdp
                   ? !equal_from(a, b, 0, 4)
                   : is_icmp(protocol) && !is_error(protocol, a) && !equal_from(a, b, 4, 6)) {
      found.push_back(&kTranslated);
    }
    const Bytes carried = payload_of(protocol, a), now = payload_of(protocol, b);
    if (!is_error(protocol, a) && (carried.size() != now.size() || !equal_from(carried, now, 0)))
      found.push_back(&kPayload);
  }
  if (in.packets == 1 && out.packets == 1 && checksum_of(in) == ChecksumVerdict::kGood &&
      checksum_of(out) == ChecksumVerdict::kBad)
    found.push_back(&kChecksum);
  std::ranges::sort(found);
  const auto rest = std::ranges::unique(found);
  found.erase(rest.begin(), rest.end());
  return found;
}

}  // namespace transom::drivers::replay
