// SOCK_DGRAM over UDP: udp(7).
#pragma once

#include <vector>

#include "socket_api/error_queue.h"
#include "stack/udp/udp_layer.h"

namespace transom::sockets {

class UdpSocket final : public Socket, private ip::IcmpErrorListener, private udp::DatagramFilter {
 public:
  UdpSocket(Session& session, int domain);

  Outcome<void> bind(Session& session, const SocketAddress& address) override;
  Outcome<void> connect(Session& session, const SocketAddress& address) override;
  Outcome<void> disconnect(Session& session) override;
  Outcome<std::size_t> send(Session& session, const Outgoing& message) override;
  Outcome<std::size_t> receive(Session& session, Incoming& message) override;
  Outcome<void> shutdown(Session& session, int how) override;

  Outcome<SocketAddress> local_address() const override;
  Outcome<SocketAddress> remote_address() const override;
  Outcome<void> set_option(Session& session, int level, int name, Bytes value) override;
  Outcome<std::size_t> get_option(Session& session, int level, int name, MutableBytes out) override;
  Outcome<int> query(unsigned long request) const override;
  Readiness readiness() const override;
  bool has_reports() const override { return !errors_.empty(); }

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session& session) override;
  Error take_error() override { return udp_->take_error(); }
  QueuedMemory queued_memory() const override {
    return {.received = udp_->queued_memory(), .dropped = udp_->dropped()};
  }
  bool takes_filter() const override { return true; }
  bool takes_zero_copy() const override { return true; }
  bool takes_peek_offset() const override { return true; }
  Outcome<void> start_timestamp_keys() override {
    timestamp_key_ = 0;
    return {};
  }
  bool is_bound() const override { return udp_->local().port != Port::kNone; }
  int send_buffer(Session&) const override { return static_cast<int>(udp_->options().send_buffer); }
  int receive_buffer(Session&) const override { return static_cast<int>(udp_->options().receive_buffer); }

 private:
  Outcome<void> bind_if_needed(Session& session);
  void prepare_for(IpFamily family, const SendControl& control = {});
  void on_icmp_error(const ip::IcmpError& error) override;
  std::size_t octets_to_keep(const Packet& datagram) override;
  Outcome<std::size_t> send_or_cork(Session& session, const Outgoing& message);
  // One datagram, or with `segment` not 0, several of that size.
  Outcome<std::size_t> send_octets(Session& session, std::span<const Bytes> pieces, std::size_t segment,
                                   const udp::SendTo& parameters);
  Outcome<std::size_t> send_segments(std::span<const Bytes> pieces, std::size_t segment,
                                     const udp::SendTo& parameters);
  void report_sent();  // SO_TIMESTAMPING
  void note_too_long(Session& session, const udp::SendTo& parameters);
  Outcome<void> flush_corked(Session& session);
  std::size_t take(Session& session, Incoming& message, const udp::Datagram& datagram);
  std::optional<std::size_t> look_ahead(Session& session, Incoming& message);  // SO_PEEK_OFF
  std::size_t take_all_alike(Session& session, Incoming& message, udp::Datagram first);
  std::size_t take_packets(Session& session, Incoming& message, const udp::Datagram& first,
                           std::span<const Packet> payloads, std::size_t segment);

  std::unique_ptr<udp::UdpSocket> udp_;
  InterfaceId peer_interface_ = InterfaceId::kAny;  // of a link-local peer
  EventLoop& clock_;
  ErrorQueue errors_;
  std::vector<std::uint8_t> corked_;  // MSG_MORE, UDP_CORK: the datagram so far
  udp::SendTo corked_to_;             // what its first piece said
  bool is_corked_ = false;            // there is such a datagram, perhaps without octets
  bool cork_ = false;                 // UDP_CORK
  bool join_ = false;                 // UDP_GRO
  std::uint16_t segment_ = 0;         // UDP_SEGMENT
  std::uint32_t timestamp_key_ = 0;   // of what is sent next
  std::uint32_t copies_ = 0;          // MSG_ZEROCOPY: how many calls had it
  bool receive_shut_ = false;
  bool send_shut_ = false;
};

}  // namespace transom::sockets
