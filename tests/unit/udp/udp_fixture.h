// UDP on the internet layer of ip_fixture.h.
#pragma once

#include "stack/udp/udp_layer.h"
#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {

constexpr Port kPort{5353};
constexpr Port kPeerPort{40000};

class UdpTest : public IpTest {
 protected:
  using Socket = std::unique_ptr<udp::UdpSocket>;

  Socket open(IpFamily family = IpFamily::kIpv4) { return layer_.open(family); }
  Socket bound(const udp::BindRequest& request) {
    Socket socket = open(request.local.address.family());
    EXPECT_TRUE(socket->bind(request));
    return socket;
  }
  Socket bound_to(const Endpoint& local) { return bound(udp::BindRequest{.local = local}); }

  static Result<std::size_t> send(udp::UdpSocket& socket, const Octets& payload, const udp::SendTo& to = {}) {
    const Bytes piece = payload;
    return socket.send({&piece, 1}, to);
  }
  void receive_datagram(const Endpoint& from, const Endpoint& to, const Octets& payload,
                        link::Interface* on = nullptr) {
    receive(ip_packet(from.address, to.address, IpProtocol::kUdp, udp(from, to, payload)), on);
  }
  // The payloads that wait in a socket, taken out.
  static std::vector<Octets> received(udp::UdpSocket& socket) {
    std::vector<Octets> payloads;
    while (const auto datagram = socket.receive()) {
      Octets octets(datagram->payload.size());
      datagram->payload.copy_out(0, octets);
      payloads.push_back(std::move(octets));
    }
    return payloads;
  }

  udp::UdpLayer layer_{context_, ip_};
};

class UdpFamilyTest : public UdpTest, public ::testing::WithParamInterface<IpFamily> {
 protected:
  IpAddress peer() const { return IpTest::peer(GetParam()); }
  IpAddress self() const { return IpTest::self(GetParam()); }
  IpAddress any() const { return IpAddress::any(GetParam()); }
  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  IpProtocol icmp_protocol() const { return is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6; }
  void receive_icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Octets& quoted) {
    receive(ip_packet(peer(), self(), icmp_protocol(), icmp(peer(), self(), type, code, rest, quoted)));
  }
  void receive_port_unreachable(const Octets& quoted) {
    receive_icmp(is_v4() ? 3 : 1, is_v4() ? 3 : 4, 0, quoted);
  }
};

}  // namespace transom::test
