// SOCK_RAW over IPv4 or IPv6: raw(7), RFC 3542. It gets a copy of every packet of its protocol that is for
// this host, and sends packets of that protocol, or (IP_HDRINCL) with IP headers of its own making.
//
// As on Linux an IPv4 socket is given the IP header, and an IPv6 socket what is behind the IPv6 headers.
#pragma once

#include "socket_api/copied_packets.h"
#include "socket_api/error_queue.h"
#include "socket_api/socket.h"
#include "stack/ip/raw_receivers.h"

namespace transom::sockets {

class RawSocket final : public Socket, private ip::RawReceiver {
 public:
  RawSocket(Session& session, int domain, int protocol);

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
  // As Linux: only what brings its own header is held up.
  bool send_tells_error() const override { return header_included_; }

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session&) override {}
  Error take_error() override { return std::exchange(error_, Error::kNone); }
  QueuedMemory queued_memory() const override {
    return {.received = packets_.memory(), .dropped = packets_.dropped()};
  }
  bool is_bound() const override { return false; }
  bool takes_filter() const override { return true; }
  int send_buffer(Session& session) const override;
  int receive_buffer(Session& session) const override;

 private:
  IpProtocol protocol() const { return static_cast<IpProtocol>(kind().protocol); }
  IpFamily family() const { return family_of(domain()); }
  bool is_icmp() const;

  // --- ip::RawReceiver
  bool on_packet(const ip::Received& received, const Packet& packet) override;
  void on_icmp_error(const ip::IcmpError& error) override;
  bool is_for_us(const ip::Received& received) const;
  bool blocks_icmp_type(const ip::Received& received, Bytes octets) const;
  bool has_right_checksum(const ip::Received& received, const Packet& packet) const;

  Outcome<Packet> compose(Session& session, const Outgoing& message, std::size_t size) const;
  Outcome<void> send_packet(Session& session, const SocketAddress& to, const SendControl& control,
                            Packet packet);
  // The options of raw(7) and RFC 3542; nullopt for one that is not among them.
  std::optional<Outcome<void>> set_raw_option(int level, int name, Bytes value);
  std::optional<Outcome<std::size_t>> get_raw_option(int level, int name, MutableBytes out) const;

  EventLoop& clock_;
  IpAddress local_;
  std::optional<SocketAddress> peer_;
  CopiedPackets packets_;
  ErrorQueue errors_;
  Error error_ = Error::kNone;
  bool header_included_;      // IP_HDRINCL, IPV6_HDRINCL
  int checksum_offset_ = -1;  // IPV6_CHECKSUM; -1: none
  std::array<std::uint32_t, 8>
      icmp_filter_{};  // ICMP_FILTER (the first), ICMP6_FILTER: types not to be given
  bool receive_shut_ = false;
  bool send_shut_ = false;
};

}  // namespace transom::sockets
