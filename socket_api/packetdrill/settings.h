// What can be chosen about the stack: words of `--so_flags`, and the names of sysctl(8) that scripts set.
//
//   local=192.168.0.1/16 mtu=1500 seed=7 timestamps=off net.ipv4.tcp_ecn=1
//
// A word and the sysctl of the same meaning are the same knob.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/address.h"
#include "stack/base/siphash.h"

namespace transom::sockets {

// Read when a socket is made or a handshake begins. -1: what the stack does by itself.
struct Knobs {
  long timestamps = 1;
  long sack = 1;
  long window_scaling = 1;
  long ecn = 2;
  long syn_retries = -1;
  long keepalive_time = -1;
  long keepalive_interval = -1;
  long keepalive_probes = -1;
  long fin_timeout = -1;
  long min_rto_us = -1;
  long not_sent_low_water = -1;
  long ttl = -1;
  long receive_buffer = -1;
  long send_buffer = -1;
  long syn_cookies = 1;
  long fast_open = 1;                   // bits, as Linux has them
  std::optional<SipKey> fast_open_key;  // none: random
  std::string congestion = "cubic";
};

struct Settings {
  std::vector<IpPrefix> addresses;  // of the stack's end
  std::vector<IpAddress> gateways;
  std::uint32_t mtu = 1500;
  std::uint64_t seed = 1;
  std::string sysctl_file;  // where the stand-in for sysctl writes; empty: nowhere
  Knobs knobs;

  // What `--so_flags` says: words with spaces or commas between. The error is a line for people.
  static std::expected<Settings, std::string> parse(std::string_view flags);
};

// Sets the knob of this sysctl. The error says which values it takes; false for a name that is no knob.
std::expected<bool, std::string> set_sysctl(Knobs& knobs, std::string_view name, std::string_view value);

// A line for each knob: word, sysctl, values and meaning.
std::string describe_knobs();

}  // namespace transom::sockets
