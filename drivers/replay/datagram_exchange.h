// Plays one end of recorded datagrams at a peer that is alive, and compares what that says with what the
// recorded peer said.
//
// A packet is due when the peer's datagram that was heard last before it has come, or a later one, and the
// recorded thinking is over. Nothing is sent again by itself: that is an application's to do, and was
// recorded. Who asks again gets the same answer again.
#pragma once

#include "drivers/replay/datagram_rewriter.h"
#include "drivers/replay/live_part.h"
#include "drivers/replay/live_setup.h"

namespace transom::drivers::replay {

// What has come from the peer, for one exchange.
struct Arrival {
  IpProtocol protocol{};
  Endpoint local, remote;  // ports of echoes: the identifier
  Saying saying;
  std::vector<std::uint8_t> packet;  // from the IP header on
  std::size_t header_size = 0;       // of the IP headers in it
  bool is_to_one = true;             // of UDP: not to a group, nor to all hosts
};

class DatagramWay {
 public:
  // A packet from its IP header on. False when there is no way for it.
  virtual bool send_packet(Bytes packet, const IpAddress& to) = 0;
  // What stands behind IP headers; in fragments where it is too long.
  virtual bool send_message(IpProtocol protocol, const IpAddress& from, const IpAddress& to,
                            Bytes message) = 0;

 protected:
  ~DatagramWay() = default;
};

class DatagramExchange final : public LivePart {
 public:
  // All but the endpoints outlive it.
  DatagramExchange(const DatagramScript& script, const LiveOptions& options, Pacing& pacing,
                   const Endpoint& ours, const Endpoint& theirs, std::uint32_t identification,
                   DatagramWay& way);

  void start(Instant now) override;
  void receive(const Arrival& arrival, Instant now);
  void run(Instant now) override;
  Instant next_deadline() const override;
  LiveState state() const override { return state_; }

  const DatagramScript& script() const { return script_; }
  const Endpoint& ours() const { return ours_; }
  const Endpoint& theirs() const { return theirs_; }
  std::string awaited() const;  // in words, for a person
  const std::deque<std::string>& last_packets() const { return last_packets_; }
  std::size_t steps_done() const { return next_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t unsendable() const { return unsendable_; }  // there was no way, or they are too long for it
  // --- of the peer's datagrams
  std::uint64_t equal() const { return equal_; }
  std::uint64_t changed() const { return changed_; }  // other octets than recorded
  std::uint64_t added() const { return added_; }      // not recorded
  std::uint64_t again() const { return again_; }      // had come already
  std::uint64_t lost() const { return script_.expected.size() - equal_ - changed_; }
  // What came for one of the script's expected; nullptr while nothing has.
  const Arrival* came(std::size_t expected) const { return came_[expected] ? &*came_[expected] : nullptr; }
  bool are_equal() const { return lost() == 0 && changed_ == 0 && added_ == 0; }
  const std::vector<std::string>& differences() const { return differences_; }  // in words; the first ones

 private:
  bool is_heard(const DatagramStep& step) const;
  Instant due(const DatagramStep& step) const;
  Instant stall_at() const;
  void play(const DatagramStep& step, Instant now);
  bool send(const DatagramStep& step);
  bool send_echo(const Arrival& request);
  bool send_error(const DatagramStep& step);
  std::optional<std::size_t> find(const Arrival& arrival) const;
  void answer_again(std::size_t expected, Instant now);
  void tell(std::string difference);
  void note(std::string line, Instant now);

  const DatagramScript& script_;
  const LiveOptions options_;
  Pacing& pacing_;
  Endpoint ours_, theirs_;
  DatagramRewriter rewriter_;
  DatagramWay& way_;
  LiveState state_ = LiveState::kRunning;
  Instant anchor_ = kNever, last_step_{}, heard_at_{}, last_progress_{};
  bool was_refused_ = false;  // nobody has the peer's port, and it tries again
  Instant retry_at_{};
  std::size_t next_ = 0;     // step
  std::size_t reached_ = 0;  // behind the last of the peer's recorded datagrams that has come
  std::size_t low_ = 0;      // the first that has not
  std::vector<std::optional<Arrival>> came_;  // for each that is expected
  std::optional<Arrival> latest_;
  std::uint64_t sent_ = 0, unsendable_ = 0, equal_ = 0, changed_ = 0, added_ = 0, again_ = 0;
  std::vector<std::string> differences_;
  std::deque<std::string> last_packets_;
};

}  // namespace transom::drivers::replay
