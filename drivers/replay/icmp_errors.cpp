#include "drivers/replay/icmp_errors.h"

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/datagram_script.h"
#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/ip_octets.h"
#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kSequence = 4, kAcknowledgment = 8, kFlags = 13;
constexpr std::uint8_t kAck = 0x10;

std::uint32_t u32_at(Bytes octets, std::size_t offset) { return wire::Reader(octets.subspan(offset)).u32(); }

// A number in a TCP header, and the checksum as far as it is quoted (RFC 1624 §3).
void renumber(MutableBytes tcp, std::size_t field, SeqNum now) {
  constexpr std::size_t kChecksum = wire::TcpHeader::kChecksumOffset;
  if (tcp.size() < field + 4) return;  // no more was quoted
  const bool has_checksum = tcp.size() >= kChecksum + 2;
  wire::ChecksumSum sum;
  if (has_checksum) sum.add_u16(static_cast<std::uint16_t>(~u16_at(tcp, kChecksum)));
  for (const std::size_t half : {field, field + 2})
    sum.add_u16(static_cast<std::uint16_t>(~u16_at(tcp, half)));
  wire::Writer(tcp.subspan(field)).u32(now.value());
  for (const std::size_t half : {field, field + 2}) sum.add_u16(u16_at(tcp, half));
  if (has_checksum) put_u16(tcp, kChecksum, sum.checksum());
}

}  // namespace

std::optional<QuotedSegment> quoted_segment(IpProtocol protocol, Bytes message) {
  const auto quoted = quoted_by(protocol, message);
  if (!quoted || quoted->view.protocol != IpProtocol::kTcp || quoted->view.fragment_offset != 0)
    return std::nullopt;
  const Bytes tcp = behind_ip(quoted->packet, quoted->view);
  if (tcp.size() < kAcknowledgment) return std::nullopt;
  QuotedSegment segment{.from = {quoted->view.source, Port{u16_at(tcp, 0)}},
                        .to = {quoted->view.destination, Port{u16_at(tcp, 2)}},
                        .sequence = SeqNum(u32_at(tcp, kSequence)),
                        .acknowledgment = std::nullopt};
  if (tcp.size() > kFlags && (tcp[kFlags] & kAck) != 0)
    segment.acknowledgment = SeqNum(u32_at(tcp, kAcknowledgment));
  return segment;
}

std::vector<std::uint8_t> error_about(const QuotedSegment& now, const Ends& recorded_ends, const Ends& live,
                                      Bytes recorded) {
  if (live.ours.address.family() != recorded_ends.ours.address.family()) return {};
  std::vector<std::uint8_t> message(recorded.begin(), recorded.end());
  const CapturedPacket quoted = captured(recorded.subspan(wire::IcmpHeader::kSize));
  const auto view = PacketView::parse(quoted);
  if (!view) return {};
  const MutableBytes octets = MutableBytes(message).subspan(wire::IcmpHeader::kSize);
  EndpointChanges changes(recorded_ends, live);
  PacketEditor(changes).edit(quoted, octets);
  const MutableBytes tcp = behind(octets, view->transport_offset);
  renumber(tcp, kSequence, now.sequence);
  if (now.acknowledgment) renumber(tcp, kAcknowledgment, *now.acknowledgment);
  return message;
}

void fill_in_icmp_checksum(IpProtocol protocol, const IpAddress& from, const IpAddress& to,
                           MutableBytes message) {
  wire::ChecksumSum sum;
  if (protocol == IpProtocol::kIcmpv6)
    sum = wire::pseudo_header_sum(from, to, protocol, static_cast<std::uint32_t>(message.size()));
  message[2] = message[3] = 0;
  sum.add(message);
  put_u16(message, 2, sum.checksum());
}

}  // namespace transom::drivers::replay
