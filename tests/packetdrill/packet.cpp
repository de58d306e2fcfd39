#include "tests/packetdrill/packet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include <algorithm>
#include <numeric>

namespace packetdrill {

namespace {

constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::string_view kFlags = "FSRP.UEWA";  // from the lowest bit; A: accurate ECN

void put16(Octets& octets, std::uint32_t value) {
  octets.push_back(static_cast<std::uint8_t>(value >> 8));
  octets.push_back(static_cast<std::uint8_t>(value));
}
void put32(Octets& octets, std::uint32_t value) {
  put16(octets, value >> 16);
  put16(octets, value);
}
void set16(Octets& octets, std::size_t at, std::uint32_t value) {
  octets[at] = static_cast<std::uint8_t>(value >> 8);
  octets[at + 1] = static_cast<std::uint8_t>(value);
}
std::uint16_t get16(const Octets& octets, std::size_t at) {
  return static_cast<std::uint16_t>(octets.at(at) << 8 | octets.at(at + 1));
}
std::uint32_t get32(const Octets& octets, std::size_t at) {
  return std::uint32_t{get16(octets, at)} << 16 | get16(octets, at + 2);
}
void append(Octets& octets, const Octets& more) { octets.insert(octets.end(), more.begin(), more.end()); }

std::uint32_t sum_of(const Octets& octets, std::size_t from = 0) {
  std::uint32_t sum = 0;
  for (std::size_t i = from; i < octets.size(); ++i) sum += (i - from) % 2 == 0 ? octets[i] << 8 : octets[i];
  return sum;
}
std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}
std::uint32_t pseudo_header(const Octets& source, const Octets& destination, std::uint32_t protocol,
                            std::size_t size) {
  return sum_of(source) + sum_of(destination) + protocol + static_cast<std::uint32_t>(size);
}

unsigned class_of(const PacketSpec& packet) { return packet.traffic_class.value_or(packet.ecn.value_or(0)); }

// `body` behind an IP header from `source` to `destination`.
Octets wrap(const Octets& source, const Octets& destination, std::uint8_t protocol, const PacketSpec& packet,
            const Octets& body) {
  Octets octets;
  const auto ttl = static_cast<std::uint8_t>(packet.ttl.value_or(255));
  if (source.size() == 4) {
    octets = {0x45, static_cast<std::uint8_t>(class_of(packet))};
    put16(octets, static_cast<std::uint32_t>(20 + body.size()));
    put32(octets, 0);
    octets.push_back(ttl);
    octets.push_back(protocol);
    put16(octets, 0);
    append(octets, source);
    append(octets, destination);
    set16(octets, 10, fold(sum_of(octets)));
  } else {
    put32(octets, 0x60000000U | class_of(packet) << 20);
    put16(octets, static_cast<std::uint32_t>(body.size()));
    octets.push_back(protocol);
    octets.push_back(ttl);
    append(octets, source);
    append(octets, destination);
  }
  append(octets, body);
  return octets;
}

// Timestamps that the stack must be told, and its own sequence numbers, are translated by `flow`.
Octets option_octets(const std::vector<TcpOption>& options, const Flow& flow, bool is_inbound) {
  Octets octets;
  for (const TcpOption& option : options) {
    if (option.name == "nop") octets.push_back(1);
    if (option.name == "eol") octets.push_back(0);
    if (option.name == "sackOK") append(octets, {4, 2});
    if (option.name == "mss") {
      append(octets, {2, 4});
      put16(octets, option.numbers[0]);
    }
    if (option.name == "wscale") append(octets, {3, 3, static_cast<std::uint8_t>(option.numbers[0])});
    if (option.name == "TS") {
      append(octets, {8, 10});
      const auto live = [&](std::uint32_t number) {
        const auto found = flow.timestamps.find(number);
        return found != flow.timestamps.end() ? found->second : number;
      };
      put32(octets, is_inbound ? option.numbers[0] : live(option.numbers[0]));
      put32(octets, is_inbound ? live(option.numbers[1]) : option.numbers[1]);
    }
    if (option.name == "sack") {
      append(octets, {5, static_cast<std::uint8_t>(2 + 4 * option.numbers.size())});
      for (const std::uint32_t edge : option.numbers) put32(octets, edge + (is_inbound ? flow.local_isn : 0));
    }
    if (option.name == "FO") {
      append(octets, {34, static_cast<std::uint8_t>(2 + option.hex.size() / 2)});
      for (std::size_t i = 0; i + 1 < option.hex.size(); i += 2)
        octets.push_back(static_cast<std::uint8_t>(std::stoi(option.hex.substr(i, 2), nullptr, 16)));
    }
  }
  while (is_inbound && octets.size() % 4 != 0) octets.push_back(0);
  return octets;
}

std::uint32_t flag_bits(const std::string& flags) {
  std::uint32_t bits = 0;
  for (const char flag : flags) {
    const std::size_t bit = kFlags.find(flag);
    if (bit == std::string_view::npos) throw Failure(fmt::format("TCP flag '{}' is not known", flag));
    bits |= 1U << bit;
  }
  return bits;
}

Octets tcp_header(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t sequence,
                  std::uint32_t acknowledgment, const std::string& flags, std::uint32_t window,
                  std::uint32_t urgent, const Octets& options) {
  Octets octets;
  put16(octets, source_port);
  put16(octets, destination_port);
  put32(octets, sequence);
  put32(octets, acknowledgment);
  put16(octets, static_cast<std::uint32_t>((kTcpHeader + options.size()) / 4) << 12 | flag_bits(flags));
  put16(octets, window);
  put16(octets, 0);
  put16(octets, urgent);
  append(octets, options);
  return octets;
}

}  // namespace

