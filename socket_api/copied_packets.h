// Packets that raw and packet sockets have copied, until they are read. Bounded: what has no room is counted
// and not kept.
#pragma once

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

#include "socket_api/outcome.h"
#include "socket_api/socket_address.h"
#include "stack/base/packet.h"
#include "stack/base/ring.h"
#include "stack/base/time.h"

namespace transom::sockets {

struct CopiedPacket {
  std::vector<std::uint8_t> octets;
  std::size_t length = 0;  // before a filter cut it
  SocketAddress from;
  IpAddress destination;
  InterfaceId interface = InterfaceId::kAny;
  std::uint8_t hops = 0;
  std::uint8_t traffic_class = 0;
  ChecksumState checksum = ChecksumState::kUnknown;
  std::size_t network_offset = 0;          // of the IP header, in a frame
  std::vector<std::uint8_t> ip_options{};  // see ip::Received::options
  IpProtocol first_header{};
  Instant arrival{};
  std::uint64_t dropped = 0;  // packets lost before it for want of room
};

class CopiedPackets {
 public:
  static constexpr std::size_t kDefaultLimit = 212992;  // octets, as Linux

  // As Linux: one is taken as long as there is any room. False when it was dropped.
  bool push(CopiedPacket packet, std::size_t limit) {
    if (memory_ >= limit) {
      ++dropped_;
      return false;
    }
    memory_ += memory_of(packet);
    packet.dropped = dropped_;
    packets_.push_back(std::move(packet));
    return true;
  }
  bool empty() const { return packets_.empty(); }
  const CopiedPacket& front() const { return packets_.front(); }
  void pop() {
    memory_ -= memory_of(packets_.front());
    packets_.pop_front();
  }
  std::size_t memory() const { return memory_; }
  // FIONREAD and SIOCOUTQ of the socket that reads them.
  Outcome<int> query(unsigned long request) const {
    switch (request) {
      case FIONREAD:
        return empty() ? 0 : static_cast<int>(front().octets.size());
      case SIOCOUTQ:
        return 0;  // what is sent has left
      default:
        return fail(ENOTTY);
    }
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  static std::size_t memory_of(const CopiedPacket& packet) {
    return sizeof packet + packet.octets.size() + packet.ip_options.size();
  }

  Ring<CopiedPacket> packets_;
  std::size_t memory_ = 0;
  std::uint64_t dropped_ = 0;
};

// The octets of a packet from `offset` on, in one piece: in place where they are that already, else in
// `scratch`.
inline Bytes in_one_piece(const Packet& packet, std::size_t offset, std::vector<std::uint8_t>& scratch) {
  if (packet.tail().empty()) return packet.head().subspan(std::min(offset, packet.head().size()));
  scratch.resize(packet.size() - std::min(offset, packet.size()));
  (void)packet.copy_out(packet.size() - scratch.size(), scratch);
  return scratch;
}

}  // namespace transom::sockets
