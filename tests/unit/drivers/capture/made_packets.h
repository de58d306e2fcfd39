// Captured packets, as the tests need them: Ethernet, IPv4 or IPv6, TCP or UDP, with right checksums.
#pragma once

#include <string_view>

#include "drivers/capture/packet_view.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers::test {

using namespace std::chrono_literals;

inline const Endpoint kClient{IpAddress::v4(10, 0, 0, 1), Port{4000}};
inline const Endpoint kServer{IpAddress::v4(10, 0, 0, 2), Port{80}};
inline const Endpoint kClientV6{*IpAddress::parse("2001:db8::1"), Port{4000}};
inline const Endpoint kServerV6{*IpAddress::parse("2001:db8::2"), Port{80}};

// Owns its octets; becomes a CapturedPacket that views them.
struct MadePacket {
  std::vector<std::uint8_t> octets;
  CapturedPacket meta;

  CapturedPacket captured() const {
    CapturedPacket packet = meta;
    packet.octets = octets;
    packet.original_length = std::max(meta.original_length, static_cast<std::uint32_t>(octets.size()));
    return packet;
  }
  PacketView view() const { return PacketView::parse(captured()).value(); }
};

struct Segment {
  Endpoint from = kClient, to = kServer;
  std::uint32_t sequence = 0, acknowledgment = 0;
  std::string_view flags = ".";  // of "SFRP."
  std::string_view payload = {};
  std::optional<std::uint16_t> mss{};
  std::uint16_t identification = 1;
  Duration time = 1s;
  std::uint64_t number = 1;
  std::uint8_t ttl = 64;
};

inline MadePacket ip_around(const Endpoint& from, const Endpoint& to, IpProtocol protocol,
                            const std::vector<std::uint8_t>& transport, const Segment& about) {
  const bool is_v4 = from.address.is_v4();
  MadePacket made;
  made.octets.resize((is_v4 ? 34 : 54) + transport.size());
  wire::Writer writer(made.octets);
  wire::EthernetHeader ethernet;
  ethernet.destination = MacAddress({2, 0, 0, 0, 0, 2});
  ethernet.source = MacAddress({2, 0, 0, 0, 0, 1});
  ethernet.type = is_v4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6;
  ethernet.write(writer);
  if (is_v4) {
    wire::Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(20 + transport.size());
    header.identification = about.identification;
    header.ttl = about.ttl;
    header.protocol = protocol;
    header.source = from.address;
    header.destination = to.address;
    header.write(writer);
  } else {
    wire::Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(transport.size());
    header.hop_limit = about.ttl;
    header.next_header = protocol;
    header.source = from.address;
    header.destination = to.address;
    header.write(writer);
  }
  writer.bytes(transport);
  made.meta.number = about.number;
  made.meta.time = about.time;
  return made;
}

inline void fill_checksum(std::vector<std::uint8_t>& transport, std::size_t field, const Endpoint& from,
                          const Endpoint& to, IpProtocol protocol) {
  wire::ChecksumSum sum;
  if (protocol != IpProtocol::kIcmp)
    sum = wire::pseudo_header_sum(from.address, to.address, protocol,
                                  static_cast<std::uint32_t>(transport.size()));
  sum.add(transport);
  wire::Writer(MutableBytes(transport).subspan(field)).u16(sum.checksum());
}

inline MadePacket tcp(const Segment& segment) {
  wire::TcpHeader header;
  header.source_port = segment.from.port;
  header.destination_port = segment.to.port;
  header.sequence = SeqNum(segment.sequence);
  header.acknowledgment = SeqNum(segment.acknowledgment);
  header.window = 1000;
  header.options.maximum_segment_size = segment.mss;
  const auto has = [&](char flag) { return segment.flags.find(flag) != std::string_view::npos; };
  header.flags.syn = has('S');
  header.flags.fin = has('F');
  header.flags.rst = has('R');
  header.flags.psh = has('P');
  header.flags.ack = has('.');
  std::vector<std::uint8_t> transport(header.size());
  wire::Writer writer(transport);
  header.write(writer);
  transport.insert(transport.end(), segment.payload.begin(), segment.payload.end());
  fill_checksum(transport, 16, segment.from, segment.to, IpProtocol::kTcp);
  return ip_around(segment.from, segment.to, IpProtocol::kTcp, transport, segment);
}

inline MadePacket udp(const Segment& datagram) {
  wire::UdpHeader header;
  header.source_port = datagram.from.port;
  header.destination_port = datagram.to.port;
  header.length = static_cast<std::uint16_t>(8 + datagram.payload.size());
  std::vector<std::uint8_t> transport(8);
  wire::Writer writer(transport);
  header.write(writer);
  transport.insert(transport.end(), datagram.payload.begin(), datagram.payload.end());
  fill_checksum(transport, 6, datagram.from, datagram.to, IpProtocol::kUdp);
  return ip_around(datagram.from, datagram.to, IpProtocol::kUdp, transport, datagram);
}

}  // namespace transom::drivers::test