// ---------------------------------------------------------------- to the stack

Octets make_tcp(const Network& network, Flow& flow, const PacketSpec& packet) {
  const std::uint32_t acknowledgment = packet.acknowledgment ? *packet.acknowledgment + flow.local_isn : 0;
  Octets body =
      tcp_header(flow.remote_port, flow.local_port, packet.sequence, acknowledgment, packet.flags,
                 packet.window.value_or(0), packet.urgent, option_octets(packet.options, flow, true));
  body.resize(body.size() + packet.length);
  set16(body, 16,
        fold(sum_of(body) + pseudo_header(network.remote, network.local, IPPROTO_TCP, body.size())));
  const bool counts = packet.flags.find_first_of("SF") != std::string::npos;
  flow.sent = std::max(flow.sent, packet.sequence + packet.length + (counts ? 1 : 0));
  return wrap(network.remote, network.local, IPPROTO_TCP, packet, body);
}

Octets make_udp(const Network& network, const Flow& flow, const PacketSpec& packet) {
  Octets body;
  put16(body, flow.remote_port);
  put16(body, flow.local_port);
  put16(body, static_cast<std::uint32_t>(kUdpHeader + packet.length));
  put16(body, 0);
  body.resize(body.size() + packet.length);
  set16(body, 6, fold(sum_of(body) + pseudo_header(network.remote, network.local, IPPROTO_UDP, body.size())));
  return wrap(network.remote, network.local, IPPROTO_UDP, packet, body);
}

Octets make_icmp(const Network& network, const Flow& flow, const PacketSpec& packet) {
  Octets quoted;
  if (packet.quotes_udp) {
    put16(quoted, flow.local_port);
    put16(quoted, flow.remote_port);
    put16(quoted, static_cast<std::uint32_t>(kUdpHeader + packet.length));
    put16(quoted, 0);
  } else {
    quoted =
        tcp_header(flow.local_port, flow.remote_port, packet.sequence + flow.local_isn, 0, ".", 0, 0, {});
    quoted.resize(kUdpHeader + (network.is_v6 ? kTcpHeader - kUdpHeader : 0));
  }
  Octets body{static_cast<std::uint8_t>(packet.icmp_type), static_cast<std::uint8_t>(packet.icmp_code), 0, 0};
  put32(body, packet.icmp_mtu);
  append(body,
         wrap(network.local, network.remote, packet.quotes_udp ? IPPROTO_UDP : IPPROTO_TCP, {}, quoted));
  const std::uint8_t protocol = network.is_v6 ? std::uint8_t{IPPROTO_ICMPV6} : std::uint8_t{IPPROTO_ICMP};
  const std::uint32_t pseudo =
      network.is_v6 ? pseudo_header(network.remote, network.local, IPPROTO_ICMPV6, body.size()) : 0;
  set16(body, 2, fold(sum_of(body) + pseudo));
  return wrap(network.remote, network.local, protocol, {}, body);
}

// ---------------------------------------------------------------- from the stack

