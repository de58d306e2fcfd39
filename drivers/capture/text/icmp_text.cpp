// ICMP, and ICMPv6 with Neighbor Discovery and MLD.
#include "drivers/capture/text/printer.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers {

namespace {

// What an ICMP error says of the packet that it quotes.
struct Quoted {
  IpAddress destination;
  IpProtocol protocol{};
  std::optional<std::uint16_t> port;  // where it was going

  static std::optional<Quoted> parse(Bytes octets, bool is_v4) {
    wire::Reader reader(octets);
    Quoted quoted;
    if (is_v4) {
      const std::size_t header = std::size_t{reader.u8() & 0xfU} * 4;
      reader.skip(8);
      quoted.protocol = IpProtocol{reader.u8()};
      reader.skip(6);
      quoted.destination = wire::read_ipv4_address(reader);
      if (!reader.ok() || header < 20) return std::nullopt;
      reader.skip(header - 20);
    } else {
      reader.skip(6);
      quoted.protocol = IpProtocol{reader.u8()};
      reader.skip(17);
      quoted.destination = wire::read_ipv6_address(reader);
      if (!reader.ok()) return std::nullopt;
    }
    reader.skip(2);
    const std::uint16_t port = reader.u16();
    if (reader.ok()) quoted.port = port;
    return quoted;
  }
  bool is_of(IpProtocol wanted) const { return protocol == wanted && port.has_value(); }
};

std::string_view name_of_icmpv6(std::uint8_t type) {
  switch (type) {
    case 1:
      return "destination unreachable";
    case 2:
      return "packet too big";
    case 3:
      return "time exceeded in-transit";
    case 4:
      return "parameter problem";
    case 128:
      return "echo request";
    case 129:
      return "echo reply";
    case 130:
      return "multicast listener query";
    case 131:
      return "multicast listener report";
    case 132:
      return "multicast listener done";
    case 133:
      return "router solicitation";
    case 134:
      return "router advertisement";
    case 135:
      return "neighbor solicitation";
    case 136:
      return "neighbor advertisement";
    case 137:
      return "redirect";
    case 143:
      return "multicast listener report v2";
    default:
      return {};
  }
}

}  // namespace

void Printer::icmp(Part part, const Around& around) {
  wire::Reader reader(part.octets);
  const std::uint8_t type = reader.u8(), code = reader.u8();
  const unsigned checksum = reader.u16();
  const std::uint32_t rest = reader.u32();
  if (!reader.ok()) return print("ICMP"), truncated("icmp");
  const Part quoted = part.behind(8);
  print("ICMP ");
  bool is_error = true;
  switch (type) {
    case 0:
    case 8:
      print("echo {}, id {}, seq {}", type == 8 ? "request" : "reply", rest >> 16U, rest & 0xffffU);
      is_error = false;
      break;
    case 3:
      icmp_unreachable(code, part);
      break;
    case 4:
      print("source quench");
      break;
    case 5: {
      const auto packet = Quoted::parse(quoted.octets, true);
      print("redirect {} to {} {}", packet ? packet->destination : IpAddress::v4(0),
            code % 2 == 0 ? "net" : "host", IpAddress::v4(rest));
      break;
    }
    case 11:
      print("{}", code == 0 ? "time exceeded in-transit" : "ip reassembly time exceeded");
      break;
    case 12:
      code == 0 ? print("parameter problem - octet {}", rest >> 24U)
                : print("parameter problem - code {}", code);
      break;
    case 13:
    case 14:
      print("time stamp {} id {} seq {}", type == 13 ? "query" : "reply", rest >> 16U, rest & 0xffffU);
      is_error = false;
      break;
    default:
      print("type-#{}", type);
      is_error = false;
  }
  print(", length {}", part.length);
  if (!is_verbose()) return;
  if (const auto wanted = wanted_checksum(part, 2, std::nullopt); wanted && !around.is_fragment)
    print(" (wrong icmp cksum {:x} (->{:x})!)", checksum, *wanted);
  if (!is_error || quoted.length < 20) return;
  // What is quoted was longer: its own length says how long.
  print("\n\t");
  if (!style_.link_header) print("IP ");
  ++depth_;
  ipv4({quoted.octets,
        std::max<std::uint32_t>(
            quoted.length,
            wire::Reader(quoted.octets.subspan(std::min<std::size_t>(2, quoted.octets.size()))).u16())});
  --depth_;
}

