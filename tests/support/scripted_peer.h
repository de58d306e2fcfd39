// A Host under test in virtual time, and a peer whose every segment is written by the test.
//
//   HostUnderTest world;                            // 10.0.0.1 (host) on a point-to-point link
//   ScriptedPeer peer(world, 4000, 80);             // 10.0.0.2:4000 talks to 10.0.0.1:80
//   peer.send({.flags = "S", .sequence = 1000, .options = {.maximum_segment_size = 1460}});
//   const auto answer = peer.expect("SA");
//
// Every segment both ways is kept as a line of a transcript, which is printed when a test fails.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"
#include "stack/wire/tcp.h"

namespace transom::test {

class HostUnderTest {
 public:
  explicit HostUnderTest(HostConfig config = {}, std::uint32_t mtu = 1500);
  ~HostUnderTest();

  static constexpr IpAddress kHost = IpAddress::v4(10, 0, 0, 1);
  static constexpr IpAddress kPeer = IpAddress::v4(10, 0, 0, 2);
  static const IpAddress kHost6;
  static const IpAddress kPeer6;

  Host& host() { return host_; }
  BufferPool& pool() { return pool_; }
  InterfaceId link() const { return link_; }
  Instant now() const { return now_; }

  // Runs all timers up to now + duration, each at its own instant.
  void advance(Duration duration);
  // Socket calls between enter and leave.
  template <typename Call>
  decltype(auto) with(Call call) {
    struct Visit {
      explicit Visit(HostUnderTest& world) : host(world.host_) { host.enter(world.now_); }
      ~Visit() { host.leave(); }
      Host& host;
    } visit(*this);
    return call();
  }
  // A bare IP packet arrives.
  void deliver(Bytes packet);
  // All that is delivered meanwhile arrives at once, as a driver hands over a batch.
  template <typename Call>
  void batch(Call call) {
    is_batch_ = true;
    call();
    is_batch_ = false;
    host_.receive(link_, batch_, now_);
  }
  // The next IP packet that the host has sent, as octets; empty when there is none.
  std::vector<std::uint8_t> take();

  // A listening socket on a port of the host, any address.
  tcp::Listener& listen(std::uint16_t port, const tcp::Options& options = {}, std::size_t backlog = 16,
                        IpFamily family = IpFamily::kIpv4);

  std::uint64_t counter(Counter counter) { return host_.counters()[counter]; }
  std::uint64_t drops(DropReason reason) { return host_.context().drops[static_cast<std::size_t>(reason)]; }

 private:
  BufferPool pool_;
  Instant now_{};
  Host host_;
  InterfaceId link_;
  PacketQueue batch_;
  bool is_batch_ = false;
};

// A segment as a test writes it.
struct Script {
  std::string_view flags;  // of "SFRPAUECN" (N: accurate ECN); "." is A
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint32_t window = 65535;
  std::string_view payload{};
  wire::TcpOptions options{};
  std::uint16_t urgent_pointer = 0;
  bool corrupt_checksum = false;
  std::uint8_t traffic_class = 0;  // DSCP and ECN
  // Where these are not empty they replace what would be there.
  std::vector<std::uint8_t> raw_options{};  // of TCP, as they are; a multiple of 4 octets
  std::vector<std::uint8_t> ip_options{};   // of IPv4, a multiple of 4 octets
  std::optional<IpAddress> source{};
  std::optional<IpAddress> destination{};
};

// A segment that the host sent.
struct Answer {
  wire::TcpHeader header{};
  std::string payload{};
  Instant time{};
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 0;
  bool dont_fragment = false;
  std::vector<std::uint8_t> raw_options{};  // of TCP, with their padding

  std::uint32_t sequence() const { return header.sequence.value(); }
  std::uint32_t acknowledgment() const { return header.acknowledgment.value(); }
  std::string flags() const;
};

class ScriptedPeer {
 public:
  ScriptedPeer(HostUnderTest& world, std::uint16_t peer_port, std::uint16_t host_port,
               IpFamily family = IpFamily::kIpv4);
  ~ScriptedPeer();

  void send(const Script& script);
  // The next TCP segment of the host to this peer; nullopt when it has sent none.
  std::optional<Answer> receive();
  // The next segment must have just these flags.
  Answer expect(std::string_view flags);
  void expect_silence();
  // Everything that is waiting.
  std::vector<Answer> receive_all();

  // --- whole conversations. Sequence numbers of the peer start at `irs`.
  // The peer connects to a listener of the host; returns what accept() gives.
  tcp::Connection& connect_to(tcp::Listener& listener, const wire::TcpOptions& options = {},
                              std::uint32_t window = 65535, Duration rtt = {});
  // The host connects to this peer, which answers.
  tcp::Connection& accept_from_host(const tcp::Options& options = {}, const wire::TcpOptions& answer = {},
                                    std::uint32_t window = 65535);

  // Numbers of the conversation: what the peer sends next and what it expects next.
  std::uint32_t next = 1000;
  std::uint32_t expected = 0;
  // A segment with the current numbers; advances `next` over payload and FIN.
  void send_next(std::string_view flags, std::string_view payload = {}, std::uint32_t window = 65535);
  bool timestamps = false;
  std::uint32_t timestamp_value = 1;
  std::uint32_t timestamp_echo = 0;

  Endpoint local() const { return {peer_address_, peer_port_}; }
  Endpoint remote() const { return {host_address_, host_port_}; }
  HostUnderTest& world() { return world_; }

 private:
  void note(std::string line);

  HostUnderTest& world_;
  IpAddress peer_address_;
  IpAddress host_address_;
  Port peer_port_;
  Port host_port_;
  std::deque<Answer> pending_;
  std::vector<std::string> transcript_;
};

std::string describe(const wire::TcpHeader& header, std::size_t payload);
// The host begins to connect to the peer; the rest is the test's.
tcp::Connection& begin_to_connect(HostUnderTest& world, ScriptedPeer& peer, const tcp::Options& options = {});
std::string letters(std::size_t octets);  // recognisable bytes
std::string read_all(HostUnderTest& world, tcp::Connection& connection);
std::size_t write(HostUnderTest& world, tcp::Connection& connection, std::string_view text,
                  tcp::SendFlags flags = {});

}  // namespace transom::test