LivePacket take_apart(const Octets& octets) {
  LivePacket live;
  Octets source;
  Octets destination;
  Octets body;
  const auto part = [&](std::size_t from, std::size_t size) {
    return Octets(octets.begin() + static_cast<long>(from), octets.begin() + static_cast<long>(from + size));
  };
  if (octets.empty()) throw Failure("no packet: IP header overflows packet");
  live.is_v6 = octets[0] >> 4 == 6;
  if (octets.size() < (live.is_v6 ? 40U : 20U)) throw Failure("IP header overflows packet");
  if (live.is_v6) {
    if (get16(octets, 4) + 40U != octets.size()) throw Failure("wrong IPv6 payload length");
    live.traffic_class = static_cast<std::uint8_t>(get16(octets, 0) >> 4);
    live.protocol = octets[6];
    live.ttl = octets[7];
    source = part(8, 16);
    destination = part(24, 16);
    body = part(40, octets.size() - 40);
  } else {
    if (octets[0] != 0x45) throw Failure("IPv4 options");
    if (get16(octets, 2) != octets.size()) throw Failure("wrong IPv4 total length");
    if ((get16(octets, 6) & 0x3fff) != 0) throw Failure("a fragment");
    if (fold(sum_of(part(0, 20))) != 0) throw Failure("wrong IPv4 header checksum");
    live.traffic_class = octets[1];
    live.ttl = octets[8];
    live.protocol = octets[9];
    source = part(12, 4);
    destination = part(16, 4);
    body = part(20, octets.size() - 20);
  }
  if (live.protocol != IPPROTO_TCP && live.protocol != IPPROTO_UDP) return live;
  if (fold(sum_of(body) + pseudo_header(source, destination, live.protocol, body.size())) != 0)
    throw Failure("wrong TCP or UDP checksum");
  live.local_port = get16(body, 0);
  live.remote_port = get16(body, 2);
  if (live.protocol == IPPROTO_UDP) {
    if (get16(body, 4) != body.size()) throw Failure("wrong UDP length");
    live.payload = body.size() - kUdpHeader;
    return live;
  }
  live.sequence = get32(body, 4);
  live.acknowledgment = get32(body, 8);
  const std::size_t header = static_cast<std::size_t>(body.at(12) >> 4) * 4;
  if (header < kTcpHeader || header > body.size()) throw Failure("wrong TCP header length");
  for (std::size_t bit = 0; bit < kFlags.size(); ++bit) {
    if ((get16(body, 12) >> bit & 1) != 0) live.flags += kFlags[bit];
  }
  live.window = get16(body, 14);
  live.urgent = get16(body, 18);
  live.options.assign(body.begin() + kTcpHeader, body.begin() + static_cast<long>(header));
  live.payload = body.size() - header;
  if (std::any_of(body.begin() + static_cast<long>(header), body.end(),
                  [](std::uint8_t octet) { return octet != 0; }))
    throw Failure("payload that was not written");
  return live;
}

std::string describe(const LivePacket& live, const Flow& flow) {
  if (live.protocol == IPPROTO_UDP) return fmt::format("udp ({})", live.payload);
  const std::uint32_t sequence = live.sequence - flow.local_isn;
  return fmt::format("{} {}:{}({}) ack {} win {} urg {} tos 0x{:x} <{:02x}>", live.flags, sequence,
                     sequence + live.payload, live.payload, live.acknowledgment, live.window, live.urgent,
                     live.traffic_class, fmt::join(live.options, " "));
}

std::string compare_tcp(const LivePacket& live, const PacketSpec& packet, Flow& flow, std::uint32_t first) {
  if (live.has('S') && !flow.has_local_isn) {
    flow.has_local_isn = true;
    flow.local_isn = live.sequence - packet.sequence;
  }
  std::string wanted = packet.flags;
  const bool is_last = first + live.payload >= packet.length;
  if (!is_last) std::erase_if(wanted, [](char flag) { return flag == 'P' || flag == 'F'; });
  const auto bits = [](const std::string& flags) { return flag_bits(flags); };
  if (bits(live.flags) != bits(wanted)) return fmt::format("flags {}, expected {}", live.flags, wanted);
  if (live.sequence - flow.local_isn != packet.sequence + first) return "another sequence number";
  if (first + live.payload > packet.length || (live.payload == 0 && packet.length > 0))
    return "another payload length";
  if (packet.acknowledgment && live.acknowledgment != *packet.acknowledgment) return "another acknowledgment";
  if (packet.window && live.window != *packet.window) return "another window";
  if (live.urgent != packet.urgent) return "another urgent pointer";
  if (packet.traffic_class && live.traffic_class != *packet.traffic_class) return "another traffic class";
  if (packet.ecn && (live.traffic_class & 3U) != *packet.ecn) return "another ECN field";
  if (packet.ttl && live.ttl != *packet.ttl) return "another TTL";
  if (packet.any_options) return {};
  // Our own timestamps are learnt: where their option begins follows from the options before it.
  std::vector<TcpOption> before;
  for (const TcpOption& option : packet.options) {
    if (option.name == "TS") {
      const std::size_t at = option_octets(before, flow, false).size();
      if (at + 10 <= live.options.size() && live.options[at] == 8)
        flow.timestamps[option.numbers[0]] = get32(live.options, at + 2);
    }
    before.push_back(option);
  }
  if (live.options != option_octets(packet.options, flow, false))
    return fmt::format("other options, expected <{:02x}>",
                       fmt::join(option_octets(packet.options, flow, false), " "));
  return {};
}

}  // namespace packetdrill