void Printer::icmp_unreachable(std::uint8_t code, Part part) {
  const auto quoted = Quoted::parse(part.behind(8).octets, true);
  if (!quoted) return print("unreachable code {}", code), truncated("icmp");
  const IpAddress& to = quoted->destination;
  switch (code) {
    case 0:
      return print("net {} unreachable", to);
    case 1:
      return print("host {} unreachable", to);
    case 2:
      return print("{} protocol {} unreachable", to, static_cast<int>(quoted->protocol));
    case 3:
      if (quoted->is_of(IpProtocol::kTcp)) return print("{} tcp port {} unreachable", to, *quoted->port);
      if (quoted->is_of(IpProtocol::kUdp)) return print("{} udp port {} unreachable", to, *quoted->port);
      return print("{} protocol {} port {} unreachable", to, static_cast<int>(quoted->protocol),
                   quoted->port.value_or(0));
    case 4: {
      const unsigned mtu = wire::Reader(part.octets.subspan(6)).u16();
      print("{} unreachable - need to frag", to);
      if (mtu != 0) print(" (mtu {})", mtu);
      return;
    }
    case 5:
      return print("{} unreachable - source route failed", to);
    case 6:
      return print("net {} unreachable - unknown", to);
    case 7:
      return print("host {} unreachable - unknown", to);
    case 8:
      return print("{} unreachable - source host isolated", to);
    case 9:
      return print("net {} unreachable - admin prohibited", to);
    case 10:
      return print("host {} unreachable - admin prohibited", to);
    case 11:
      return print("net {} unreachable - tos prohibited", to);
    case 12:
      return print("host {} unreachable - tos prohibited", to);
    case 13:
      return print("host {} unreachable - admin prohibited filter", to);
    case 14:
      return print("host {} unreachable - host precedence violation", to);
    case 15:
      return print("host {} unreachable - precedence cutoff", to);
    default:
      return print("#{} {} unreachable", code, to);
  }
}

void Printer::icmpv6(Part part, const Around& around) {
  wire::Reader reader(part.octets);
  const std::uint8_t type = reader.u8(), code = reader.u8();
  const unsigned checksum = reader.u16();
  const std::uint32_t rest = reader.u32();
  if (!reader.ok()) return print("ICMP6"), truncated("icmp6");
  if (is_verbose() && depth_ == 0 && !around.is_fragment && part.octets.size() >= part.length) {
    const auto wanted = wanted_checksum(
        part, 2,
        wire::pseudo_header_sum(around.source, around.destination, IpProtocol::kIcmpv6, part.length));
    wanted ? print("[bad icmp6 cksum 0x{:04x} -> 0x{:04x}!] ", checksum, *wanted) : print("[icmp6 sum ok] ");
  }
  const std::string_view name = name_of_icmpv6(type);
  print("ICMP6, {}", name.empty() ? fmt::format("unknown icmp6 type ({})", type) : std::string(name));
  // Of these the verbose text has lines of its own behind the length.
  const bool is_discovery = type >= 133 && type <= 137;
  if (is_verbose() && is_discovery) print(", length {}", part.length);
  const Part quoted = part.behind(8);
  switch (type) {
    case 1:
      icmpv6_unreachable(code, quoted);
      break;
    case 2:
      print(", mtu {}", rest);
      break;
    case 3: {
      const auto packet = Quoted::parse(quoted.octets, false);
      if (code == 0 && packet)
        print(" for {}", packet->destination);
      else if (code == 1)
        print(" (reassembly)");
      break;
    }
    case 4:
      if (code == 0)
        print(", erroneous - octet {}", rest);
      else
        print(", {} - octet {}",
              code == 1   ? "next header"
              : code == 2 ? "option"
                          : "incomplete header chain",
              rest);
      break;
    case 128:
    case 129:
      print(", id {}, seq {}", rest >> 16U, rest & 0xffffU);
      break;
    case 134:
      if (is_verbose()) router_advertisement(part.octets);
      break;
    case 133:
      if (is_verbose()) neighbour_options(quoted.octets);
      break;
    case 135:
    case 136: {
      const IpAddress target = wire::read_ipv6_address(reader);
      if (!reader.ok()) return truncated("icmp6");
      print(", {} {}", type == 135 ? "who has" : "tgt is", target);
      if (!is_verbose()) break;
      if (type == 136) {
        std::string flags;
        for (const auto& [bit, word] : {std::pair{31U, "router"}, {30U, "solicited"}, {29U, "override"}}) {
          if ((rest >> bit & 1U) != 0) flags += flags.empty() ? word : fmt::format(", {}", word);
        }
        print(", Flags [{}]", flags.empty() ? "none" : flags);
      }
      neighbour_options(part.behind(24).octets);
      break;
    }
    case 137: {
      const IpAddress target = wire::read_ipv6_address(reader), destination = wire::read_ipv6_address(reader);
      if (!reader.ok()) return truncated("icmp6");
      print(", {} to {}", destination, target);
      break;
    }
    case 143:
      print(", {} group record(s)", rest & 0xffffU);
      if (is_verbose()) group_records(quoted.octets, 16);
      break;
    case 130:
      if (part.length >= 28) {
        print(" v2");
        break;
      }
      [[fallthrough]];
    case 131:
    case 132: {
      const unsigned delay = rest >> 16U;
      const IpAddress group = wire::read_ipv6_address(reader);
      if (reader.ok()) print("max resp delay: {} addr: {}", delay, group);
      break;
    }
    default:
      break;
  }
  if (!is_verbose()) print(", length {}", part.length);
}

