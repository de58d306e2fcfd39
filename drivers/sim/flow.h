// TCP flows of a simulation: who sends what to whom, and what came of it.
#pragma once

#include "drivers/sim/histogram.h"
#include "drivers/sim/simulation.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace transom::drivers::sim {

struct FlowOptions {
  std::string name{};
  IpFamily family = IpFamily::kIpv4;
  // Of both ends, which know it, perhaps with parameters: "cubic:beta=0.8". Empty: the Host's standard.
  std::string congestion_control{};
  Instant start{};
  Instant stop = kNever;        // nothing is written after this
  std::uint64_t octets = 0;     // to send; 0: until `stop`
  std::uint64_t response = 0;   // octets that come back for each `octets` (request and response); 0: none
  std::uint64_t rounds = 1;     // of request and response
  Duration think{};             // between a response and the next request
  std::uint64_t read_rate = 0;  // octets per second that the receiver takes; 0: whatever comes
  tcp::Options options{};
};

// What there is to say of a flow so far, or at its end.
struct FlowReport {
  std::string name;
  std::string congestion_control;
  Instant started{};
  Instant ended = kNever;         // when the receiver saw the end of the stream
  std::uint64_t delivered = 0;    // octets that the receiver has read, responses included
  Duration active{};              // from the SYN to the last octet read
  std::uint64_t goodput = 0;      // bit/s over `active`
  Duration rtt_p50{}, rtt_p95{};  // of samples taken at intervals
  std::uint64_t rounds = 0;       // complete
  Duration round_p50{}, round_p95{};
  bool is_intact = true;  // all octets were the right ones
  Error error = Error::kNone;
  tcp::Info info;  // of the sender
};

class TcpFlow {
 public:
  // Listens on a port of its own at `to`; connects from `from` at options.start.
  TcpFlow(Simulation& simulation, Node& from, Node& to, FlowOptions options);
  ~TcpFlow();

  FlowReport report() const;
  // Looks at the round-trip time; call it at intervals.
  void sample();
  bool is_over() const;
  const FlowOptions& options() const;
  // While it is open; nullptr before and after.
  tcp::Connection* sender();
  tcp::Connection* receiver();

 private:
  class Sender;
  class Receiver;
  struct Shared;
  std::unique_ptr<Shared> shared_;
  Sender* sender_;
  Receiver* receiver_;
};

}  // namespace transom::drivers::sim
