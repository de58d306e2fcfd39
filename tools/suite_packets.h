// Packets as records that expectations are about. Fields: number, time (seconds since the first), source,
// destination, from and to ("client", "server", where that is clear), protocol ("tcp", "udp", "icmp",
// "icmp6", "igmp", "arp", or its number), ttl, ecn ("ce", "ect0", "ect1", absent: none), df, fragment,
// fragment_offset, checksum ("good", "bad", "unfilled", "unknown", absent: none), cut, comment.
//
// TCP: sport, dport, flags (as tcpdump writes them: "S", "S.", "P.", "F.", "R"), seq and ack (relative to the
// SYN, or to the first of its direction), window, length, urgent, mss, scale, sack_permitted, sack (the
// number of blocks), tsval, tsecr, fast_open (octets of the cookie). UDP: sport, dport, length. ICMP: type,
// code. ARP: operation.
#pragma once

#include <map>
#include <optional>

#include "drivers/capture/packet_view.h"
#include "tools/suite_expectation.h"

namespace transom::tools {

class PacketRecorder {
 public:
  void add(const drivers::CapturedPacket& packet);
  Records take() { return std::move(records_); }
  // The addresses of the two ends; empty where there was no packet.
  const std::string& client() const { return client_; }
  const std::string& server() const { return server_; }

 private:
  // The opener of the first connection, or else the sender of the first packet, is the client.
  void name_ends(nlohmann::json& record, const drivers::PacketView& view);
  void add_tcp(nlohmann::json& record, const drivers::PacketView& view);

  struct Direction {
    std::string source, destination;
    Port source_port{}, destination_port{};
    auto operator<=>(const Direction&) const = default;
  };

  Records records_;
  std::optional<Duration> begin_;
  std::string client_, server_;
  std::map<Direction, SeqNum> first_;  // sequence number of each direction's SYN, or first packet
};

}  // namespace transom::tools
