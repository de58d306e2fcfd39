// A whole Host on an Ethernet in virtual time, of which the test plays all the other stations: it writes each
// frame that arrives and looks at each one that leaves.
//
//   10.0.0.1, 2001:db8:a::1 ┐
//   other hosts             ┼── us: 02:11:22:33:44:55, 10.0.0.2/24, 10.0.0.3/24, 2001:db8:a::2/64
//   routers 10.0.0.254, fe80::fe and 10.0.0.253, fe80::fd
//
// The first router is the default gateway. The link addresses
// of all stations follow from their IP addresses (mac_of). The Host knows those above from the start, and
// reports no groups unless asked to, so that a test sees no ARP, NDP and MLD that it is not about.
#pragma once

#include <chrono>
#include <optional>

#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

#include "stack/wire/arp.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ndp.h"
#include "tests/support/packets.h"

namespace transom::test {

using namespace std::chrono_literals;

inline constexpr MacAddress kHostMac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
MacAddress mac_of(const IpAddress& station);
// Of at least 60 octets; the padding is not zero.
Octets ethernet_frame(const MacAddress& destination, const MacAddress& source, wire::EtherType type,
                      const Octets& payload);

// A frame that the Host has sent.
struct SentFrame {
  Instant time;
  wire::EthernetHeader ethernet;
  Octets payload;  // with padding

  bool is(wire::EtherType type) const { return ethernet.type == type; }
  Parsed ip() const;  // padding taken off
};

// How a frame is addressed; unset: to us, from the station whose IP address the packet names.
struct FrameAddresses {
  std::optional<MacAddress> destination = std::nullopt;
  std::optional<MacAddress> source = std::nullopt;
};

class HostOnEthernet : public ::testing::Test {
 public:
  static IpAddress self(IpFamily family) { return address(is_v4(family) ? "10.0.0.2" : "2001:db8:a::2"); }
  static IpAddress peer(IpFamily family) { return address(is_v4(family) ? "10.0.0.1" : "2001:db8:a::1"); }
  static IpAddress router(IpFamily family) { return address(is_v4(family) ? "10.0.0.254" : "fe80::fe"); }
  static IpAddress other_router(IpFamily family) {
    return address(is_v4(family) ? "10.0.0.253" : "fe80::fd");
  }
  // Hosts behind the router.
  static IpAddress remote(IpFamily family, int number = 1);
  static bool is_v4(IpFamily family) { return family == IpFamily::kIpv4; }

 protected:
  explicit HostOnEthernet(HostConfig config = {}, const link::ConflictDetection& detection = off(),
                          bool reports_groups = false);
  ~HostOnEthernet() override;
  static link::ConflictDetection off() {
    link::ConflictDetection detection;
    detection.enabled = false;
    return detection;
  }

  // Runs all timers up to now + duration, each at its own instant.
  void advance(Duration duration);
  // Socket calls between enter and leave.
  template <typename Call>
  decltype(auto) with(Call call) {
    struct Visit {
      explicit Visit(HostOnEthernet& world) : host(world.host_) { host.enter(world.now_); }
      ~Visit() { host.leave(); }
      Host& host;
    } visit(*this);
    return call();
  }

  void receive_frame(const Octets& frame);
  void receive_frame(const MacAddress& destination, const MacAddress& source, wire::EtherType type,
                     const Octets& payload);
  // A bare IP packet, in a frame of its own.
  void receive(const Octets& packet, const FrameAddresses& addressing = {});
  void receive_udp(const Endpoint& from, const Endpoint& to, const Octets& payload,
                   const FrameAddresses& addressing = {});
  void receive_icmp(const IpAddress& from, const IpAddress& to, std::uint8_t type, std::uint8_t code,
                    std::uint32_t rest, const Octets& data, std::uint8_t hop_limit = 255);

  // What has been sent since the last call.
  std::vector<SentFrame> sent();
  // The one IP packet that must have been sent.
  Parsed sent_one();
  bool nothing_sent();

  using UdpSocket = std::unique_ptr<udp::UdpSocket>;
  UdpSocket open_udp(const Endpoint& local, const std::optional<Endpoint>& remote = std::nullopt);
  Result<std::size_t> send(udp::UdpSocket& socket, const Octets& payload, const udp::SendTo& to = {});
  std::vector<Octets> received(udp::UdpSocket& socket);

  std::uint64_t count(Counter counter) const { return host_.counters()[counter]; }
  std::uint64_t drops(DropReason reason) { return host_.context().drops[static_cast<std::size_t>(reason)]; }
  link::Interface& interface() { return *host_.link().interface(eth_); }
  std::optional<link::NeighbourInfo> neighbour(const IpAddress& address);
  // Teaches the Host the link address of a station.
  void know(const IpAddress& station);

  BufferPool pool_;
  Instant now_;
  Host host_;
  InterfaceId eth_{2};
};

// The same for both families.
class HostOnEthernetOfFamily : public HostOnEthernet, public ::testing::WithParamInterface<IpFamily> {
 protected:
  using HostOnEthernet::HostOnEthernet;
  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  IpAddress self() const { return HostOnEthernet::self(GetParam()); }
  IpAddress peer() const { return HostOnEthernet::peer(GetParam()); }
  IpAddress router() const { return HostOnEthernet::router(GetParam()); }
  IpAddress other_router() const { return HostOnEthernet::other_router(GetParam()); }
  IpAddress remote(int number = 1) const { return HostOnEthernet::remote(GetParam(), number); }
  IpProtocol icmp_protocol() const { return is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6; }
  std::size_t header_size() const { return is_v4() ? 20 : 40; }
};

std::string family_of_test(const ::testing::TestParamInfo<IpFamily>& info);

// A TCP connection of another station to a port of the Host: whatever an attacker does meanwhile, its octets
// get through.
class Bystander {
 public:
  // Connects to `port`, on which nothing may listen yet.
  Bystander(Host& host, InterfaceId link, BufferPool& pool, Instant now, Port port = Port{80});
  // Sends octets to the Host and says whether they were acknowledged and could be read. Frames to others that
  // wait are lost.
  bool is_served(Instant now);

 private:
  struct Fields {
    wire::TcpFlags flags;
    Octets payload = {};
  };
  void send(const Fields& fields, Instant now);
  std::optional<wire::TcpHeader> answer();

  Host& host_;
  InterfaceId link_;
  BufferPool& pool_;
  Endpoint local_;
  Endpoint remote_;
  std::uint32_t next_ = 7000;
  std::uint32_t expected_ = 0;
  tcp::Connection* connection_ = nullptr;
};

}  // namespace transom::test
