// The inside of TcpLayer: the tables, and the way of a segment through them.
#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "stack/base/keyed_table.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener_table.h"
#include "stack/tcp/port_table.h"
#include "stack/tcp/syn_cookies.h"
#include "stack/tcp/syn_queue.h"
#include "stack/tcp/time_wait.h"

namespace transom::tcp {

struct TupleOf {
  using Key = FourTuple;
  static const FourTuple& key(const Connection& connection) { return connection.tuple(); }
  static std::uint64_t hash(const SipKey& sip_key, const FourTuple& tuple) {
    return hash_tuple(sip_key, tuple);
  }
};

class Core final : public ConnectionOwner {
 public:
  Core(Context& the_context, ip::IpLayer& the_ip, const Config& the_config);
  ~Core();

  Result<PortHold> bind(const BindRequest& request);
  Result<Connection*> connect(PortHold& hold, const Endpoint& remote, const Options& options);
  Result<Listener*> listen(PortHold& hold, std::size_t backlog, const Options& options);
  void close(Listener& listener);

  void receive(const ip::Received& received, Packet packet);
  bool icmp_error(const ip::IcmpError& error);
  void flush();

  const FastOpenKeys& fast_open_keys() const { return fast_open_cookies_.keys(); }
  void set_fast_open_keys(const FastOpenKeys& keys) { fast_open_cookies_ = FastOpenCookies(keys); }

  std::vector<Info> infos() const;
  std::size_t connection_count() const { return connections_.size(); }
  std::size_t time_wait_count() const { return time_waits_.size(); }
  std::size_t half_open_count() const { return syn_queue_.size(); }

  // ConnectionOwner
  void wants_output(Connection& connection) override;
  void enters_time_wait(Connection& connection) override;
  void has_ended(Connection& connection) override;
  void is_abandoned(Connection& connection) override;

 private:
  // What a user does not want to have come at all: nothing is answered.
  bool is_unwanted(Segment& segment, const Options& options);
  void arrives_in_listen(Listener& listener, Segment& segment, std::optional<SeqNum> minimum_iss);
  void arrives_at_half_open(HalfOpen& record, Segment& segment);
  void try_cookie(Listener& listener, Segment& segment);
  SeqNum new_sequence(const FourTuple& tuple, std::optional<SeqNum> minimum) const;
  // What a SYN comes to with fast open: core_fast_open.cpp.
  struct FastOpenVerdict {
    bool open = false;                           // at once
    std::optional<wire::FastOpenCookie> cookie;  // to go with the SYN-ACK
  };
  FastOpenVerdict judge_fast_open(Listener& listener, const Segment& syn);
  FastOpenVerdict judge_cookie(const Listener& listener, const Segment& syn);
  bool open_fast(Listener& listener, Segment& syn, SeqNum iss,
                 const std::optional<wire::FastOpenCookie>& cookie);
  void make_connection(Listener& listener, SeqNum iss, SeqNum irs, const Negotiated& negotiated, Segment& ack,
                       const SynAckHistory& history,
                       std::unique_ptr<std::vector<std::uint8_t>> saved_syn = nullptr);
  void leave_tables(Connection& connection);

  PortTable ports_;
  KeyedTable<Connection, TupleOf> connections_;
  ListenerTable listeners_;
  TimeWaitTable time_waits_;
  SynQueue syn_queue_;
  SynCookies cookies_;
  FastOpenCookies fast_open_cookies_;    // of listeners without keys of their own
  Connection* first_pending_ = nullptr;  // want output()
  Connection** last_pending_ = &first_pending_;
  std::vector<Connection*> abandoned_;    // to be destroyed at the next flush
  std::unordered_set<Connection*> held_;  // CLOSED or TIME-WAIT, but their users have not let go
};

}  // namespace transom::tcp
