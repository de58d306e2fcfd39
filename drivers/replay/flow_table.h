// Which conversation a captured packet belongs to. The same packets in the same order get the same numbers,
// so two passes over a capture agree.
#pragma once

#include <array>
#include <expected>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/capture/capture_reader.h"
#include "drivers/capture/packet_view.h"

namespace transom::drivers::replay {

struct Flow {
  IpProtocol protocol{};
  // The first is who was heard first. Ports: of TCP and UDP; of ICMP echo the identifier; else none.
  std::array<Endpoint, 2> ends;
};

inline bool is_icmp(IpProtocol protocol) {
  return protocol == IpProtocol::kIcmp || protocol == IpProtocol::kIcmpv6;
}

// A packet's flow, and which end sent it.
struct Place {
  std::size_t flow = 0;
  std::size_t side = 0;
};

// Source and destination, with what stands for ports.
std::pair<Endpoint, Endpoint> ends_of(const CapturedPacket& packet, const PacketView& view);

class FlowTable {
 public:
  // A later fragment goes where its first one went. A SYN between the same ends starts a flow of its own once
  // the old connection was closed or reset.
  Place place(const CapturedPacket& packet, const PacketView& view);

  // Would place() begin a flow for it?
  bool begins_flow(const CapturedPacket& packet, const PacketView& view) const;

  // The flow of a packet that is not of the capture; nullopt when it is in none.
  std::optional<std::size_t> find(const CapturedPacket& packet, const PacketView& view) const;
  // The latest flow between these ends, whichever was heard first.
  std::optional<std::size_t> find(const Flow& flow) const;

  const std::vector<Flow>& flows() const { return flows_; }

 private:
  struct Key {
    IpProtocol protocol;
    Endpoint low, high;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct FragmentKey {
    IpAddress source, destination;
    IpProtocol protocol;
    std::uint32_t identification;
    friend auto operator<=>(const FragmentKey&, const FragmentKey&) = default;
  };
  struct Current {  // of the flow that a key stands for now
    std::size_t flow;
    std::array<std::optional<SeqNum>, 2> syn;
    std::array<bool, 2> fin{};
    bool was_reset = false;
    bool is_over() const { return was_reset || (fin[0] && fin[1]); }
  };
  static constexpr std::size_t kMaxFragments = 4096;

  Place place(IpProtocol protocol, const Endpoint& source, const Endpoint& destination,
              const wire::TcpHeader* tcp);
  bool begins_again(const Current& current, const Endpoint& source, const wire::TcpHeader* tcp) const;

  std::vector<Flow> flows_;
  std::map<Key, Current> current_;
  std::map<FragmentKey, Place> fragments_;
};

// The identifier of an ICMP or ICMPv6 echo; nullopt for every other message.
std::optional<std::uint16_t> echo_identifier(const CapturedPacket& packet, const PacketView& view);

// Calls `visit` with each packet of the capture that can be read, its view and its place.
template <typename Visit>
std::expected<void, CaptureError> for_each_placed(CaptureReader& reader, FlowTable& table, Visit visit) {
  for (;;) {
    auto packet = reader.next();
    if (!packet) return std::unexpected(packet.error());
    if (!*packet) return {};
    if (const auto view = PacketView::parse(**packet)) visit(**packet, *view, table.place(**packet, *view));
  }
}

}  // namespace transom::drivers::replay
