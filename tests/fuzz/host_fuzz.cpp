// Feeds frames, time steps and socket calls to a whole Host. The input is a list of actions; frames are raw
// octets, or segments and datagrams whose addresses, checksums and sequence numbers are right, so that the
// fuzzer reaches the states behind the first checks.
#include <cstdlib>
#include <vector>

#include "stack/host.h"
#include "stack/ip/groups.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp.h"
#include "stack/wire/udp.h"

namespace transom {
namespace {

constexpr IpAddress kHost = IpAddress::v4(10, 0, 0, 1);
constexpr IpAddress kPeer = IpAddress::v4(10, 0, 0, 2);
constexpr MacAddress kHostMac({2, 0, 0, 0, 0, 1});
constexpr MacAddress kPeerMac({2, 0, 0, 0, 0, 2});

class World {
 public:
  World() : host_(pool_, {.seed = seed_from_number(1), .start = now_, .link = {}, .ip = {}, .tcp = {}}) {
    link::InterfaceConfig config;
    config.name = "eth0";
    config.mac = kHostMac;
    config.conflict_detection.enabled = false;
    wire_ = host_.add_interface(config);
    (void)host_.add_address(wire_, {kHost, 24});
    (void)host_.link().set_permanent(*host_.link().interface(wire_), kPeer, kPeerMac);
    host_.enter(now_);
    auto hold = host_.tcp().bind({.local = {IpAddress::v4(0), Port{80}}});
    listener_ = *host_.tcp().listen(*hold, 8, {});
    udp_ = host_.udp().open(IpFamily::kIpv4);
    (void)udp_->bind({.local = {IpAddress::v4(0), Port{53}}});
    // What others say may configure it, and ask it for its groups.
    (void)host_.autoconfigure(wire_);
    (void)host_.start_dhcp(wire_);
    (void)groups_.join(wire_, IpAddress::v4(239, 1, 2, 3));
    (void)groups_.join_source(wire_, *IpAddress::parse("ff15::1"), *IpAddress::parse("2001:db8::1"));
    tcp::PortHold none;
    connections_.push_back(*host_.tcp().connect(none, {kPeer, Port{7}}, {}));
    host_.leave();
    look_at_output();
  }

  ~World() {
    // Every byte of memory comes back once the sockets are closed and the timers have run out.
    host_.enter(now_);
    for (tcp::Connection* connection : connections_) connection->abort();
    listener_->close();
    host_.leave();
    udp_.reset();
    for (int i = 0; i < 200; ++i) step(std::chrono::seconds(1));
    drain();
  }

  void raw_frame(Bytes octets) { deliver(octets); }

  void segment(wire::Reader& input) {
    wire::TcpHeader header;
    const std::uint8_t choice = input.u8();
    const bool to_listener = (choice & 1) != 0;
    header.source_port = to_listener ? Port{static_cast<std::uint16_t>(4000 + (choice >> 1) % 4)} : Port{7};
    header.destination_port = to_listener ? Port{80} : client_port_;
    const std::uint8_t flags = input.u8();
    header.flags = {.fin = (flags & 1) != 0,
                    .syn = (flags & 2) != 0,
                    .rst = (flags & 4) != 0,
                    .psh = (flags & 8) != 0,
                    .ack = (flags & 16) != 0,
                    .urg = (flags & 32) != 0,
                    .ece = (flags & 64) != 0,
                    .cwr = (flags & 128) != 0};
    const auto offset = static_cast<std::int16_t>(input.u16());
    header.sequence = peer_next_ + static_cast<std::uint32_t>(std::int32_t{offset});
    header.acknowledgment =
        host_next_ + static_cast<std::uint32_t>(std::int32_t{static_cast<std::int8_t>(input.u8())});
    header.window = input.u16();
    header.urgent_pointer = input.u8();
    const std::size_t option_size = std::size_t{input.u8()} % 11 * 4;
    const Bytes options = input.bytes(std::min(option_size, input.remaining()));
    const Bytes payload = input.bytes(std::min<std::size_t>(input.u8(), input.remaining()));
    std::vector<std::uint8_t> octets(wire::TcpHeader::kMinSize + (options.size() + 3) / 4 * 4 +
                                     payload.size());
    wire::Writer writer(octets);
    header.write(writer);
    octets[12] =
        static_cast<std::uint8_t>((wire::TcpHeader::kMinSize + (options.size() + 3) / 4 * 4) / 4 << 4);
    std::copy(options.begin(), options.end(), octets.begin() + wire::TcpHeader::kMinSize);
    std::copy(payload.begin(), payload.end(), octets.end() - static_cast<std::ptrdiff_t>(payload.size()));
    auto sum =
        wire::pseudo_header_sum(kPeer, kHost, IpProtocol::kTcp, static_cast<std::uint32_t>(octets.size()));
    sum.add(octets);
    const std::uint16_t checksum = sum.checksum();
    octets[16] = static_cast<std::uint8_t>(checksum >> 8);
    octets[17] = static_cast<std::uint8_t>(checksum);
    if (offset == 0)
      peer_next_ += static_cast<std::uint32_t>(payload.size() + (header.flags.syn ? 1U : 0U) +
                                               (header.flags.fin ? 1U : 0U));
    packet(IpProtocol::kTcp, octets);
  }

