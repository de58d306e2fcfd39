// Peers that misbehave. Each is a ScriptedPeer that has opened a connection to a listener of the host, and
// one way to be a bad neighbour.
#pragma once

#include "tests/support/scripted_peer.h"

namespace transom::test {

// What all have: a connection to port 80 of the host, and a memory of what the host has sent.
class ZooPeer : public ScriptedPeer {
 public:
  static constexpr std::uint32_t kMss = 1000;

  explicit ZooPeer(HostUnderTest& world, wire::TcpOptions options = {.maximum_segment_size = kMss},
                   std::uint32_t window = 65535, const tcp::Options& of_listener = {})
      : ScriptedPeer(world, 4000, 80),
        listener(world.listen(80, of_listener)),
        connection(&connect_to(listener, options, window)),
        first(expected) {}

  tcp::Listener& listener;
  tcp::Connection* connection;
  std::uint32_t first;        // sequence number of the host's first octet
  std::uint32_t highest = 0;  // how many octets of the host's stream have been seen

  // Takes what the host has sent; what a good peer would remember of it.
  std::vector<Answer> watch() {
    std::vector<Answer> all = receive_all();
    for (const Answer& answer : all)
      highest =
          std::max(highest, answer.sequence() + static_cast<std::uint32_t>(answer.payload.size()) - first);
    return all;
  }
  // A bare ACK of the first `octets` of the host's stream.
  void acknowledge(std::uint32_t octets, std::uint32_t window = 65535, const wire::TcpOptions& options = {}) {
    expected = first + octets;
    Script script{
        .flags = ".", .sequence = next, .acknowledgment = expected, .window = window, .options = options};
    if (timestamps) script.options.timestamps = wire::TcpTimestamps{timestamp_value, timestamp_echo};
    send(script);
  }
  tcp::Info info() { return connection->info(); }
};

// Reports blocks, true or not.
class SackLiar : public ZooPeer {
 public:
  explicit SackLiar(HostUnderTest& world)
      : ZooPeer(world, {.maximum_segment_size = kMss, .sack_permitted = true}) {}

  // Positions in the host's stream; may be beyond it, inverted, or before what is acknowledged.
  void report(std::uint32_t acknowledged, std::int64_t left, std::int64_t right) {
    wire::TcpOptions options;
    options.add_sack({SeqNum(static_cast<std::uint32_t>(first + left)),
                      SeqNum(static_cast<std::uint32_t>(first + right))});
    acknowledge(acknowledged, 65535, options);
  }
};

// Acknowledges a segment octet by octet, so as to be paid for each (Savage and others, 1999).
class AckDivider : public ZooPeer {
 public:
  using ZooPeer::ZooPeer;

  void acknowledge_in_pieces(std::uint32_t from, std::uint32_t to, std::uint32_t pieces) {
    for (std::uint32_t i = 1; i <= pieces; ++i) acknowledge(from + (to - from) * i / pieces);
  }
};

// Sends its text in ways that cost the receiver more than they bring.
class TinySender : public ZooPeer {
 public:
  using ZooPeer::ZooPeer;

  // `text` as segments of one octet, every `step`-th only, from that of number `from` on.
  void dribble(std::string_view text, std::size_t step = 1, std::size_t from = 0) {
    for (std::size_t i = from; i < text.size(); i += step) {
      send({.flags = ".",
            .sequence = next + static_cast<std::uint32_t>(i),
            .acknowledgment = expected,
            .payload = text.substr(i, 1)});
      receive_all();
    }
  }
};

// Takes nothing, and says so for ever.
class ShutWindow : public ZooPeer {
 public:
  explicit ShutWindow(HostUnderTest& world, std::uint32_t window, const tcp::Options& of_listener = {})
      : ZooPeer(world, {.maximum_segment_size = kMss}, window, of_listener) {}

  // Lets time pass in steps and answers whatever comes with a window of nothing; returns how much came.
  std::size_t answer_for(Duration duration, std::uint32_t octets) {
    std::size_t count = 0;
    for (const Instant end = world().now() + duration; world().now() < end;) {
      world().advance(std::chrono::milliseconds(100));
      const std::size_t came = watch().size();
      count += came;
      if (came > 0) acknowledge(octets, 0);
    }
    return count;
  }
};

}  // namespace transom::test
