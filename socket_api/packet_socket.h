// AF_PACKET: packet(7). It gets a copy of the frames that pass the interfaces, and puts frames of its own on
// one. SOCK_RAW: frames with their Ethernet header, which the loopback interface, as on Linux, is shown to
// have too. SOCK_DGRAM: without.
//
// As on Linux frames may be super-segments (up to 64 KiB, to be cut by the device) and have a checksum that
// the device will complete; PACKET_AUXDATA tells. A device here hands over what it gets, so an interface is
// promiscuous always.
#pragma once

#include <linux/if_packet.h>

#include "socket_api/copied_packets.h"
#include "socket_api/socket.h"
#include "stack/link/frame_tap.h"

namespace transom::sockets {

class PacketSocket final : public Socket, private link::FrameTap {
 public:
  // `protocol`: ETH_P_..., in network order, as socket(2) takes it. 0: nothing is received before bind().
  PacketSocket(Session& session, int type, int protocol);

  Outcome<void> bind(Session& session, const SocketAddress& address) override;
  Outcome<void> connect(Session&, const SocketAddress&) override { return fail(EOPNOTSUPP); }
  Outcome<void> disconnect(Session&) override { return fail(EOPNOTSUPP); }
  Outcome<std::size_t> send(Session& session, const Outgoing& message) override;
  Outcome<std::size_t> receive(Session& session, Incoming& message) override;
  Outcome<void> shutdown(Session&, int) override { return fail(EOPNOTSUPP); }

  Outcome<SocketAddress> local_address() const override;
  Outcome<SocketAddress> remote_address() const override { return fail(EOPNOTSUPP); }
  Outcome<void> set_option(Session& session, int level, int name, Bytes value) override;
  Outcome<std::size_t> get_option(Session& session, int level, int name, MutableBytes out) override;
  Outcome<int> query(unsigned long request) const override;
  Readiness readiness() const override;

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session&) override {}
  Error take_error() override { return Error::kNone; }
  QueuedMemory queued_memory() const override {
    return {.received = packets_.memory(), .dropped = packets_.dropped()};
  }
  bool is_bound() const override { return false; }
  bool takes_filter() const override { return true; }
  int send_buffer(Session& session) const override;
  int receive_buffer(Session& session) const override;

 private:
  bool has_headers() const { return kind().type == SOCK_RAW; }
  void listen_for(Session& session, std::uint16_t protocol);
  void on_frame(Direction direction, const link::Interface& interface, const Packet& frame) override;
  void write_auxiliary_data(const CopiedPacket& packet, Incoming& message) const;
  // The frame as the interface takes it, of what the user has given.
  Outcome<Packet> compose(Session& session, link::Interface& interface, const Outgoing& message,
                          std::uint16_t protocol) const;

  EventLoop& clock_;
  std::uint16_t protocol_ = 0;  // ETH_P_..., in host order
  LinkAddress local_;
  bool is_listening_ = false;
  bool is_sending_ = false;  // what comes to our tap now is what we send
  bool ignores_outgoing_ = false;
  bool gives_auxiliary_data_ = false;
  CopiedPackets packets_;
  std::uint32_t counted_ = 0, counted_drops_ = 0;  // PACKET_STATISTICS
};

}  // namespace transom::sockets
