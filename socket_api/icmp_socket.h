// SOCK_DGRAM over ICMP or ICMPv6, as ping uses it: sends echo requests, receives the replies. The octets that
// pass are the ICMP message from its type on; the stack puts in the identifier, which is the socket's port,
// and the checksum.
#pragma once

#include "socket_api/error_queue.h"
#include "socket_api/socket.h"
#include "stack/ip/echo_socket.h"

namespace transom::sockets {

class IcmpSocket final : public Socket, private ip::IcmpErrorListener {
 public:
  explicit IcmpSocket(int domain)
      : Socket({domain, SOCK_DGRAM, domain == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}}) {}

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
  bool has_reports() const override { return !errors_.empty(); }

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session&) override {}
  Error take_error() override { return std::exchange(error_, Error::kNone); }
  QueuedMemory queued_memory() const override {
    return {.received = next_ && next_->payload ? next_->payload.memory() : 0};
  }
  bool is_bound() const override { return echo_ != nullptr; }
  int send_buffer(Session& session) const override;
  int receive_buffer(Session& session) const override;

 private:
  void open(Session& session, std::uint16_t identifier);
  void on_icmp_error(const ip::IcmpError& error) override;
  // The next reply for the user, kept in next_.
  bool fetch();
  std::size_t take(Session& session, Incoming& message, const ip::EchoSocket::Reply& reply);

  std::unique_ptr<ip::EchoSocket> echo_;  // from the first bind, connect or send on
  std::optional<ip::EchoSocket::Reply> next_;
  std::optional<SocketAddress> peer_;
  IpAddress local_ = IpAddress();
  Error error_ = Error::kNone;
  ErrorQueue errors_;
  EventLoop* clock_ = nullptr;  // from the moment on when echo_ is there
  bool receive_shut_ = false;
  bool send_shut_ = false;
};

}  // namespace transom::sockets
