// A connection between a Host and a scripted peer, brought to the state that a requirement speaks of.
//
//   Conversation talk({.peer = {.maximum_segment_size = 1000}});
//   talk.bring_to(tcp::State::kFinWait2);
//   talk.peer.send(...);
#pragma once

#include "tests/support/scripted_peer.h"

namespace transom::test {

struct ConversationOptions {
  wire::TcpOptions peer{.maximum_segment_size = 1000};                   // of the peer's SYN
  std::uint32_t window = 65535;                                          // of the peer, as in its segments
  tcp::Options host{.send_buffer = 4 << 20, .receive_buffer = 6 << 20};  // of the host's socket
  HostConfig config{};
  std::uint32_t mtu = 1500;
  IpFamily family = IpFamily::kIpv4;
  std::uint32_t irs = 1000;                       // the peer's initial sequence number
  Duration rtt = std::chrono::milliseconds(100);  // of the handshake
};

struct Conversation {
  explicit Conversation(const ConversationOptions& options = {});

  // From ESTABLISHED, by what the two ends do in an orderly close. Nothing of the host is left unread by the
  // peer.
  void bring_to(tcp::State state);
  // The host's user.
  std::size_t write(std::string_view text, tcp::SendFlags flags = {}) {
    return test::write(world, connection, text, flags);
  }
  std::string read() { return read_all(world, connection); }
  std::uint32_t receive_window() const {
    return static_cast<std::uint32_t>(connection.info().receive_window);
  }
  void shutdown();
  void close();  // the connection may be gone afterwards
  template <typename Change>
  void set(Change change) {
    tcp::Options options = connection.options();
    change(options);
    world.with([&] { connection.set_options(options); });
  }
  // The peer acknowledges up to `number`, and reports `sacks`.
  void acknowledge(std::uint32_t number, std::uint32_t window = 65535,
                   std::vector<wire::SackBlock> sacks = {});
  // The peer acknowledges all that has come, after `rtt`; returns what it was.
  std::vector<Answer> acknowledge_all(Duration rtt = std::chrono::milliseconds(10));
  // Makes the congestion window grow by a transfer of so many full segments.
  void grow_window(std::size_t segments);
  // The peer's data, with its current numbers, at `offset` from the next octet.
  void send_at(std::uint32_t offset, std::string_view payload, std::string_view flags = "A");
  // What the host has sent without being asked, after the delayed ACK.
  std::vector<Answer> settle(Duration time = std::chrono::milliseconds(100));

  HostUnderTest world;
  ScriptedPeer peer;
  tcp::Listener& listener;
  tcp::Connection& connection;
};

// The states of a connection that is synchronised and still in the connection table.
inline constexpr std::array kSynchronisedStates = {tcp::State::kEstablished, tcp::State::kFinWait1,
                                                   tcp::State::kFinWait2,    tcp::State::kCloseWait,
                                                   tcp::State::kClosing,     tcp::State::kLastAck};
// For the names of parameterised tests: "FinWait1".
std::string name_of(tcp::State state);

std::string payload_of(const std::vector<Answer>& answers);
std::size_t data_segments(const std::vector<Answer>& answers);
wire::TcpOptions modern_options(std::uint16_t mss = 1000);  // MSS, SACK, timestamps, window scale 7
wire::SackBlock block(std::uint32_t left, std::uint32_t right);

}  // namespace transom::test
