// Packets as octets, for the tests of the internet layer and above: made from headers, and taken apart again.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "stack/base/packet.h"
#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

namespace transom::test {

using Octets = std::vector<std::uint8_t>;

inline IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

// `size` octets that differ from each other and by `seed`.
inline Octets pattern(std::size_t size, std::uint8_t seed = 0) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i * 7 + i / 251 + seed);
  return octets;
}

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Octets part(const Octets& octets, std::size_t from, std::size_t count) {
  const auto begin = octets.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

struct Ip4 {
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol = IpProtocol::kUdp;
  std::uint16_t id = 0x1234;
  bool dont_fragment = false;
  bool more = false;
  std::uint16_t offset = 0;
  std::uint8_t ttl = 64;
  std::uint8_t traffic_class = 0;
  Octets options = {};
};

inline Octets ipv4(const Ip4& fields, const Octets& payload) {
  wire::Ipv4Header header;
  header.source = fields.source;
  header.destination = fields.destination;
  header.protocol = fields.protocol;
  header.identification = fields.id;
  header.dont_fragment = fields.dont_fragment;
  header.more_fragments = fields.more;
  header.fragment_offset = fields.offset;
  header.ttl = fields.ttl;
  header.traffic_class = fields.traffic_class;
  header.options = fields.options;
  header.total_length = static_cast<std::uint16_t>(header.size() + payload.size());
  Octets packet(header.size());
  wire::Writer writer(packet);
  header.write(writer);
  return packet + payload;
}

// Puts the right checksum into an IPv4 header that a test has changed.
inline void fix_ipv4_checksum(Octets& packet) {
  const std::size_t size = (packet[0] & 0x0fU) * std::size_t{4};
  packet[10] = packet[11] = 0;
  const std::uint16_t sum = wire::checksum(Bytes(packet).first(std::min(size, packet.size())));
  wire::Writer(MutableBytes(packet).subspan(10, 2)).u16(sum);
}

struct Ip6 {
  IpAddress source;
  IpAddress destination;
  IpProtocol next = IpProtocol::kUdp;
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
};

inline Octets ipv6(const Ip6& fields, const Octets& payload) {
  wire::Ipv6Header header;
  header.source = fields.source;
  header.destination = fields.destination;
  header.next_header = fields.next;
  header.hop_limit = fields.hop_limit;
  header.traffic_class = fields.traffic_class;
  header.payload_length = static_cast<std::uint16_t>(payload.size());
  Octets packet(wire::Ipv6Header::kSize);
  wire::Writer writer(packet);
  header.write(writer);
  return packet + payload;
}

inline Octets fragment_header(IpProtocol next, std::uint16_t offset, bool more, std::uint32_t id) {
  wire::Ipv6FragmentHeader header;
  header.next_header = next;
  header.offset = offset;
  header.more_fragments = more;
  header.identification = id;
  Octets octets(wire::Ipv6FragmentHeader::kSize);
  wire::Writer writer(octets);
  header.write(writer);
  return octets;
}

// A hop-by-hop or destination options header, or any of that shape: `body` is padded with zeros (Pad1) to a
// multiple of 8.
inline Octets extension(IpProtocol next, Octets body) {
  while ((body.size() + 2) % 8 != 0) body.push_back(0);
  return Octets{static_cast<std::uint8_t>(next), static_cast<std::uint8_t>((body.size() + 2) / 8 - 1)} + body;
}

inline Octets udp(const Endpoint& from, const Endpoint& to, const Octets& payload) {
  Octets datagram(wire::UdpHeader::kSize);
  datagram = datagram + payload;
  wire::UdpHeader header{from.port, to.port, static_cast<std::uint16_t>(datagram.size()), 0};
  wire::Writer blank(datagram);
  header.write(blank);
  wire::ChecksumSum sum = wire::pseudo_header_sum(from.address, to.address, IpProtocol::kUdp, header.length);
  sum.add(datagram);
  header.checksum = sum.checksum() == 0 ? 0xffff : sum.checksum();
  wire::Writer writer(datagram);
  header.write(writer);
  return datagram;
}

// An ICMP message, or an ICMPv6 one when the addresses are IPv6.
inline Octets icmp(const IpAddress& source, const IpAddress& destination, std::uint8_t type,
                   std::uint8_t code, std::uint32_t rest, const Octets& data) {
  Octets message(wire::IcmpHeader::kSize);
  wire::Writer writer(message);
  wire::IcmpHeader{type, code, 0, rest}.write(writer);
  message = message + data;
  if (source.is_v4()) {
    wire::write_icmp_checksum(message);
  } else {
    wire::write_icmpv6_checksum(message, source, destination);
  }
  return message;
}

// One packet of either family that carries `payload`.
inline Octets ip_packet(const IpAddress& source, const IpAddress& destination, IpProtocol protocol,
                        const Octets& payload) {
  if (source.is_v4())
    return ipv4({.source = source, .destination = destination, .protocol = protocol}, payload);
  return ipv6({.source = source, .destination = destination, .next = protocol}, payload);
}

// What a packet says, for assertions. IPv6: a fragment header is looked into, no other extension header.
struct Parsed {
  bool ok = false;
  IpAddress source;
  IpAddress destination;
  IpProtocol protocol{};
  std::uint8_t ttl = 0;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::size_t size = 0;
  std::uint32_t id = 0;
  bool dont_fragment = false;
  bool more = false;
  bool has_fragment_header = false;
  std::size_t offset = 0;
  Octets payload;

  bool is_fragment() const { return more || offset != 0; }
};

inline Parsed parse(const Octets& packet) {
  Parsed parsed;
  parsed.size = packet.size();
  if (packet.empty()) return parsed;
  wire::Reader reader(packet);
  if (packet[0] >> 4 == 4) {
    const auto header = wire::Ipv4Header::parse(reader);
    if (!header || header->total_length != packet.size()) return parsed;
    parsed.ok = wire::Ipv4Header::has_valid_checksum(Bytes(packet).first(header->size()));
    parsed.source = header->source;
    parsed.destination = header->destination;
    parsed.protocol = header->protocol;
    parsed.ttl = header->ttl;
    parsed.traffic_class = header->traffic_class;
    parsed.id = header->identification;
    parsed.dont_fragment = header->dont_fragment;
    parsed.more = header->more_fragments;
    parsed.offset = header->fragment_offset;
  } else {
    const auto header = wire::Ipv6Header::parse(reader);
    if (!header || header->payload_length + wire::Ipv6Header::kSize != packet.size()) return parsed;
    parsed.ok = true;
    parsed.source = header->source;
    parsed.destination = header->destination;
    parsed.protocol = header->next_header;
    parsed.ttl = header->hop_limit;
    parsed.traffic_class = header->traffic_class;
    parsed.flow_label = header->flow_label;
    if (header->next_header == IpProtocol::kFragment) {
      const auto fragment = wire::Ipv6FragmentHeader::parse(reader);
      parsed.ok = fragment.has_value();
      if (!fragment) return parsed;
      parsed.has_fragment_header = true;
      parsed.protocol = fragment->next_header;
      parsed.offset = fragment->offset;
      parsed.more = fragment->more_fragments;
      parsed.id = fragment->identification;
    }
  }
  const Bytes rest = reader.rest();
  parsed.payload.assign(rest.begin(), rest.end());
  return parsed;
}

// The ICMP message in a packet; `ok` says that its checksum is right.
struct ParsedIcmp {
  bool ok = false;
  wire::IcmpHeader header;
  Octets data;
};

inline ParsedIcmp parse_icmp(const Parsed& packet) {
  ParsedIcmp parsed;
  const bool is_v4 = packet.source.is_v4();
  if (packet.protocol != (is_v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6)) return parsed;
  wire::Reader reader(packet.payload);
  const auto header = wire::IcmpHeader::parse(reader);
  if (!header) return parsed;
  parsed.header = *header;
  wire::ChecksumSum sum;
  if (!is_v4) {
    sum = wire::pseudo_header_sum(packet.source, packet.destination, packet.protocol,
                                  static_cast<std::uint32_t>(packet.payload.size()));
  }
  sum.add(packet.payload);
  parsed.ok = sum.checksum() == 0;
  const Bytes rest = reader.rest();
  parsed.data.assign(rest.begin(), rest.end());
  return parsed;
}

}  // namespace transom::test
