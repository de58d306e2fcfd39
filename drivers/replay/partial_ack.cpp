#include "drivers/replay/partial_ack.h"

#include <algorithm>

#include "stack/wire/checksum.h"

namespace transom::drivers::replay {

std::vector<std::uint8_t> partial_ack(const CapturedPacket& like, const PacketView& view,
                                      SeqNum acknowledgment) {
  wire::TcpHeader header;
  header.source_port = view.tcp->source_port;
  header.destination_port = view.tcp->destination_port;
  header.sequence = view.tcp->sequence;
  header.acknowledgment = acknowledgment;
  header.flags.ack = true;
  header.window = view.tcp->window;
  header.options.timestamps = view.tcp->options.timestamps;
  const bool is_v4 = view.family == IpFamily::kIpv4;
  const std::size_t ip_size = is_v4 ? wire::Ipv4Header::kMinSize : wire::Ipv6Header::kSize;
  std::vector<std::uint8_t> octets(view.network_offset + ip_size + header.size());
  wire::Writer writer(octets);
  writer.bytes(like.octets.first(view.network_offset));
  if (is_v4) {
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(ip_size + header.size());
    ip.dont_fragment = true;
    ip.ttl = view.hop_limit;
    ip.protocol = IpProtocol::kTcp;
    ip.source = view.source;
    ip.destination = view.destination;
    ip.write(writer);
  } else {
    wire::Ipv6Header ip;
    ip.payload_length = static_cast<std::uint16_t>(header.size());
    ip.next_header = IpProtocol::kTcp;
    ip.hop_limit = view.hop_limit;
    ip.source = view.source;
    ip.destination = view.destination;
    ip.write(writer);
  }
  const std::size_t at = writer.position();
  header.write(writer);
  wire::ChecksumSum sum = wire::pseudo_header_sum(view.source, view.destination, IpProtocol::kTcp,
                                                  static_cast<std::uint32_t>(header.size()));
  sum.add(Bytes(octets).subspan(at));
  wire::Writer(MutableBytes(octets).subspan(at + wire::TcpHeader::kChecksumOffset)).u16(sum.checksum());
  return octets;
}

}  // namespace transom::drivers::replay