  void packet(IpProtocol protocol, Bytes payload) {
    std::vector<std::uint8_t> octets(wire::EthernetHeader::kSize + wire::Ipv4Header::kMinSize +
                                     payload.size());
    wire::Writer writer(octets);
    wire::EthernetHeader ethernet;
    ethernet.destination = kHostMac;
    ethernet.source = kPeerMac;
    ethernet.type = wire::EtherType::kIpv4;
    ethernet.write(writer);
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(wire::Ipv4Header::kMinSize + payload.size());
    ip.protocol = protocol;
    ip.source = kPeer;
    ip.destination = kHost;
    ip.write(writer);
    writer.bytes(payload);
    deliver(octets);
  }

  void step(Duration duration) {
    now_ += duration;
    for (int i = 0; i < 1000 && host_.next_deadline() <= now_; ++i) host_.advance(now_);
    look_at_output();
  }

  void call_sockets(std::uint8_t choice) {
    std::array<std::uint8_t, 512> buffer{};
    host_.enter(now_);
    while (auto accepted = listener_->accept()) connections_.push_back(*accepted);
    if (!connections_.empty()) {
      tcp::Connection& connection = *connections_[choice % connections_.size()];
      const Bytes bytes(buffer);
      switch (choice >> 4) {
        case 0:
        case 1:
        case 2:
          (void)connection.receive(buffer);
          break;
        case 3:
        case 4:
          (void)connection.send({&bytes, 1});
          break;
        case 5:
          (void)connection.send({&bytes, 1}, {.urgent = true});
          break;
        case 6:
          connection.shutdown_send();
          break;
        case 7:
          (void)connection.receive_urgent();
          break;
        case 8:
          connection.shutdown_receive();
          break;
        case 9:
          connection.close();
          std::erase(connections_, &connection);
          break;
        default:
          (void)connection.info();
          break;
      }
    }
    (void)udp_->receive();
    host_.leave();
    look_at_output();
  }

 private:
  void deliver(Bytes octets) {
    Packet frame = pool_.copy_of(octets);
    if (frame) host_.receive(wire_, std::move(frame), now_);
    look_at_output();
  }

  // Learns the host's sequence numbers from what it sends, as a peer would.
  void look_at_output() {
    while (Packet frame = host_.transmit_queue(wire_).pop()) {
      std::vector<std::uint8_t> octets(frame.size());
      frame.copy_out(0, octets);
      wire::Reader reader(octets);
      const auto ethernet = wire::EthernetHeader::parse(reader);
      if (!ethernet) std::abort();
      if (ethernet->type != wire::EtherType::kIpv4) continue;
      const auto ip = wire::Ipv4Header::parse(reader);
      if (!ip || !wire::Ipv4Header::has_valid_checksum(
                     Bytes(octets).subspan(wire::EthernetHeader::kSize, ip->size())))
        std::abort();
      if (ip->protocol != IpProtocol::kTcp) continue;
      const auto tcp = wire::TcpHeader::parse(reader);
      if (!tcp) std::abort();  // what we send always parses
      host_next_ = tcp->sequence + (tcp->flags.syn || tcp->flags.fin ? 1U : 0U);
      if (tcp->flags.syn && !tcp->flags.ack) client_port_ = tcp->source_port;
      if (tcp->flags.ack && !tcp->flags.rst) peer_next_ = tcp->acknowledgment;
    }
  }
  void drain() {
    while (host_.transmit_queue(wire_).pop()) {
    }
  }

  BufferPool pool_;
  Instant now_ = Instant(std::chrono::seconds(10));
  Host host_;
  InterfaceId wire_{};
  tcp::Listener* listener_ = nullptr;
  std::unique_ptr<udp::UdpSocket> udp_;
  ip::GroupMember groups_{host_.ip().groups()};
  std::vector<tcp::Connection*> connections_;
  SeqNum peer_next_{1000};
  SeqNum host_next_;
  Port client_port_{};
};

}  // namespace
}  // namespace transom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace transom;
  World world;
  wire::Reader input({data, size});
  for (int actions = 0; actions < 200 && input.remaining() > 0; ++actions) {
    const std::uint8_t action = input.u8();
    switch (action % 8) {
      case 0:
        world.raw_frame(input.bytes(std::min<std::size_t>(input.u8() * std::size_t{6}, input.remaining())));
        break;
      case 1:
      case 2:
      case 3:
        world.segment(input);
        break;
      case 4: {
        const auto protocol = static_cast<IpProtocol>(input.u8());
        world.packet(protocol, input.bytes(std::min<std::size_t>(input.u8(), input.remaining())));
        break;
      }
      case 5:
        world.step(std::chrono::milliseconds(1U << (input.u8() % 20)));
        break;
      default:
        world.call_sockets(input.u8());
        break;
    }
  }
  return 0;
}
