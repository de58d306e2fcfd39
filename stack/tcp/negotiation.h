// What we put into a SYN, and what the two ends agree on by theirs (RFC 9293 §3.7.1, RFC 7323, RFC 2018).
#pragma once

#include <optional>

#include "stack/ip/ip_layer.h"
#include "stack/tcp/connection_owner.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/segment.h"

namespace transom::tcp {

// What the two ends agreed on in their SYNs.
struct Negotiated {
  std::uint16_t peer_mss = 536;    // without an option: RFC 9293 MUST-15 (1220 for IPv6)
  std::uint8_t send_scale = 0;     // of the windows that we receive
  std::uint8_t receive_scale = 0;  // of the windows that we send
  bool window_scaling = false;
  bool timestamps = false;
  bool sack = false;
  EcnAgreement ecn;
  std::uint32_t ts_recent = 0;
};

// What both kinds of open take from the peer's SYN, given what we offered (RFC 7323 §1.3, RFC 2018 §2).
Negotiated negotiate(const wire::TcpOptions& peer, const wire::TcpOptions& ours, IpFamily family);

// How the SYN-ACK fared that a passive connection comes from.
struct SynAckHistory {
  bool was_repeated = false;
  std::optional<Duration> round_trip{};  // until it was acknowledged; a cookie remembers nothing
};

// What we answer to a SYN that arrives at a listener with these options; `mss` is what we announce.
Negotiated answer_to(const ConnectionOwner& owner, const Options& options, const Segment& syn,
                     std::uint16_t mss);
// The options of our SYN or SYN-ACK. `answering`: the peer's options if this answers a SYN.
wire::TcpOptions syn_options(const Config& config, const Options& options, std::uint16_t mss,
                             const wire::TcpOptions* answering);
// The receive buffer of a connection at its beginning, and the largest it may grow to.
std::uint32_t first_receive_buffer(const Config& config, const Options& options);
std::uint32_t largest_receive_buffer(const Config& config, const Options& options);
// The shift with which `buffer` fits the window field (RFC 7323 §2.3).
std::uint8_t window_shift_for(std::uint32_t buffer);
// The MSS option we send to this destination (RFC 9293 §3.7.1).
std::uint16_t receive_mss(const ip::Destination& destination, const Options& options);

}  // namespace transom::tcp
