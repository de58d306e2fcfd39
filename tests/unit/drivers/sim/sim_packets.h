// Packets for links of a simulation: bare IPv4 with TCP or UDP in them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "drivers/sim/channel.h"
#include "drivers/sim/ip_view.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"

namespace transom::drivers::sim {

using namespace std::chrono_literals;

struct SegmentFields {
  std::uint8_t ecn = 0;
  std::uint16_t flow = 1;  // source port
  std::uint32_t sequence = 1000;
  std::size_t payload = 100;
  wire::TcpFlags flags{.ack = true};
};

class SimPackets {
 public:
  // A packet of 40 octets of headers and `payload`.
  Packet segment(const SegmentFields& fields = {}) {
    wire::TcpHeader tcp;
    tcp.source_port = Port{fields.flow};
    tcp.destination_port = Port{80};
    tcp.sequence = SeqNum(fields.sequence);
    tcp.flags = fields.flags;
    wire::Ipv4Header ip;
    ip.traffic_class = fields.ecn;
    ip.protocol = IpProtocol::kTcp;
    ip.source = IpAddress::v4(10, 0, 0, 1);
    ip.destination = IpAddress::v4(10, 0, 0, 2);
    ip.total_length = static_cast<std::uint16_t>(40 + fields.payload);
    std::vector<std::uint8_t> octets(ip.total_length, 0x5a);
    wire::Writer writer(octets);
    ip.write(writer);
    tcp.write(writer);
    return pool.copy_of(octets);
  }
  Packet of_size(std::size_t octets) { return segment({.payload = octets - 40}); }

  BufferPool pool;
};

inline EcnCodepoint codepoint(const Packet& packet) { return ecn_of(packet, link::LinkType::kPointToPoint); }
inline SeqNum sequence_of(const Packet& packet) {
  wire::Reader reader(packet.head().subspan(20));
  return wire::TcpHeader::parse(reader)->sequence;
}

}  // namespace transom::drivers::sim
