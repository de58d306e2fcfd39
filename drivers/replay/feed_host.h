// The Host that a capture is fed into: made so from what the capture shows that it can stand in the place of
// our recorded ends. It has their addresses, their MAC address, an MTU with which it says the MSS that they
// said, and a route for every destination; whoever it asks for a MAC address answers.
#pragma once

#include <map>
#include <string>

#include "drivers/replay/cast.h"
#include "drivers/replay/neighbours.h"
#include "stack/base/observer.h"
#include "stack/host.h"
#include "stack/tcp/listener.h"

namespace transom::drivers::replay {

struct FeedHostOptions {
  std::uint64_t seed = 1;
  std::string congestion_control;  // empty: the standard one
  Observer* observer = nullptr;
};

class FeedHost {
 public:
  // `scene` and `cast` outlive it.
  FeedHost(const Scene& scene, const Cast& cast, const FeedHostOptions& options);
  FeedHost(const FeedHost&) = delete;
  FeedHost& operator=(const FeedHost&) = delete;
  ~FeedHost() { host_.set_observer(nullptr); }

  Host& host() { return host_; }

  // A recorded packet of theirs. False when there is no room for it.
  bool receive(const CapturedPacket& packet, const PacketView* view, Instant now);
  // The next packet that the Host has sent and that is not for us to answer; nullopt when there is none. Its
  // octets lie in `packet`.
  std::optional<CapturedPacket> next_sent(Packet& packet, Instant now);

  // Opens or closes our port for the next SYN, as the recorded end answered it. Within enter() and leave().
  void open_port(const Endpoint& local);
  void close_port(const Endpoint& local);
  tcp::Listener* listener_of(const Endpoint& local) const;
  const std::map<Endpoint, tcp::Listener*>& listeners() const { return listeners_; }

 private:
  static HostConfig config(const FeedHostOptions& options);
  std::map<IpAddress, MacAddress> their_macs() const;
  MacAddress a_peer_mac() const;
  std::optional<MacAddress> our_mac() const;
  std::uint8_t prefix_of(const IpAddress& address) const;
  std::uint32_t mtu() const;

  const Scene& scene_;
  const Cast& cast_;
  std::optional<MacAddress> our_mac_;
  bool has_ethernet_;  // else bare IP packets are fed: the capture has no MAC address for our end, or tags
  Neighbours neighbours_;
  BufferPool pool_;
  Host host_;
  InterfaceId interface_{};
  std::map<Endpoint, tcp::Listener*> listeners_;
  std::uint64_t sent_ = 0;
};

}  // namespace transom::drivers::replay
