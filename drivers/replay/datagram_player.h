// The applications of recorded UDP datagrams and ICMP echoes, on a stack of ours: sockets on the ports that
// the recorded end used, which send what it sent, and read. Replies to echoes and errors about closed ports
// are the stack's own.
#pragma once

#include <map>
#include <memory>

#include "drivers/replay/cast.h"
#include "stack/host.h"

namespace transom::drivers::replay {

class DatagramPlayer {
 public:
  explicit DatagramPlayer(Host& host) : host_(host) {}

  // --- within Host::enter() and leave()
  // Binds the ports that the recorded ends of ours had open.
  void open(const Scene& scene, const Cast& cast);
  // An end of ours sent this.
  void on_recorded(const CapturedPacket& packet, const PacketView& view);
  void read();

  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }  // datagrams and echo replies
  std::uint64_t refused() const { return refused_; }    // by the stack's own send

 private:
  // A datagram that was sent in fragments, until all have been seen.
  struct Fragments {
    std::map<std::uint16_t, std::vector<std::uint8_t>> pieces;  // by offset
    std::optional<std::size_t> length;
    PacketView first;
    bool has_first = false;
  };
  using FragmentKey = std::tuple<IpAddress, IpAddress, std::uint32_t>;

  void send(const PacketView& view, Bytes transport);
  void send_udp(const PacketView& view, Bytes payload);
  void send_echo(const PacketView& view, Bytes message);

  Host& host_;
  std::map<Endpoint, std::unique_ptr<udp::UdpSocket>> sockets_;
  std::map<std::pair<IpFamily, std::uint16_t>, std::unique_ptr<ip::EchoSocket>> echoes_;
  std::map<FragmentKey, Fragments> fragments_;
  std::uint64_t sent_ = 0, received_ = 0, refused_ = 0;
};

}  // namespace transom::drivers::replay
