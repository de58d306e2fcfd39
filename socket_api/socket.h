// A socket as programs know it: the abstract part. TcpSocket, UdpSocket, IcmpSocket, RawSocket and
// PacketSocket are the kinds there are.
//
// Every call is made within a Session, which holds the lock of the stack. A call that has to wait gives the
// lock away meanwhile, unless the socket is non-blocking. Threads may share a socket; close() wakes those
// that are blocked in it, with EBADF.
#pragma once

#include <memory>
#include <span>

#include "drivers/packet_filter.h"
#include "socket_api/control_messages.h"
#include "socket_api/ip_settings.h"
#include "socket_api/kept_options.h"
#include "socket_api/outcome.h"
#include "socket_api/socket_address.h"
#include "socket_api/stack_instance.h"
#include "socket_api/watcher.h"
#include "stack/base/bytes.h"
#include "stack/base/readiness.h"

namespace transom::sockets {

struct SocketKind {
  int domain = 0;    // AF_INET, AF_INET6, AF_PACKET
  int type = 0;      // SOCK_STREAM, SOCK_DGRAM, SOCK_RAW
  int protocol = 0;  // IPPROTO_...; of AF_PACKET ETH_P_... in network order
};

// What sendmsg(2) is given.
struct Outgoing {
  std::span<const Bytes> pieces;
  std::optional<SocketAddress> to = std::nullopt;
  SendControl control = {};
  int flags = 0;  // MSG_...
};

// What recvmsg(2) is given, and what it says besides the octets.
struct Incoming {
  std::span<const MutableBytes> buffers;
  MutableBytes control = {};
  int flags = 0;  // MSG_...
  std::optional<SocketAddress> from = std::nullopt;
  std::size_t control_size = 0;
  int result_flags = 0;  // MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE
};

enum class Timestamps : std::uint8_t { kNone, kMicroseconds, kNanoseconds };  // SO_TIMESTAMP, SO_TIMESTAMPNS

// Octets that wait in the queues of a socket, and what was lost for want of room.
struct QueuedMemory {
  std::size_t received = 0;
  std::size_t unsent = 0;
  std::uint64_t dropped = 0;
};

// What setsockopt(2) sets for every kind.
struct SocketSettings {
  bool is_non_blocking = false;
  bool reuse_address = false;
  bool reuse_port = false;
  bool broadcast = false;
  bool keep_alive = false;
  bool out_of_band_inline = false;
  std::int32_t linger = -1;  // seconds; -1: off
  Duration receive_timeout = Duration::max();
  Duration send_timeout = Duration::max();
  std::optional<std::uint32_t> send_buffer;  // as it was asked for
  std::optional<std::uint32_t> receive_buffer;
  InterfaceId interface = InterfaceId::kAny;  // SO_BINDTODEVICE
  Timestamps timestamps = Timestamps::kNone;
  unsigned timestamping = 0;                      // SO_TIMESTAMPING: SOF_TIMESTAMPING_...
  bool receive_overflow = false;                  // SO_RXQ_OVFL
  bool no_checksum = false;                       // SO_NO_CHECK: IPv4 datagrams
  bool zero_copy = false;                         // SO_ZEROCOPY: MSG_ZEROCOPY is reported
  int receive_low_water = 1;                      // SO_RCVLOWAT, octets
  std::uint64_t max_pacing_rate = UINT64_MAX;     // octets per second; all ones: none
  std::shared_ptr<drivers::PacketFilter> filter;  // SO_ATTACH_FILTER
  bool filter_is_locked = false;                  // SO_LOCK_FILTER
  int peek_offset = -1;  // SO_PEEK_OFF: where the next MSG_PEEK begins; negative: off
  KeptOptions kept;
  IpSettings ip;
};

class Socket : public Pollable, protected ReadinessListener {
 public:
  explicit Socket(const SocketKind& kind) : kind_(kind) {}
  ~Socket() override;  // must have been closed

  // socket(2), without SOCK_NONBLOCK and SOCK_CLOEXEC.
  static Outcome<std::shared_ptr<Socket>> create(Session& session, const SocketKind& kind);

  const SocketKind& kind() const { return kind_; }
  int domain() const { return kind_.domain; }

  virtual Outcome<void> bind(Session& session, const SocketAddress& address) = 0;
  virtual Outcome<void> listen(Session& session, int backlog);
  struct Accepted {
    std::shared_ptr<Socket> socket;
    SocketAddress from;
  };
  virtual Outcome<Accepted> accept(Session& session);
  virtual Outcome<void> connect(Session& session, const SocketAddress& address) = 0;
  virtual Outcome<void> disconnect(Session& session) = 0;  // connect() to AF_UNSPEC
  virtual Outcome<std::size_t> send(Session& session, const Outgoing& message) = 0;
  virtual Outcome<std::size_t> receive(Session& session, Incoming& message) = 0;
  virtual Outcome<void> shutdown(Session& session, int how) = 0;
  // close() blocks only for SO_LINGER.
  void do_not_linger() { settings_.linger = std::min(settings_.linger, 0); }