void Printer::icmpv6_unreachable(std::uint8_t code, Part quoted) {
  constexpr std::array<std::string_view, 5> kCodes{"unreachable route", "unreachable prohibited",
                                                   "beyond scope", "unreachable address", "unreachable port"};
  print(", {}",
        code < kCodes.size() ? std::string(kCodes.at(code)) : fmt::format("unknown unreach code ({})", code));
  const auto packet = Quoted::parse(quoted.octets, false);
  if (!packet) return truncated("icmp6");
  if (code < 4) return print(" {}", packet->destination);
  if (packet->is_of(IpProtocol::kTcp)) return print(", {} tcp port {}", packet->destination, *packet->port);
  if (packet->is_of(IpProtocol::kUdp)) return print(", {} udp port {}", packet->destination, *packet->port);
  print(", {}", packet->destination);
}

// RFC 4861 §4.6
void Printer::neighbour_options(Bytes options) {
  wire::Reader reader(options);
  while (reader.remaining() >= 8) {
    const unsigned type = reader.u8();
    const std::size_t units = reader.u8();
    if (units == 0) return;
    const Bytes data = reader.bytes(units * 8 - 2);
    if (!reader.ok()) return truncated("icmp6");
    const auto head = [&](std::string_view name) {
      print("\n\t  {} option ({}), length {} ({}): ", name, type, units * 8, units);
    };
    wire::Reader value(data);
    switch (type) {
      case 1:
      case 2:
        head(type == 1 ? "source link-address" : "destination link-address");
        print("{}", wire::read_mac(value));
        break;
      case 3: {
        head("prefix info");
        const unsigned length = value.u8(), flags = value.u8();
        const std::uint32_t valid = value.u32(), preferred = value.u32();
        value.skip(4);
        std::string names;
        if ((flags & 0x80U) != 0) names += "onlink";
        if ((flags & 0x40U) != 0) names += names.empty() ? "auto" : ", auto";
        const auto time = [](std::uint32_t seconds) {
          return seconds == ~std::uint32_t{0} ? std::string("infinity") : fmt::format("{}s", seconds);
        };
        print("{}/{}, Flags [{}], valid time {}, pref. time {}", wire::read_ipv6_address(value), length,
              names.empty() ? "none" : names, time(valid), time(preferred));
        break;
      }
      case 5:
        head("mtu");
        value.skip(2);
        print(" {}", value.u32());
        break;
      default:
        head("unknown");
    }
  }
}

// RFC 4861 §4.2
void Printer::router_advertisement(Bytes octets) {
  wire::Reader reader(octets);
  reader.skip(4);
  const unsigned hop_limit = reader.u8(), flags = reader.u8(), lifetime = reader.u16();
  const std::uint32_t reachable = reader.u32(), retransmit = reader.u32();
  if (!reader.ok()) return truncated("icmp6");
  std::string names;
  if ((flags & 0x80U) != 0) names += "managed";
  if ((flags & 0x40U) != 0) names += names.empty() ? "other stateful" : ", other stateful";
  constexpr std::array<std::string_view, 4> kPreferences{"medium", "high", "reserved",
                                                         "low"};  // RFC 4191 §2.1
  print("\n\thop limit {}, Flags [{}], pref {}, router lifetime {}s, reachable time {}ms, retrans timer {}ms",
        hop_limit, names.empty() ? "none" : names, kPreferences.at(flags >> 3U & 3U), lifetime, reachable,
        retransmit);
  neighbour_options(reader.rest());
}

}  // namespace transom::drivers
