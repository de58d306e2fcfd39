// The way down: IP header, fragments where they are needed and allowed, link layer. TCP's hot path.
#pragma once

#include <functional>

#include "stack/ip/destination_cache.h"
#include "stack/ip/identification.h"
#include "stack/ip/ip_layer.h"
#include "stack/ip/path_mtu.h"

namespace transom::ip {

class Output {
 public:
  // Takes a copy of a multicast or broadcast packet, starting at its IP header, for our own sockets.
  using LoopCopy = std::function<void(link::Interface& interface, Packet packet)>;

  Output(Context& context, link::LinkLayer& link, const IpConfig& config, const Addresses& addresses,
         DestinationCache& destinations, const PathMtu& path_mtu, LoopCopy loop_copy);

  // See IpLayer::send. kMessageTooLong, kAddressNotAvailable for a source that is not ours, kInvalidArgument
  // for IP options that may not be sent, kNoBuffers, and the errors of Routing.
  Result<void> send(Destination& destination, const IpAddress& source, IpProtocol protocol, Packet packet,
                    const SendOptions& options);

  // See IpLayer::send_with_header.
  Result<void> send_with_header(Destination& destination, Packet packet);

  // A packet of somebody else's, whole with its header, that fits the link.
  void forward(Destination& destination, Packet packet) { transmit(destination, std::move(packet)); }

  // See IpLayer::choose_identifications.
  void choose_identifications(ChosenIdentifications* chosen) { identification_.choose(chosen); }

  // True while send() or forward() runs: the link layer may call back from inside it.
  bool is_sending() const { return sending_ > 0; }

 private:
  bool may_speak_from(const Destination& destination, const IpAddress& source) const;
  Result<void> send_ipv4(Destination& destination, const IpAddress& source, IpProtocol protocol,
                         Packet packet, const SendOptions& options);
  Result<void> send_ipv6(Destination& destination, const IpAddress& source, IpProtocol protocol,
                         Packet packet, const SendOptions& options);
  Result<void> too_long(bool is_v4);
  void send_fragments(Destination& destination, PacketQueue fragments);
  void count_out(const Destination& destination, std::size_t octets);
  static bool needs_copy(const Destination& destination, const SendOptions& options);
  template <typename Header>
  void loop_copy(Destination& destination, const Header& header, const Packet& payload);
  void transmit(Destination& destination, Packet packet);

  Context& context_;
  link::LinkLayer& link_;
  const IpConfig& config_;
  const Addresses& addresses_;
  DestinationCache& destinations_;
  const PathMtu& path_mtu_;
  LoopCopy loop_copy_;
  Identification identification_;
  int sending_ = 0;
};

}  // namespace transom::ip