  virtual Outcome<SocketAddress> local_address() const = 0;
  virtual Outcome<SocketAddress> remote_address() const = 0;

  virtual Outcome<void> set_option(Session& session, int level, int name, Bytes value);
  // Returns how many octets of `out` were written.
  virtual Outcome<std::size_t> get_option(Session& session, int level, int name, MutableBytes out);
  // ioctl(2): FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK.
  virtual Outcome<int> query(unsigned long request) const = 0;

  virtual Readiness readiness() const = 0;
  // Something waits for MSG_ERRQUEUE.
  virtual bool has_reports() const { return false; }
  // Whether send() fails with an error that waits, once, instead of sending.
  virtual bool send_tells_error() const { return true; }
  short events() override { return poll_events(readiness()); }
  Socket* as_socket() override { return this; }
  bool is_non_blocking() const { return settings_.is_non_blocking; }
  void set_non_blocking(bool on) { settings_.is_non_blocking = on; }
  Duration receive_timeout() const { return settings_.receive_timeout; }  // SO_RCVTIMEO; max(): none
  Duration send_timeout() const { return settings_.send_timeout; }        // SO_SNDTIMEO

 protected:
  void on_readiness() final;
  void on_input() final;
  void on_room() final;
  void on_closing(Session& session) final;

  // Releases what the socket has in the stack.
  virtual void on_close(Session& session) = 0;
  // A setting has changed: hand it to the stack.
  virtual void apply_settings(Session& session) = 0;
  virtual Error take_error() = 0;
  virtual bool is_listening() const { return false; }
  virtual bool is_bound() const = 0;
  virtual bool takes_filter() const { return false; }
  virtual bool takes_zero_copy() const { return false; }  // SO_ZEROCOPY
  virtual bool takes_peek_offset() const { return false; }
  // MSG_PEEK has seen so many octets; others are taken, which brings the place nearer from which is looked
  // ahead.
  void peek_on(std::size_t octets) {
    if (settings_.peek_offset >= 0) settings_.peek_offset += static_cast<int>(octets);
  }
  void peek_back(std::size_t octets) {
    if (settings_.peek_offset >= 0)
      settings_.peek_offset -=
          static_cast<int>(std::min<std::size_t>(octets, static_cast<std::size_t>(settings_.peek_offset)));
  }
  // SOF_TIMESTAMPING_OPT_ID was switched on: reports of what is sent from now on are numbered from 0.
  virtual Outcome<void> start_timestamp_keys() { return {}; }
  virtual int send_buffer(Session& session) const = 0;     // as SO_SNDBUF shows it
  virtual int receive_buffer(Session& session) const = 0;  // as SO_RCVBUF shows it
  virtual QueuedMemory queued_memory() const = 0;

  // When a call that starts now gives up: at once, if it may not block.
  Instant deadline(const Session& session, Duration timeout, int flags) const;
  // Waits for one of `events`. False when the deadline has passed.
  bool wait_for(Session& session, short events, Instant deadline);
  // Repeats `attempt` for as long as it says EAGAIN. EAGAIN after the deadline; EBADF when the socket is
  // closed meanwhile.
  template <typename Attempt>
  auto repeat(Session& session, short events, Instant deadline, Attempt attempt) -> decltype(attempt()) {
    while (true) {
      auto result = attempt();
      if (result || result.error() != Errno{EAGAIN}) return result;
      if (!wait_for(session, events, deadline)) return result;
      if (is_closed()) return fail(EBADF);
    }
  }

  // What bind(2) checks first, for all kinds; the interface to bind to.
  Outcome<InterfaceId> check_bind(const SocketAddress& address) const;
  // What connect(2) and sendto(2) check of a destination: EINVAL for a link-local IPv6 address without an
  // interface, ENETUNREACH for an IPv4 one with IPV6_V6ONLY.
  Outcome<InterfaceId> check_destination(const SocketAddress& address) const;
  bool dual_stack() const { return kind_.domain == AF_INET6 && !settings_.ip.v6_only; }

  SocketSettings settings_;

 private:
  Outcome<void> set_filter_option(int name, Bytes value);
  Outcome<void> set_timestamping(Bytes value);
  Outcome<void> set_socket_option(Session& session, int name, Bytes value);
  Outcome<std::size_t> get_socket_option(Session& session, int name, MutableBytes out);
  Outcome<std::size_t> write_memory_info(Session& session, MutableBytes out);

  SocketKind kind_;
  std::uint64_t cookie_ = 0;  // SO_COOKIE; 0: nobody has asked for it yet
};

}  // namespace transom::sockets
