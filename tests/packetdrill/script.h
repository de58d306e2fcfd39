// A script in the language of packetdrill, as far as the scripts here need it:
//
//   `sysctl -q net.ipv4.tcp_timestamps=0`            a command, before all else or at its time
//   0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3  a call and what it returns
//   +0...0.2 read(4, ..., 1000) = 1000               one that blocks, and when it returns
//   +.1 < S 0:0(0) win 32792 <mss 1000,sackOK>       a packet that arrives
//   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>   a packet that must leave
//   +0 %{ assert tcpi_snd_cwnd == 10 }%              what TCP_INFO must say: no more of Python than this
//
// Lines at the start that begin with -- are options: --ip_version=ipv4 (or ipv6, ipv4-mapped-ipv6) for a
// script that holds for that one alone. Times are seconds; one with a plus sign counts from the event before.
// Comments as in C, and from # on.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace packetdrill {

// What is wrong with the script, or with the stack according to it: "file:line: message".
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An argument of a call: 7, "text", ..., [1, 2], {events=POLLIN, fd=4}. Symbols are numbers already.
struct Value {
  enum class Kind : std::uint8_t { kNumber, kText, kEllipsis, kList, kRecord };

  Kind kind = Kind::kNumber;
  long number = 0;
  std::string text{};
  std::vector<Value> items{};                           // of a list, or of a record without names
  std::vector<std::pair<std::string, Value>> fields{};  // of a record

  bool is(Kind wanted) const { return kind == wanted; }
  const Value* field(std::string_view name) const;  // nullptr without
  long number_of(std::string_view name, long otherwise = 0) const;
};

struct Call {
  std::string name{};
  std::vector<Value> arguments{};
  std::optional<long> result{};  // none: anything
  int error = 0;                 // errno that must be set
};

struct TcpOption {
  std::string name{};  // mss, wscale, sackOK, sack, TS, nop, eol, FO
  std::vector<std::uint32_t> numbers{};
  std::string hex{};
};

struct PacketSpec {
  enum class Kind : std::uint8_t { kTcp, kUdp, kIcmp };

  bool is_inbound = false;
  Kind kind = Kind::kTcp;
  std::optional<unsigned> traffic_class{};
  std::optional<unsigned> ecn{};  // the two bits alone
  std::optional<unsigned> ttl{};
  std::string flags{};  // of TCP
  std::uint32_t sequence = 0;
  std::uint32_t length = 0;  // of TCP or UDP payload
  std::optional<std::uint32_t> acknowledgment{};
  std::optional<std::uint32_t> window{};
  std::uint32_t urgent = 0;
  std::vector<TcpOption> options{};
  bool any_options = false;  // <...>
  unsigned icmp_type = 0;
  unsigned icmp_code = 0;
  std::uint32_t icmp_mtu = 0;
  bool quotes_udp = false;  // what the ICMP error quotes: `length` of UDP, else `sequence` of TCP
};

struct Command {
  std::string text{};
};

struct Assertion {
  std::string name{};
  std::string comparison{};  // == != < <= > >=
  long value = 0;
};
using Assertions = std::vector<Assertion>;

struct Event {
  int line = 0;
  std::int64_t time = 0;              // microseconds of script time
  std::optional<std::int64_t> end{};  // of a call that blocks
  std::variant<Call, PacketSpec, Command, Assertions> what{};
};

struct Script {
  std::string ip_version{};  // empty: any
  std::vector<Event> events{};
};

// `ip_version`: what `socket(..., ` and `icmp` mean. There are no events in a script for another one. Throws
// Failure.
Script parse_script(const std::string& path, const std::string& ip_version);

long constant(const std::string& name);  // throws std::out_of_range

}  // namespace packetdrill
