// SOCK_STREAM: tcp(7).
//
//   FRESH ──listen──► LISTENING            FRESH ──connect──► CONNECTING ──handshake──► CONNECTED
//     ▲                  │ shutdown           ▲                   │ refused, timed out       ▲ accept() gives
//     such a one └──────────────────┘                    └───────────────────┘
//
// A FRESH socket may be bound. One that has failed to connect is FRESH again once connect() has said so, and
// keeps its port if it was bound to one. A connection that has ended stays with its CONNECTED socket until
// that is closed.
#pragma once

#include <deque>

#include "socket_api/error_queue.h"
#include "socket_api/socket.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace transom::sockets {

class TcpSocket final : public Socket, private ip::IcmpErrorListener, private tcp::ProgressListener {
 public:
  explicit TcpSocket(int domain) : Socket({domain, SOCK_STREAM, IPPROTO_TCP}) {}

  Outcome<void> bind(Session& session, const SocketAddress& address) override;
  Outcome<void> listen(Session& session, int backlog) override;
  Outcome<Accepted> accept(Session& session) override;
  Outcome<void> connect(Session& session, const SocketAddress& address) override;
  Outcome<void> disconnect(Session& session) override;
  Outcome<std::size_t> send(Session& session, const Outgoing& message) override;
  Outcome<std::size_t> receive(Session& session, Incoming& message) override;
  Outcome<void> shutdown(Session& session, int how) override;

  // tcp_slices.cpp: as send() and receive(), of octets in buffers of the pool. What is taken leaves the front
  // of `octets`. `flags`: MSG_DONTWAIT or none.
  Outcome<std::size_t> send_slice(Session& session, Slice& octets, int flags = 0);
  // Behind `out`, at most `limit`. They take room in the receive buffer until they are released, as what the
  // connection of this number has given.
  Outcome<std::size_t> receive_slices(Session& session, std::vector<Slice>& out, std::size_t limit);
  std::uint32_t connection_number() const { return connection_number_; }
  void release_slices(std::uint32_t connection, std::size_t octets);

  Outcome<SocketAddress> local_address() const override;
  Outcome<SocketAddress> remote_address() const override;
  Outcome<void> set_option(Session& session, int level, int name, Bytes value) override;
  Outcome<std::size_t> get_option(Session& session, int level, int name, MutableBytes out) override;
  Outcome<int> query(unsigned long request) const override;
  Readiness readiness() const override;

 protected:
  void on_close(Session& session) override;
  void apply_settings(Session& session) override;
  bool takes_filter() const override { return true; }
  bool takes_zero_copy() const override { return true; }
  bool takes_peek_offset() const override { return true; }
  Error take_error() override;
  QueuedMemory queued_memory() const override;
  bool is_listening() const override { return listener_ != nullptr; }
  bool is_bound() const override {
    return bound_.has_value() || connection_ != nullptr || listener_ != nullptr;
  }
  int send_buffer(Session& session) const override;
  int receive_buffer(Session& session) const override;
  Outcome<void> start_timestamp_keys() override;

 private:
  enum class Phase : std::uint8_t { kFresh, kListening, kConnecting, kConnected };

  // A socket for what a listener has accepted.
  TcpSocket(const TcpSocket& listener, tcp::Connection& connection);

  Outcome<void> claim_port(Session& session, const tcp::BindRequest& request);
  Outcome<void> start_connecting(Session& session, const SocketAddress& address, bool fast_open);
  Outcome<void> finish_connecting(Session& session, Instant limit, int unfinished);
  // What is left of the message behind the first `sent` octets; returns how many are taken, those included.
  Outcome<std::size_t> send_octets(Session& session, const Outgoing& message, std::size_t sent);
  Outcome<std::size_t> send_fast(Session& session, const Outgoing& message);  // fast_open.cpp
  Outcome<void> set_fast_open_option(Session& session, int name, Bytes value);
  std::size_t write_fast_open_keys(Session& session, MutableBytes out) const;
  bool is_handshaking() const;
  bool has_ended() const;  // of a connection
  void become_fresh(Session& session, Error error = Error::kNone);
  Errno error_or(int otherwise);  // the pending error, once
  // The connection that there is from now on; nullptr for none any more.
  void set_connection(tcp::Connection* connection);
  // tcp_errors.cpp: IP_RECVERR, SO_TIMESTAMPING.
  void on_icmp_error(const ip::IcmpError& error) override;
  void on_progress() override;
  void note_write(std::size_t octets);
  void note_copied(Session& session, const Outgoing& message);
  bool has_reports() const override { return reports_ && !reports_->queue.empty(); }
  Outcome<std::size_t> receive_report(Session& session, Incoming& message);
  void write_stream_control(Session& session, Incoming& message) const;
  Outcome<std::size_t> receive_octets(Session& session, Incoming& message);
  Outcome<std::size_t> receive_urgent(Incoming& message);
  Outcome<std::size_t> read_once(Incoming& message, std::size_t offset);
  Outcome<std::size_t> discard_once(std::size_t wanted);
  Outcome<std::size_t> peek_once(Incoming& message);
  bool may_read_more() const;
  // SO_RCVLOWAT as far as it can be reached: what makes the socket readable, and what a read waits for.
  std::size_t low_water() const;
  void linger(Session& session);
  Outcome<void> set_tcp_option(Session& session, int name, Bytes value);
  Outcome<std::size_t> write_saved_syn(MutableBytes out) const;
  Outcome<std::size_t> get_tcp_option(Session& session, int name, MutableBytes out) const;

  Phase phase_ = Phase::kFresh;
  std::optional<tcp::BindRequest> bound_;  // what bind() was asked for, with the port that it got
  tcp::PortHold hold_;                     // until it goes to the connection or the listener
  tcp::Listener* listener_ = nullptr;
  tcp::Connection* connection_ = nullptr;
  std::uint32_t connection_number_ = 0;  // how many it has had
  tcp::Options options_;
  std::optional<tcp::FastOpenKeys> fast_open_keys_;  // TCP_FASTOPEN_KEY
  // What there is to tell besides the octets; few sockets have it.
  struct Reports {
    struct Write {
      std::uint64_t end = 0;  // offset in the stream
      bool is_sent = false;
    };
    ErrorQueue queue;
    std::deque<Write> writes;  // whose times are asked for
    std::uint64_t first_key = 0;
    std::uint32_t copies = 0;  // MSG_ZEROCOPY: how many calls had it
  };
  Reports& reports();
  EventLoop* clock_ = nullptr;  // since an option was set
  std::unique_ptr<Reports> reports_;
  bool tells_queued_ = false;   // TCP_INQ
  bool thin_timeouts_ = false;  // TCP_THIN_LINEAR_TIMEOUTS, TCP_THIN_DUPACK: kept, without effect
  bool thin_acks_ = false;
  Error error_ = Error::kNone;  // pending, of a fresh socket: its connection was given up
};

}  // namespace transom::sockets
