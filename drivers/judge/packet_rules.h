// Rules about packets that belong to no connection: IP, fragments, UDP and ICMP.
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "drivers/capture/packet_view.h"
#include "drivers/capture/position_ranges.h"
#include "drivers/judge/rules.h"

namespace transom::drivers::judge {

class PacketRules {
 public:
  struct Hooks {
    // About the sender of the packet.
    std::function<void(const Rule&, Verdict, const CapturedPacket&, const PacketView&, std::string)> found;
    // An ICMP error about a TCP segment that `from` sent to `to`. `is_hard`: it asks to give up.
    std::function<void(const CapturedPacket&, const Endpoint& from, const Endpoint& to, SeqNum, bool is_hard)>
        icmp_error;
  };
  explicit PacketRules(Hooks hooks) : hooks_(std::move(hooks)) {}

  void judge(const CapturedPacket& packet, const PacketView& view);

 private:
  void judge_header(const CapturedPacket& packet, const PacketView& view);
  void judge_fragment(const CapturedPacket& packet, const PacketView& view);
  void judge_tcp_form(const CapturedPacket& packet, const PacketView& view);
  void judge_udp(const CapturedPacket& packet, const PacketView& view);
  void judge_icmp(const CapturedPacket& packet, const PacketView& view);
  void judge_icmp_error(const CapturedPacket& packet, const PacketView& view, Bytes quote);
  void judge_mtu(const CapturedPacket& packet, const PacketView& view, std::uint32_t mtu);
  void judge_echo(const CapturedPacket& packet, const PacketView& view, std::uint8_t type,
                  std::uint32_t rest);
  void judge_isn(const CapturedPacket& packet, const PacketView& view);

  struct Datagram {  // that comes in fragments
    IpAddress source, destination;
    std::uint32_t identification = 0;
    IpProtocol protocol{};
    auto operator<=>(const Datagram&) const = default;
  };
  struct Fragments {
    std::vector<PositionRange> seen;
    std::optional<Position> end;
    Duration time{};
  };
  static constexpr std::size_t kMaxDatagrams = 256, kMaxFragments = 128;
  std::map<Datagram, Fragments> datagrams_;
  std::deque<Datagram> order_;

  struct Echo {
    IpAddress source, destination;
    std::uint32_t rest = 0;
    std::uint64_t hash = 0;
    std::uint32_t length = 0;
  };
  static constexpr std::size_t kMaxEchoes = 256;
  std::deque<Echo> echoes_;

  struct InitialNumber {
    IpAddress source;
    SeqNum number;
    std::vector<std::pair<Port, Endpoint>> connections;
  };
  static constexpr std::size_t kMaxInitialNumbers = 256;
  std::deque<InitialNumber> initial_numbers_;

  Hooks hooks_;
};

}  // namespace transom::drivers::judge
