// Frames for the tests of the drivers.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "stack/base/packet.h"
#include "stack/wire/checksum.h"
#include "stack/wire/cursor.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers::test {

inline const IpAddress kSourceV4 = IpAddress::v4(10, 0, 0, 1);
inline const IpAddress kDestinationV4 = IpAddress::v4(10, 0, 0, 2);
inline const IpAddress kSourceV6 = *IpAddress::parse("2001:db8::1");
inline const IpAddress kDestinationV6 = *IpAddress::parse("2001:db8::2");

inline constexpr std::size_t kTcpHeaderSize = 20;

struct TcpFrameOptions {
  IpFamily family = IpFamily::kIpv4;
  bool ethernet = true;
  bool tagged = false;
  std::size_t payload = 100;
  std::uint16_t segment_size = 0;
  bool partial_checksum = false;
  std::uint8_t flags = 0x10;  // ACK
};

inline std::uint8_t payload_octet(std::size_t index) {
  return static_cast<std::uint8_t>(index * 7 + index / 256);
}

inline IpAddress source_of(IpFamily family) { return family == IpFamily::kIpv4 ? kSourceV4 : kSourceV6; }
inline IpAddress destination_of(IpFamily family) {
  return family == IpFamily::kIpv4 ? kDestinationV4 : kDestinationV6;
}

// In front of all that the packet holds.
inline void prepend_ip_header(Packet& packet, IpFamily family, IpProtocol protocol,
                              std::uint16_t identification = 0) {
  const std::size_t payload = packet.size();
  if (family == IpFamily::kIpv4) {
    wire::Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(header.size() + payload);
    header.identification = identification;
    header.protocol = protocol;
    header.source = kSourceV4;
    header.destination = kDestinationV4;
    wire::Writer writer(packet.prepend(header.size()));
    header.write(writer);
  } else {
    wire::Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(payload);
    header.next_header = protocol;
    header.source = kSourceV6;
    header.destination = kDestinationV6;
    wire::Writer writer(packet.prepend(wire::Ipv6Header::kSize));
    header.write(writer);
  }
}

inline void prepend_ethernet_header(Packet& packet, IpFamily family, bool tagged) {
  wire::EthernetHeader header;
  header.destination = MacAddress({2, 0, 0, 0, 0, 2});
  header.source = MacAddress({2, 0, 0, 0, 0, 1});
  if (tagged) header.tag = wire::VlanTag{.id = 7};
  header.type = family == IpFamily::kIpv4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6;
  wire::Writer writer(packet.prepend(header.size()));
  header.write(writer);
}

// A TCP segment; the payload is in the tail as far as it does not fit behind the headers.
inline Packet tcp_frame(BufferPool& pool, const TcpFrameOptions& options) {
  std::vector<std::uint8_t> payload(options.payload);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = payload_octet(i);

  Packet packet = pool.allocate();
  const std::size_t transport_size = kTcpHeaderSize + payload.size();
  wire::Writer tcp(packet.append(kTcpHeaderSize));
  tcp.u16(1234);
  tcp.u16(80);
  tcp.u32(1000);
  tcp.u32(2000);
  tcp.u8(5 << 4);
  tcp.u8(options.flags);
  tcp.u16(500);
  wire::ChecksumSum sum =
      wire::pseudo_header_sum(source_of(options.family), destination_of(options.family), IpProtocol::kTcp,
                              static_cast<std::uint32_t>(transport_size));
  const std::uint16_t partial = sum.fold();
  sum.add(packet.head().first(16));
  sum.add(payload);
  tcp.u16(options.partial_checksum ? partial : sum.checksum());
  tcp.u16(0);

  if (payload.size() <= 1400) {
    wire::Writer(packet.append(payload.size())).bytes(payload);
  } else {
    Slice slice = pool.allocate_slice(BufferSize::kSuperFrame);
    EXPECT_EQ(slice.append(payload), payload.size());
    packet.append_slice(std::move(slice));
  }
  prepend_ip_header(packet, options.family, IpProtocol::kTcp);
  if (options.ethernet) prepend_ethernet_header(packet, options.family, options.tagged);
  packet.info().segment_size = options.segment_size;
  if (options.partial_checksum) {
    packet.info().checksum = ChecksumState::kPartial;
    packet.info().checksum_field = 16;
  }
  return packet;
}

inline std::vector<std::uint8_t> octets_of(const Packet& packet) {
  std::vector<std::uint8_t> octets(packet.size());
  EXPECT_TRUE(packet.copy_out(0, octets));
  return octets;
}

// Whether the TCP checksum of a whole frame is right, and for IPv4 the header's too.
inline bool has_good_checksums(const Packet& frame, std::size_t ip_offset) {
  const std::vector<std::uint8_t> octets = octets_of(frame);
  const Bytes ip = Bytes(octets).subspan(ip_offset);
  wire::Reader reader(ip);
  if (ip[0] >> 4 == 4) {
    const auto header = wire::Ipv4Header::parse(reader);
    if (!header || !wire::Ipv4Header::has_valid_checksum(ip.first(header->size()))) return false;
    wire::ChecksumSum sum = wire::pseudo_header_sum(header->source, header->destination, header->protocol,
                                                    static_cast<std::uint32_t>(header->payload_size()));
    sum.add(ip.subspan(header->size(), header->payload_size()));
    return sum.checksum() == 0;
  }
  const auto header = wire::Ipv6Header::parse(reader);
  if (!header) return false;
  wire::ChecksumSum sum = wire::pseudo_header_sum(header->source, header->destination, header->next_header,
                                                  header->payload_length);
  sum.add(ip.subspan(wire::Ipv6Header::kSize, header->payload_length));
  return sum.checksum() == 0;
}

}  // namespace transom::drivers::test
