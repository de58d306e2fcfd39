#include "stack/tcp/segment.h"

#include "stack/wire/checksum.h"

namespace transom::tcp {

std::optional<Segment> parse_segment(Context& context, const ip::Received& received, Packet packet) {
  context.count(Counter::kTcpInSegs);
  const auto drop = [&](DropReason reason) -> std::optional<Segment> {
    context.drop(reason, Counter::kTcpInErrs);
    return std::nullopt;
  };
  const std::size_t total = packet.size();
  if (packet.info().checksum == ChecksumState::kUnknown) {  // RFC 9293 MUST-3
    auto sum = wire::pseudo_header_sum(received.source, received.destination, IpProtocol::kTcp,
                                       static_cast<std::uint32_t>(total));
    wire::add_packet(sum, packet);
    if (sum.checksum() != 0) {
      context.count(Counter::kTcpInCsumErrors);
      return drop(DropReason::kTcpBadChecksum);
    }
  }
  if (!received.to_unicast) {  // MUST-57
    context.drop(DropReason::kTcpNotUnicast);
    return std::nullopt;
  }
  wire::Reader reader(packet.head());
  auto header = wire::TcpHeader::parse(reader);
  if (!header) {
    switch (header.error()) {
      case wire::ParseError::kTruncated:
        return drop(DropReason::kTcpTruncated);
      case wire::ParseError::kBadOption:
        return drop(DropReason::kTcpBadOptions);
      default:
        return drop(DropReason::kTcpBadDataOffset);
    }
  }
  if (header->source_port == Port::kNone || header->destination_port == Port::kNone)
    return drop(DropReason::kTcpPortZero);
  packet.trim_front(reader.position());
  const auto octets = static_cast<std::uint32_t>(packet.size());
  const std::uint32_t segment_size = packet.info().segment_size;
  return Segment{received, *header,      std::move(packet),
                 octets,   segment_size, static_cast<std::uint16_t>(reader.position())};
}

void prepend_header(Packet& packet, const wire::TcpHeader& header, const FourTuple& tuple) {
  wire::TcpHeader complete = header;
  const std::size_t size = header.size();
  const auto length = static_cast<std::uint32_t>(size + packet.size());
  complete.checksum =
      wire::pseudo_header_sum(tuple.local.address, tuple.remote.address, IpProtocol::kTcp, length).fold();
  wire::Writer writer(packet.prepend(size));
  complete.write(writer);
  packet.info().checksum = ChecksumState::kPartial;
  packet.info().checksum_field = wire::TcpHeader::kChecksumOffset;
}

void send_reply(Context& context, ip::IpLayer& ip, const Reply& reply) {
  const auto destination = ip.destination(reply.tuple.remote.address, reply.interface);
  if (!destination) return;
  Packet packet = context.pool.allocate();
  if (!packet) {
    context.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return;
  }
  wire::TcpHeader header;
  header.source_port = reply.tuple.local.port;
  header.destination_port = reply.tuple.remote.port;
  header.sequence = reply.sequence;
  header.acknowledgment = reply.acknowledgment;
  header.flags = reply.flags;
  header.window = reply.window;
  header.options = reply.options;
  prepend_header(packet, header, reply.tuple);
  context.count(Counter::kTcpOutSegs);
  if (reply.flags.rst) context.count(Counter::kTcpOutRsts);
  (void)ip.send(**destination, reply.tuple.local.address, IpProtocol::kTcp, std::move(packet),
                {.ttl = reply.ttl, .traffic_class = reply.traffic_class, .dont_fragment = true});
}

void send_reset_for(Context& context, ip::IpLayer& ip, const Segment& segment) {
  if (segment.header.flags.rst || !segment.received.to_unicast) return;
  Reply reply{.tuple = segment.tuple()};
  reply.flags.rst = true;
  reply.interface = reply_interface(segment.received);
  if (segment.header.flags.ack) {
    reply.sequence = segment.header.acknowledgment;
  } else {
    reply.flags.ack = true;
    reply.acknowledgment = segment.header.sequence + segment.length();
  }
  send_reply(context, ip, reply);
}

}  // namespace transom::tcp
