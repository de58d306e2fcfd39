// TCP of one Host (RFC 9293): finds what a segment belongs to, and owns what there is to belong to:
// connections, listeners, half-open records and TIME-WAIT records.
//
//   segment ─► connection table ─► Connection::segment_arrives
//          └► TIME-WAIT table ─► re-ACK, reopen, or drop
//          └► listener table   ─► Listener: SYN queue, cookies, accept queue
//          └► nothing: a reset (RFC 9293 §3.10.7.1)
//
// All look-ups are keyed hashes. A port is held by a PortHold, so that bind() and connect() cannot disagree.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stack/base/context.h"
#include "stack/ip/ip_layer.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/fast_open_cookies.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

class ChosenNumbers;
class Connection;
class Core;
class Listener;
class PortTable;

// TCP Fast Open (RFC 7413). As with Linux a client socket and a listener must ask for it, too.
struct FastOpenConfig {
  bool client = true;
  bool server = true;
  bool client_without_cookie = false;  // data in SYNs, and no option: for networks where all is known
  bool server_without_cookie = false;  // data in any SYN is taken
  bool all_listeners = false;          // whether they ask or not; their limit is their backlog
  std::size_t max_servers = 1024;      // of which a client remembers the cookie
};

struct Config {
  std::size_t max_connections = 1 << 21;
  std::size_t max_half_open = 4096;  // all listeners together; cookies beyond
  std::size_t max_time_wait = 1 << 18;
  bool syn_cookies = true;
  Duration msl = std::chrono::seconds(30);  // TIME-WAIT lasts 2 MSL: 60 s, as Linux
  // Least distance of the timeout from SRTT. RFC 6298 §2.4 says 1 s for the timeout; 200 ms is what Linux
  // does.
  Duration min_rto = std::chrono::milliseconds(200);
  Duration fin_wait_2_timeout = std::chrono::seconds(60);  // of a connection that its user has closed
  bool timestamps = true;
  bool sack = true;
  bool window_scaling = true;
  // Of connections whose user has set no sizes (ReceiveTuning, SendBuffer). A large send buffer costs nothing
  // before it is written to, and saves wake-ups of the writer.
  BufferRange receive_buffer{.min = 4 << 10, .initial = 128 << 10, .max = 6 << 20};
  BufferRange send_buffer{.min = 4 << 10, .initial = 512 << 10, .max = 4 << 20};
  bool mtu_probing = true;        // where long segments vanish (PathMtuSearch); as tcp_mtu_probing=1 of Linux
  EcnMode ecn = EcnMode::kAgree;  // as Linux
  FastOpenConfig fast_open;
  std::string_view congestion_control = "cubic";  // of connections that name none
  std::uint16_t first_ephemeral_port = 32768;
  std::uint16_t last_ephemeral_port = 60999;
};

// The claim on a local port. Move-only; released when destroyed.
class PortHold {
 public:
  PortHold() = default;
  PortHold(PortHold&& other) noexcept;
  PortHold& operator=(PortHold&& other) noexcept;
  ~PortHold();

  explicit operator bool() const { return table_ != nullptr; }
  const Endpoint& local() const { return local_; }
  InterfaceId interface() const { return interface_; }
  bool dual_stack() const { return dual_stack_; }

 private:
  friend class PortTable;
  PortTable* table_ = nullptr;
  Endpoint local_;
  InterfaceId interface_ = InterfaceId::kAny;
  bool dual_stack_ = false;
  std::uint32_t claim_ = 0;
};

struct BindRequest {
  Endpoint local;           // unspecified address: any. Port 0: choose one
  bool dual_stack = false;  // with "::": IPv4 too (IPV6_V6ONLY off)
  bool reuse_address = false;
  bool reuse_port = false;
  bool may_be_foreign = false;  // IP_FREEBIND: the address need not be ours
  InterfaceId interface = InterfaceId::kAny;
};

class TcpLayer final : public ip::Transport {
 public:
  TcpLayer(Context& context, ip::IpLayer& ip, const Config& config);
  ~TcpLayer();
  TcpLayer(const TcpLayer&) = delete;
  TcpLayer& operator=(const TcpLayer&) = delete;

  // kAddressNotAvailable for an address that is not ours, kAddressInUse by the rules of Linux.
  Result<PortHold> bind(const BindRequest& request);

  // Active open. Without a hold a port is chosen (RFC 6056). The connection starts in SYN-SENT; its readiness
  // tells the outcome. Fails at once for an address that is not unicast (RFC 9293 MUST-46), without a route,
  // or without a free port. On failure `hold` is left as it was.
  Result<Connection*> connect(PortHold& hold, const Endpoint& remote, const Options& options);

  // Passive open. kAddressInUse when another listener has the port.
  Result<Listener*> listen(PortHold& hold, std::size_t backlog, const Options& options);

  const Config& config() const;
  // Changes count for handshakes that begin from now on; what is sized at the start stays so.
  Config& config();

  // By the name that TCP_CONGESTION gives it, perhaps with parameters: "cubic:beta=0.8". On failure: a line
  // that says what is not understood, and what would be.
  std::expected<const CongestionFactory*, std::string> choose_congestion_control(std::string_view text);
  // By its name alone; nullptr when there is none.
  const CongestionFactory* congestion_control(std::string_view name) const;
  // Of connections that name none, from now on. One that choose_congestion_control() has given.
  void set_standard_congestion_control(const CongestionFactory& factory);
  const CongestionFactory& standard_congestion_control() const;
  std::vector<std::string_view> congestion_controls() const;
  // kAddressInUse when the name is taken. `factory` must outlive the layer.
  Result<void> add_congestion_control(const CongestionFactory& factory);

  // The keys of the cookies of listeners that have none of their own. Who changes the key keeps the old one
  // as the previous for a while (RFC 7413 §4.1.2).
  const FastOpenKeys& fast_open_keys() const;
  const FastOpenConfig& fast_open_config() const;
  void set_fast_open_keys(const FastOpenKeys& keys);

  // Of connections from now on; nullptr: none. See secrets.h. It outlives the layer, or is taken away before.
  void choose_numbers(ChosenNumbers* numbers);

  // Sends what the calls and segments since the last flush have made due. Host calls it after each batch.
  void flush();

  // Everything there is, for ss: listeners, half-open, connections, TIME-WAIT.
  std::vector<Info> connections() const;
  std::size_t connection_count() const;
  std::size_t time_wait_count() const;
  std::size_t half_open_count() const;

  // ip::Transport
  void receive(const ip::Received& received, Packet packet) override;
  bool icmp_error(const ip::IcmpError& error) override;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace transom::tcp
