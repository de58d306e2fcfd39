// The recorded exchanges of UDP, ICMP and IGMP of one side, live: takes UDP's place in a Host, and sees its
// ICMP and IGMP. Of groups that are spoken to the Host is a member.
#pragma once

#include <memory>

#include "drivers/replay/datagram_exchange.h"
#include "drivers/replay/live_stage.h"
#include "stack/ip/group_member.h"
#include "stack/ip/raw_receivers.h"

namespace transom::drivers::replay {

class LiveDatagrams final : public ip::Transport, private ip::RawReceiver, public DatagramWay {
 public:
  // Within Host::enter() and leave(), as is everything else. All outlive it. The Host's own UDP gets nothing
  // from then on, and the Host no longer answers echoes where a script does.
  LiveDatagrams(Host& host, const std::map<std::size_t, DatagramScript>& scripts, const LiveSetup& setup,
                Pacing& pacing, LiveStage& stage);
  LiveDatagrams(const LiveDatagrams&) = delete;
  LiveDatagrams& operator=(const LiveDatagrams&) = delete;
  ~LiveDatagrams();

  void start_loop();
  const std::vector<std::unique_ptr<DatagramExchange>>& exchanges() const { return exchanges_; }
  std::size_t waiting() const { return waiting_.size(); }  // scripts that nobody has come for

  void receive(const ip::Received& received, Packet packet) override;
  bool icmp_error(const ip::IcmpError& error) override;

 private:
  struct Key {
    IpProtocol protocol;
    Endpoint local, remote;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  bool on_packet(const ip::Received& received, const Packet& packet) override;
  void on_icmp_error(const ip::IcmpError& /*error*/) override {}
  bool send_packet(Bytes packet, const IpAddress& to) override;
  bool send_message(IpProtocol protocol, const IpAddress& from, const IpAddress& to, Bytes message) override;

  DatagramExchange& add(const DatagramScript& script, const Endpoint& ours, const Endpoint& theirs);
  DatagramExchange* accept(const Arrival& arrival);
  bool take(const Arrival& arrival);
  void take_icmp();
  void join_groups();
  void ask_many(const DatagramScript& script, std::uint16_t shift);
  IpAddress local_among(const DatagramScript& script, const IpAddress& otherwise) const;

  Host& host_;
  const std::map<std::size_t, DatagramScript>& scripts_;
  const LiveSetup& setup_;
  Pacing& pacing_;
  LiveStage& stage_;
  std::vector<std::unique_ptr<DatagramExchange>> exchanges_;
  std::map<Key, DatagramExchange*> current_;
  std::map<Key, DatagramExchange*> asking_many_;  // whom anybody answers: nobody is remote
  std::optional<ip::GroupMember> member_;         // of the groups that are spoken to
  std::vector<const DatagramScript*> waiting_;    // in the order of the recording
  std::vector<std::vector<std::uint8_t>> icmp_;   // messages that have come, from their IP headers on
  Timer icmp_timer_{call_member<&LiveDatagrams::take_icmp>, this};
};

}  // namespace transom::drivers::replay
