#include "stack/link/frame_sender.h"

#include <algorithm>

#include "stack/link/segmentation.h"

namespace transom::link {

namespace {

bool is_segmented_by_device(const Interface& interface, const PacketInfo& info, Bytes ip_packet) {
  if (info.repeats_cwr) return false;  // devices clear it in all but the first segment
  const Offloads& offloads = interface.offloads();
  const bool is_v4 = ip_packet[0] >> 4 == 4;
  return offloads.checksum && (is_v4 ? offloads.segment_ipv4 : offloads.segment_ipv6);
}

// RFC 894: no frame is shorter than 60 octets, and what is added is zero (CVE-2003-0001 leaked old memory).
bool pad(Packet& frame) {
  const std::size_t size = frame.size();
  if (size >= wire::EthernetHeader::kMinFrame) return true;
  const std::size_t missing = wire::EthernetHeader::kMinFrame - size;
  if (!frame.linearize() || frame.tail_room() < missing) return false;
  std::ranges::fill(frame.append(missing), std::uint8_t{0});
  return true;
}

}  // namespace

void FrameSender::send(Interface& interface, Packet payload, const MacAddress& destination,
                       wire::EtherType type) {
  if (type == wire::EtherType::kIpv6 && interface.ipv6_is_stopped()) {
    return drop(interface, DropReason::kInterfaceDown, Counter::kLinkOutQueueDrops);
  }
  // A super-segment counts as one: the queue may grow by its segments, never by more than one packet too
  // many.
  if (interface.transmit_queue().size() >= interface.config().transmit_limit) {
    return drop(interface, DropReason::kLinkQueueFull, Counter::kLinkOutQueueDrops);
  }
  if (interface.type() == LinkType::kEthernet &&
      !add_ethernet_header(interface, payload, destination, type)) {
    return drop(interface, DropReason::kNoBuffers, Counter::kBufferExhausted);
  }
  if (interface.type() == LinkType::kLoopback) return queue(interface, std::move(payload));
  finish_and_queue(interface, std::move(payload));
}

void FrameSender::send_ip(Interface& interface, Packet packet, const MacAddress& destination) {
  const bool is_v4 = packet.head()[0] >> 4 == 4;
  send(interface, std::move(packet), destination, is_v4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6);
}

Result<void> FrameSender::send_frame(Interface& interface, Packet frame) {
  if (interface.transmit_queue().size() >= interface.config().transmit_limit) {
    drop(interface, DropReason::kLinkQueueFull, Counter::kLinkOutQueueDrops);
    return std::unexpected(Error::kNoBuffers);
  }
  queue(interface, std::move(frame));
  return {};
}

bool FrameSender::add_ethernet_header(Interface& interface, Packet& payload, const MacAddress& destination,
                                      wire::EtherType type) {
  if (payload.head_room() < wire::EthernetHeader::kSize) return false;
  wire::EthernetHeader header;
  header.destination = destination;
  header.source = interface.mac();
  header.type = type;
  wire::Writer writer(payload.prepend(wire::EthernetHeader::kSize));
  header.write(writer);
  return true;
}

// The last step before a device: what it cannot do itself is done here.
void FrameSender::finish_and_queue(Interface& interface, Packet frame) {
  const std::size_t ip_offset = interface.ip_offset();
  const bool completes_checksums = !interface.offloads().checksum;
  if (frame.info().segment_size != 0 &&
      !is_segmented_by_device(interface, frame.info(), frame.head().subspan(ip_offset))) {
    PacketQueue segments;
    if (!segment(context_.pool, std::move(frame), ip_offset, completes_checksums, segments)) {
      return drop(interface, DropReason::kNoBuffers, Counter::kBufferExhausted);
    }
    while (Packet piece = segments.pop()) queue(interface, std::move(piece));
    return;
  }
  if (completes_checksums && !complete_checksum(frame, ip_offset)) {
    return drop(interface, DropReason::kIpBadHeaderLength, Counter::kIpOutDiscards);
  }
  queue(interface, std::move(frame));
}

void FrameSender::queue(Interface& interface, Packet frame) {
  if (interface.type() == LinkType::kEthernet && !pad(frame)) {
    return drop(interface, DropReason::kNoBuffers, Counter::kBufferExhausted);
  }
  ++interface.statistics().tx_packets;
  interface.statistics().tx_bytes += frame.size();
  context_.count(Counter::kLinkOutFrames);
  if (context_.observer != nullptr) {
    context_.tell(
        PacketEvent{Direction::kOut, interface.id(), interface.type() == LinkType::kEthernet, frame});
  }
  taps.show(Direction::kOut, interface, frame);
  interface.transmit_queue().push(std::move(frame));
}

void FrameSender::drop(Interface& interface, DropReason reason, Counter counter) {
  ++interface.statistics().tx_dropped;
  context_.drop(reason, counter);
}

}  // namespace transom::link
