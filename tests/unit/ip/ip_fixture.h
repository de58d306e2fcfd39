// An internet layer on two point-to-point links (bare packets, nothing to resolve) and a loopback interface,
// in virtual time.
//
//   peer 10.0.0.1, 2001:db8:a::1 ── a: 10.0.0.2/24, 10.0.0.3/24, 2001:db8:a::2/64
//        192.168.5.1             ── b: 192.168.5.2/24, 2001:db8:b::2/64
#pragma once

#include <chrono>
#include <optional>

#include "stack/ip/echo_socket.h"
#include "stack/ip/ip_layer.h"
#include "tests/support/packets.h"

namespace transom::test {

using namespace std::chrono_literals;

// Keeps what a transport was given.
class RecordingTransport final : public ip::Transport {
 public:
  struct Arrival {
    IpAddress source;
    IpAddress destination;
    IpProtocol protocol;
    std::uint8_t ttl;
    std::uint8_t traffic_class;
    bool to_unicast;
    Octets octets;
    Octets headers;  // what stands in front
  };
  struct Error {
    ip::IcmpErrorKind kind;
    std::uint8_t type;
    std::uint8_t code;
    std::uint32_t mtu;
    IpAddress reporter;
    IpAddress source;
    IpAddress destination;
    Octets transport;
  };

  void receive(const ip::Received& received, Packet packet) override {
    Octets octets(packet.size());
    packet.copy_out(0, octets);
    const MutableBytes front = packet.prepend(received.header_size);
    Octets headers(front.begin(), front.end());
    arrivals.push_back({received.source, received.destination, received.protocol, received.ttl,
                        received.traffic_class, received.to_unicast, std::move(octets), std::move(headers)});
    if (answer_with != nullptr) {
      packet.trim_front(received.header_size);
      answer_with->send_port_unreachable(received, packet);
    }
  }
  bool icmp_error(const ip::IcmpError& error) override {
    if (error.kind == ip::IcmpErrorKind::kRedirect) return believes;  // no error, only a question
    errors.push_back({error.kind, error.type, error.code, error.mtu, error.reporter, error.source,
                      error.destination, Octets(error.transport.begin(), error.transport.end())});
    return believes;
  }

  std::vector<Arrival> arrivals;
  std::vector<Error> errors;
  bool believes = true;
  ip::IpLayer* answer_with = nullptr;  // answers everything with port unreachable
};

class IpTest : public ::testing::Test {
 public:
  // The peer on `a`, and us.
  static IpAddress peer(IpFamily family) {
    return family == IpFamily::kIpv4 ? address("10.0.0.1") : address("2001:db8:a::1");
  }
  static IpAddress self(IpFamily family) {
    return family == IpFamily::kIpv4 ? address("10.0.0.2") : address("2001:db8:a::2");
  }

 protected:
  explicit IpTest(const ip::IpConfig& config = {}) : ip_(context_, link_, config) {
    lo_ = &add_interface("lo", link::LinkType::kLoopback, 65535);
    a_ = &add_interface("a", link::LinkType::kPointToPoint, 1500);
    b_ = &add_interface("b", link::LinkType::kPointToPoint, 1500);
    add_address(*lo_, "127.0.0.1/8");
    add_address(*lo_, "::1/128");
    for (const char* text : {"10.0.0.2/24", "10.0.0.3/24", "2001:db8:a::2/64"}) add_address(*a_, text);
    for (const char* text : {"192.168.5.2/24", "2001:db8:b::2/64"}) add_address(*b_, text);
    ip_.register_transport(IpProtocol::kUdp, udp_);
    ip_.register_transport(IpProtocol::kTcp, tcp_);
  }
  ~IpTest() override {
    for (const auto& interface : link_.interfaces()) interface->transmit_queue().clear();
    advance(10min);  // everything that lives on a timer is gone
    for (const auto& interface : link_.interfaces()) interface->transmit_queue().clear();
    EXPECT_EQ(pool_.in_use(BufferSize::kFrame), 0U);
    EXPECT_EQ(pool_.in_use(BufferSize::kSuperFrame), 0U);
  }

  link::Interface& add_interface(const char* name, link::LinkType type, std::uint32_t mtu) {
    link::InterfaceConfig config;
    config.name = name;
    config.type = type;
    config.mtu = mtu;
    config.conflict_detection.enabled = false;
    config.link_local = false;
    config.transmit_limit = 100000;
    return link_.add_interface(config);
  }
  void add_address(link::Interface& interface, const char* text) {
    ASSERT_TRUE(link_.add_address(interface, *IpPrefix::parse(text)));
  }

  void advance(Duration duration) {
    context_.now += duration;
    context_.timers.advance(context_.now);
  }

  void receive(const Octets& packet, link::Interface* on = nullptr, PacketInfo info = {}) {
    Packet buffer = pool_.copy_of(packet);
    ASSERT_TRUE(buffer);
    buffer.info() = info;
    ip_.receive(on != nullptr ? *on : *a_, std::move(buffer));
  }

  // What has been handed to an interface since the last call.
  std::vector<Octets> sent(link::Interface* on = nullptr) {
    std::vector<Octets> packets;
    while (Packet packet = (on != nullptr ? on : a_)->transmit_queue().pop()) {
      Octets octets(packet.size());
      packet.copy_out(0, octets);
      packets.push_back(std::move(octets));
    }
    return packets;
  }
  // The one packet that must have been sent.
  Parsed sent_one(link::Interface* on = nullptr) {
    const auto packets = sent(on);
    EXPECT_EQ(packets.size(), 1U);
    if (packets.empty()) return {};
    const Parsed parsed = parse(packets.front());
    EXPECT_TRUE(parsed.ok);
    return parsed;
  }
  // Lets what was sent to ourselves come in.
  void loop_back() {
    while (Packet packet = lo_->transmit_queue().pop()) ip_.receive(*lo_, std::move(packet));
  }
  bool nothing_sent() { return sent(a_).empty() && sent(b_).empty() && sent(lo_).empty(); }

  Result<void> send(const IpAddress& to, const Octets& payload, const ip::SendOptions& options = {},
                    IpProtocol protocol = IpProtocol::kUdp, std::optional<IpAddress> from = std::nullopt) {
    const auto destination = ip_.destination(to);
    if (!destination) return std::unexpected(destination.error());
    Packet packet = pool_.copy_of(payload);
    return ip_.send(**destination, from.value_or((*destination)->source), protocol, std::move(packet),
                    options);
  }

  std::uint64_t count(Counter counter) const { return context_.counters[counter]; }
  std::uint64_t drops(DropReason reason) const { return context_.drops[static_cast<std::size_t>(reason)]; }

  BufferPool pool_;
  Context context_{pool_, seed_from_number(7), Instant{} + 1h};
  link::LinkLayer link_{context_, {}};
  RecordingTransport udp_;
  RecordingTransport tcp_;
  ip::IpLayer ip_;
  link::Interface* lo_ = nullptr;
  link::Interface* a_ = nullptr;
  link::Interface* b_ = nullptr;
};

// The same for both families.
class IpFamilyTest : public IpTest, public ::testing::WithParamInterface<IpFamily> {
 protected:
  IpAddress peer() const { return IpTest::peer(GetParam()); }
  IpAddress self() const { return IpTest::self(GetParam()); }
  bool is_v4() const { return GetParam() == IpFamily::kIpv4; }
  std::size_t header_size() const { return is_v4() ? 20 : 40; }
};

inline std::string family_name(const ::testing::TestParamInfo<IpFamily>& info) {
  return info.param == IpFamily::kIpv4 ? "Ipv4" : "Ipv6";
}

}  // namespace transom::test
