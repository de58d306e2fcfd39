#include "drivers/replay/datagram_rewriter.h"

#include <algorithm>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/ip_octets.h"
#include "stack/wire/checksum.h"

namespace transom::drivers::replay {

std::vector<std::uint8_t> DatagramRewriter::packet_of(const DatagramStep& step, const ExpectedDatagram* asked,
                                                      Bytes asks_now, const Endpoint* partner) {
  std::vector<std::uint8_t> octets = step.octets;
  const CapturedPacket recorded = captured(step.octets);
  const auto view = PacketView::parse(recorded);
  if (!view) return octets;
  if (step.partner && partner != nullptr) {
    EndpointChanges changes({recorded_ours_, *step.partner}, {ours_, *partner});
    PacketEditor(changes).edit(recorded, octets);
  } else {
    PacketEditor(changes_).edit(recorded, octets);
  }
  if (asked != nullptr && view->fragment_offset == 0) repeat(octets, *view, *asked, asks_now);
  identify(octets, *view);
  if (view->transport_checksum == ChecksumVerdict::kUnfilled || step.is_cut)
    fill_in_checksums(captured(step.octets), octets);
  return octets;
}

void DatagramRewriter::repeat(MutableBytes octets, const PacketView& view, const ExpectedDatagram& question,
                              Bytes asks_now) {
  if (view.protocol != IpProtocol::kUdp || !view.udp) return;
  const Bytes asked(question.saying.octets);
  const bool is_as_long = asked.size() == asks_now.size();
  const MutableBytes answer = octets.subspan(view.payload_offset, view.payload.size());
  wire::ChecksumSum sum;  // RFC 1624 §3
  const std::size_t field = view.transport_offset + 6;
  sum.add_u16(static_cast<std::uint16_t>(~u16_at(octets, field)));
  bool has_changed = false;
  for (std::size_t i = 0; i < std::min({answer.size(), asked.size(), asks_now.size()}); ++i) {
    if (!is_as_long && !question.is_ignored(i)) continue;
    if (asked[i] == asks_now[i] || answer[i] != asked[i]) continue;
    const unsigned shift = i % 2 == 0 ? 8 : 0;
    sum.add_u16(static_cast<std::uint16_t>(~(answer[i] << shift)));
    sum.add_u16(static_cast<std::uint16_t>(asks_now[i] << shift));
    answer[i] = asks_now[i];
    has_changed = true;
  }
  if (!has_changed || view.udp->checksum == 0) return;
  const std::uint16_t value = sum.checksum();
  put_u16(octets, field, value == 0 ? 0xffff : value);
}

void DatagramRewriter::identify(MutableBytes octets, const PacketView& view) {
  const auto of_fragment = [&] {
    const auto [found, is_new] = identifications_.try_emplace(view.identification, next_identification_);
    if (is_new) ++next_identification_;
    return found->second;
  };
  if (view.family == IpFamily::kIpv4) {
    std::uint16_t now = 0;
    if (view.is_fragment) {
      now = static_cast<std::uint16_t>(of_fragment());
      if (now == 0) now = 1;
    }
    return put_u16(octets, 4, now);
  }
  if (!view.is_fragment) return;
  IpProtocol next{octets[6]};
  for (std::size_t at = wire::Ipv6Header::kSize; at + 8 <= view.transport_offset;) {
    if (next == IpProtocol::kFragment) {
      wire::Writer(octets.subspan(at + 4)).u32(of_fragment());
      return;
    }
    next = IpProtocol{octets[at]};
    at += (octets[at + 1] + std::size_t{1}) * 8;
  }
}

}  // namespace transom::drivers::replay
