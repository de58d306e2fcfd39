// One end of a connection: writes, reads, compares, and ends it, as its Flow says.
#pragma once

#include "drivers/sim/simulation.h"
#include "stack/tcp/connection.h"
#include "tests/adversarial/judge.h"
#include "tests/adversarial/scenario.h"
#include "tests/adversarial/stream.h"

namespace transom::test {

// What all parties of a run share.
struct PartyContext {
  drivers::sim::Simulation& simulation;
  Judge& judge;
  std::uint32_t seed;
  Instant good_from;          // nobody is slow any more
  Instant patient_until;      // who may be left alone by its peer lets go
  std::uint64_t changes = 0;  // of who has a connection
};

class Party final : public drivers::sim::Application {
 public:
  Party(drivers::sim::Node& node, PartyContext& context, const Flow& flow, bool is_client, std::string name);

  // The other end. `server`: where a client connects to.
  void set_peer(Party& peer, const Endpoint& server);
  // An accepted connection is this party's.
  void adopt(tcp::Connection& connection);
  void run() override;

  // Its end may come otherwise than by what both want.
  bool may_fail() const;

  bool has_begun() const { return has_begun_; }
  bool is_done() const { return is_done_; }
  bool has_failed() const { return has_failed_; }
  const std::string& name() const { return name_; }
  tcp::Connection* connection() { return connection_; }
  const tcp::FourTuple& tuple() const { return tuple_; }
  tcp::Options options() const;  // of the connection, or of the listener
  std::string describe() const;  // where it stands

 private:
  static constexpr std::uint64_t kNotYet = UINT64_MAX;

  drivers::sim::Node& node_of() const { return node_; }
  bool is_actor(Ending client, Ending server) const;
  void open();
  void take(tcp::Connection& connection);
  void write();
  void read();
  void wait_for_peer();
  void read_urgent();
  void check(Bytes octets);
  void on_end_of_stream();
  void end_as_planned();
  void fail(Error error);
  void let_go();
  Duration slow(std::uint32_t milliseconds) const;

  drivers::sim::Node& node_;
  PartyContext& context_;
  const Flow& flow_;
  bool is_client_;
  std::string name_;
  Random random_;
  Party* peer_ = nullptr;
  Endpoint server_;
  tcp::Connection* connection_ = nullptr;
  tcp::FourTuple tuple_;
  Stream out_;
  Stream in_;
  std::uint64_t to_write_;
  std::uint64_t written_ = 0;
  std::uint64_t read_ = 0;
  // Where in the peer's stream it may stand: more than one place while it is open whether an urgent octet was
  // left out of line.
  std::vector<std::uint64_t> places_{0};
  std::vector<std::uint64_t> urgents_;  // written
  Instant next_write_{}, next_read_{};
  std::vector<std::uint8_t> buffer_;
  bool has_begun_ = false;
  bool has_shut_ = false;
  bool is_deaf_ = false;
  bool has_ended_ = false;  // the peer's stream
  bool is_done_ = false;
  bool has_failed_ = false;
};

}  // namespace transom::test
