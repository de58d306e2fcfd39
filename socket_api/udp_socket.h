// SOCK_DGRAM over UDP: udp(7).
#pragma once

#include <vector>

#include "socket_api/socket.h"
#include "stack/udp/udp_layer.h"

namespace transom::sockets {

class UdpSocket final : public Socket {
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
  Outcome<int> query(unsigned long request) const override;
  Readiness readiness() const override;

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session& session) override;
  Error take_error() override { return udp_->take_error(); }
  bool is_bound() const override { return udp_->local().port != Port::kNone; }
  int send_buffer() const override { return static_cast<int>(udp_->options().send_buffer); }
  int receive_buffer() const override { return static_cast<int>(udp_->options().receive_buffer); }

 private:
  Outcome<void> bind_if_needed(Session& session);
  void prepare_for(IpFamily family);
  std::size_t take(Incoming& message, const udp::Datagram& datagram);

  std::unique_ptr<udp::UdpSocket> udp_;
  InterfaceId peer_interface_ = InterfaceId::kAny;  // of a link-local peer
  std::vector<std::uint8_t> corked_;                // MSG_MORE: the datagram so far
  bool receive_shut_ = false;
  bool send_shut_ = false;
};

}  // namespace transom::sockets
