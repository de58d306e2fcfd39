// The link layer: frames in and out of every interface, ARP and NDP, and the neighbour cache (RFC 826, 5227,
// 4861, 4862).
//
//   receive:  device frame ─► Ethernet checks ─► ARP here, IP to the registered NetworkReceiver
//   send:     IP packet + next hop ─► neighbour known? ─► Ethernet header ─► transmit queue
//                                      └► no: wait in that neighbour's own bounded queue while it is resolved
//
// One unresolved neighbour never delays a packet for another.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "stack/base/context.h"
#include "stack/base/error.h"
#include "stack/link/frame_tap.h"
#include "stack/link/interface.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ndp.h"

namespace transom::link {

// How the IP layer is reached from below.
class NetworkReceiver {
 public:
  // A packet starting at its IP header. `info().link_broadcast` and `link_multicast` say how the frame was
  // addressed.
  virtual void receive(Interface& interface, Packet packet) = 0;
  // A packet that was waiting for a neighbour that does not answer; starts at its IP header (RFC 4861
  // §7.2.2).
  virtual void neighbour_failed(Interface& interface, Packet packet) = 0;
  // A valid router advertisement (RFC 4861 §6.1.2). True when the router is one to be known.
  virtual bool router_advertised(Interface& interface, const IpAddress& router,
                                 const wire::RouterAdvertisement& advertisement) = 0;
  // A valid redirect (RFC 4861 §8.1): `router` says that `destination` is reached by `target`. True when it
  // is followed.
  virtual bool redirected(Interface& interface, const IpAddress& router, const IpAddress& destination,
                          const IpAddress& target) = 0;

 protected:
  ~NetworkReceiver() = default;
};

// A place in the neighbour cache, remembered by a sender to spare the look-up. Stale handles are noticed.
struct NeighbourHandle {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;
};

// RFC 4861 §7.3.2; kFailed keeps the memory of a failed resolution for a moment (negative cache).
enum class NeighbourState : std::uint8_t {
  kIncomplete,
  kReachable,
  kStale,
  kDelay,
  kProbe,
  kPermanent,
  kFailed
};

struct NeighbourInfo {
  IpAddress address;
  std::optional<MacAddress> mac;
  InterfaceId interface;
  NeighbourState state;
  Instant confirmed;  // when reachability was last confirmed
};

struct LinkConfig {
  std::size_t max_neighbours = 1024;  // per interface; what is least worth keeping goes first
  // Packets that wait for a neighbour: per neighbour (the oldest is dropped; RFC 1122 §2.3.2.2: at least
  // one), and for all of an interface.
  std::size_t max_pending_packets = 16;
  std::size_t max_pending_in_all = 512;
  Duration reachable_time = std::chrono::seconds(30);  // base; jittered by 0.5..1.5 (RFC 4861 §6.3.2)
  Duration retrans_timer = std::chrono::seconds(1);
  Duration delay_first_probe = std::chrono::seconds(5);
  int max_multicast_solicit = 3;
  int max_unicast_solicit = 3;
};

class LinkLayer {
 public:
  LinkLayer(Context& context, const LinkConfig& config);
  ~LinkLayer();
  LinkLayer(const LinkLayer&) = delete;
  LinkLayer& operator=(const LinkLayer&) = delete;

  void set_network(NetworkReceiver& network);

  const LinkConfig& config() const;
  // Changes count from now on; what is sized at the start stays so.
  LinkConfig& config();

  Interface& add_interface(const InterfaceConfig& config);
  Interface* interface(InterfaceId id);  // nullptr for an unknown id
  std::span<const std::unique_ptr<Interface>> interfaces() const;

  // Starts using an address: probes first where conflict detection is on (RFC 5227 §2.1.1, RFC 4862 §5.4).
  // kAddressInUse when it is configured already on this interface.
  Result<void> add_address(Interface& interface, const IpPrefix& address, const AddressTraits& traits = {});
  Result<void> remove_address(Interface& interface, const IpAddress& address);
  // RFC 4862 §5.5.4: a deprecated address is for conversations that exist. No effect on one that is not
  // usable.
  void set_deprecated(Interface& interface, const IpAddress& address, bool is_deprecated);
  // Called whenever an address becomes usable, or stops being so, and before it is first asked for. One
  // listener (the IP layer).
  void set_address_listener(std::function<void()> listener);

  // A frame from the driver.
  void receive(Interface& interface, Packet frame);
  // All of them. TCP segments that follow each other go up as one where the interface
  // is configured to coalesce.
  void receive(Interface& interface, PacketQueue& frames);
  // An IP packet to a unicast next hop on this interface's link. `handle`, if given, is used and kept up to
  // date.
  void send(Interface& interface, Packet packet, const IpAddress& next_hop,
            NeighbourHandle* handle = nullptr);
  // An IP packet to a multicast group or to all nodes of the link.
  void send_multicast(Interface& interface, Packet packet, const IpAddress& group);
  void send_broadcast(Interface& interface, Packet packet);

  // A frame as it is: with its Ethernet header if the link has one, else a bare IP packet. kNoBuffers when
  // the queue is full.
  Result<void> send_frame(Interface& interface, Packet frame);
  // It sees every frame from now on. It must be removed before it goes.
  void add_tap(FrameTap& tap);
  void remove_tap(FrameTap& tap);

  // An NDP message (ICMPv6 types 133..137) whose checksum is right; `fragmented` when a fragment header was
  // present.
  struct NdpContext {
    IpAddress source;
    IpAddress destination;
    std::uint8_t hop_limit;
    bool fragmented;
  };
  void receive_ndp(Interface& interface, const NdpContext& context, Bytes message);
  // Asks the routers of the link to speak (RFC 4861 §6.3.7).
  void solicit_routers(Interface& interface);

  // Forward progress seen by an upper layer: the neighbour is reachable (RFC 4861 §7.3.1).
  void confirm_reachable(Interface& interface, const IpAddress& next_hop, NeighbourHandle* handle = nullptr);
  // Repeated failure seen by an upper layer: probe now (negative advice, RFC 1122 §2.3.2.1).
  void suspect(Interface& interface, const IpAddress& next_hop);

  // For `ip neigh`.
  std::vector<NeighbourInfo> neighbours() const;
  Result<void> set_permanent(Interface& interface, const IpAddress& address, const MacAddress& mac);
  Result<void> forget(Interface& interface, const IpAddress& address);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace transom::link
