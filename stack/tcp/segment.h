// A TCP segment that has arrived: its header, what came with it, and how it came.
#pragma once

#include "stack/base/context.h"
#include "stack/base/packet.h"
#include "stack/ip/ip_layer.h"
#include "stack/tcp/types.h"
#include "stack/wire/tcp.h"

namespace transom::tcp {

struct Segment {
  const ip::Received& received;
  wire::TcpHeader header;
  Packet packet;                   // the payload
  std::uint32_t octets = 0;        // of payload
  std::uint32_t segment_size = 0;  // of the segments that make up a super-segment, else 0
  std::uint16_t header_size = 0;   // octets of TCP header that stand in front of the packet

  // SEG.LEN of the RFC: text, SYN and FIN.
  std::uint32_t length() const {
    return octets + (header.flags.syn ? 1U : 0U) + (header.flags.fin ? 1U : 0U);
  }
  FourTuple tuple() const {
    return {{received.destination, header.destination_port}, {received.source, header.source_port}};
  }
};

// The interface that an answer to `remote` must take: that of arrival for link-local peers, else whichever is
// routed.
inline InterfaceId reply_interface(const ip::Received& received) {
  return received.source.is_link_local() ? received.interface.id() : InterfaceId::kAny;
}

// Parses and checks what can be checked without a connection. On failure the drop has been counted.
std::optional<Segment> parse_segment(Context& context, const ip::Received& received, Packet packet);

// A segment without payload, as resets and the answers of half-open and TIME-WAIT records are.
struct Reply {
  FourTuple tuple;
  SeqNum sequence{};
  SeqNum acknowledgment{};
  wire::TcpFlags flags{};
  std::uint16_t window = 0;
  wire::TcpOptions options{};
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  InterfaceId interface = InterfaceId::kAny;  // needed for link-local peers
};

void send_reply(Context& context, ip::IpLayer& ip, const Reply& reply);

// RFC 9293 §3.5.2 and §3.10.7.1: the reset that answers a segment which belongs to nothing here. None for a
// reset, nor for what was not sent to us alone.
void send_reset_for(Context& context, ip::IpLayer& ip, const Segment& segment);

// Puts the TCP header in front of the payload and leaves the checksum to whoever is last (the folded
// pseudo-header sum is in its field).
void prepend_header(Packet& packet, const wire::TcpHeader& header, const FourTuple& tuple);

}  // namespace transom::tcp
