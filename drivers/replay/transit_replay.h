// Both sides of a capture, at the two ports of a device: the interfaces of a Host that has no addresses
// there. Frames go as they are; whoever asks for the MAC address of one of our ends is answered.
#pragma once

#include <memory>

#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/live_stage.h"
#include "drivers/replay/neighbours.h"
#include "drivers/replay/transit_flow.h"
#include "stack/link/frame_tap.h"

namespace transom::drivers::replay {

struct TransitPort {
  InterfaceId interface{};
  MacAddress next_hop;  // where frames go that are put in here; of an Ethernet
};

class TransitReplay final : private link::FrameTap {
 public:
  // Within Host::enter() and leave(), as is everything else. `host` and `scripts` outlive it. `addresses`:
  // what recorded ones are now; those that are not in it stay.
  TransitReplay(Host& host, const std::array<TransitPort, 2>& ports,
                const std::map<std::size_t, TransitScript>& scripts,
                const std::map<IpAddress, IpAddress>& addresses, const LiveSetup& setup);
  TransitReplay(const TransitReplay&) = delete;
  TransitReplay& operator=(const TransitReplay&) = delete;
  ~TransitReplay();

  bool is_over() const;
  const std::vector<std::unique_ptr<TransitFlow>>& flows() const { return flows_; }
  void allow(std::uint64_t packets);  // of -o: so many more
  // Packets that came out and belong to no flow.
  std::uint64_t strangers() const { return strangers_; }

 private:
  struct Key {
    std::size_t side;  // that put it in
    IpProtocol protocol;
    Endpoint source, destination;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Frame {
    std::size_t port;
    std::vector<std::uint8_t> octets;
  };

  void on_frame(Direction direction, const link::Interface& interface, const Packet& frame) override;
  void start_loop();
  void take_frames();
  void take(std::size_t port, Bytes packet);
  TransitFlow* flow_of(std::size_t side, IpProtocol protocol, const Ends& ends, const Carried& out);
  void put_in(std::size_t side, Bytes packet);
  void send_frame(std::size_t port, Bytes frame);

  Host& host_;
  std::array<TransitPort, 2> ports_;
  std::array<link::Interface*, 2> interfaces_{};
  const std::map<std::size_t, TransitScript>& scripts_;
  std::map<IpAddress, IpAddress> addresses_;
  LiveSetup setup_;
  Pacing pacing_;
  LiveStage stage_;
  std::vector<std::unique_ptr<TransitFlow>> flows_;
  std::map<Key, TransitFlow*> current_;
  std::array<FragmentJoiner, 2> joiners_;
  std::array<std::map<FragmentKey, Carried>, 2> pieces_;  // headers and numbers of those that are not whole
  std::vector<Frame> frames_;                             // have come, to be looked at
  std::uint64_t strangers_ = 0;
  Timer frame_timer_{call_member<&TransitReplay::take_frames>, this};
};

}  // namespace transom::drivers::replay
