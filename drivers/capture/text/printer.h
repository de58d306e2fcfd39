// Prints one packet. A member function for each protocol; they are in the files *_text.cpp.
#pragma once

#include <fmt/format.h>

#include <string>

#include "drivers/capture/text/packet_text.h"
#include "stack/wire/checksum.h"
#include "stack/wire/cursor.h"

namespace transom::drivers {

// What is left of a packet: the octets that were captured, and how many there were on the wire.
struct Part {
  Bytes octets;
  std::uint32_t length = 0;

  // Without the first `count` octets, and without what lies behind the first `limit`.
  Part behind(std::size_t count) const {
    const auto skipped = static_cast<std::uint32_t>(std::min<std::size_t>(count, length));
    return {octets.subspan(std::min(count, octets.size())), length - skipped};
  }
  Part first(std::uint32_t limit) const {
    return {octets.first(std::min<std::size_t>(octets.size(), limit)), std::min(length, limit)};
  }
};

class Printer {
 public:
  Printer(const PacketTextStyle& style, SequenceBases& bases) : style_(style), bases_(bases) {}

  void packet(const CapturedPacket& packet);
  std::string take() { return std::move(out_); }

 private:
  // What the transport protocols need to know of the packet around them.
  struct Around {
    IpAddress source, destination;
    bool is_fragment = false;
    bool shows_addresses = true;  // not behind an extension header, where they stand already
  };

  template <typename... Arguments>
  void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    out_ +=
        fmt::vformat(format, fmt::make_format_args(arguments...));  // which is compiled in the library, once
  }
  void truncated(std::string_view protocol) { print(" [|{}]", protocol); }
  bool is_verbose() const { return style_.verbosity > 0; }

  // link_text.cpp
  void ethernet(const CapturedPacket& packet);
  void cooked_1(const CapturedPacket& packet);
  void cooked_2(const CapturedPacket& packet);
  void loopback(const CapturedPacket& packet);
  void ether_type(std::uint16_t type, Part part, bool is_link_shown);
  void arp(Part part);
  void unknown(Part part);

  // ip_text.cpp
  void ip(Part part);
  void ipv4(Part part);
  void ipv6(Part part);
  void ipv4_verbose(Part part, std::size_t header);
  bool extension_header(IpProtocol& next, Part& part, Around& around);
  void ipv6_options(Bytes options);
  void routing_header(Bytes body, std::size_t length, Around& around);
  bool ipv6_fragment(IpProtocol& next, Part& part, Around& around);
  void transport(IpProtocol protocol, Part part, const Around& around);

  // tcp_text.cpp
  void tcp(Part part, const Around& around);
  bool tcp_options(Bytes options, std::uint32_t peer_base);
  void udp(Part part, const Around& around);
  void endpoints(const Around& around, std::uint16_t from, std::uint16_t to);

  // icmp_text.cpp
  void icmp(Part part, const Around& around);
  void icmp_unreachable(std::uint8_t code, Part part);
  void icmpv6(Part part, const Around& around);
  void icmpv6_unreachable(std::uint8_t code, Part quoted);
  void neighbour_options(Bytes options);
  void router_advertisement(Bytes octets);

  // group_text.cpp
  void igmp(Part part);
  void group_records(Bytes octets, std::size_t address_size);

  // dns_text.cpp
  void dns(Part part);
  bool dns_record(wire::Reader& reader, Bytes message);

  // The value that the checksum field at `field` would have to have; nullopt when it has it, or when that
  // cannot be said.
  static std::optional<std::uint16_t> wanted_checksum(Part part, std::size_t field,
                                                      const std::optional<wire::ChecksumSum>& pseudo_header);

  const PacketTextStyle& style_;
  SequenceBases& bases_;
  std::string out_;
  unsigned depth_ = 0;  // of packets that quote packets
};

}  // namespace transom::drivers
