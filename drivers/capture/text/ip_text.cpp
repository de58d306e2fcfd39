// IPv4 and IPv6 headers, and the way to what they carry.
#include "drivers/capture/text/printer.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers {

namespace {

std::string_view name_of(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kHopByHop:
      return "Options";
    case IpProtocol::kIcmp:
      return "ICMP";
    case IpProtocol::kIgmp:
      return "IGMP";
    case IpProtocol::kTcp:
      return "TCP";
    case IpProtocol::kUdp:
      return "UDP";
    case IpProtocol::kRouting:
      return "Routing";
    case IpProtocol::kFragment:
      return "Fragment";
    case IpProtocol::kEsp:
      return "ESP";
    case IpProtocol::kAuthentication:
      return "AH";
    case IpProtocol::kIcmpv6:
      return "ICMPv6";
    case IpProtocol::kNoNextHeader:
      return "None";
    case IpProtocol::kDestinationOptions:
      break;  // tcpdump has no name for it
  }
  return "unknown";
}

std::string_view name_of_ipv4_option(std::uint8_t type) {
  switch (type) {
    case 0:
      return "EOL";
    case 1:
      return "NOP";
    case 7:
      return "RR";
    case 68:
      return "timestamp";
    case 130:
      return "security";
    case 131:
      return "LSRR";
    case 137:
      return "SSRR";
    case 148:
      return "RA";
    default:
      return {};
  }
}

bool has_ports(IpProtocol protocol) { return protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp; }

constexpr unsigned kMaxDepth = 2;  // errors quote packets, which may be errors that quote packets

}  // namespace

std::optional<std::uint16_t> Printer::wanted_checksum(Part part, std::size_t field,
                                                      const std::optional<wire::ChecksumSum>& pseudo_header) {
  if (part.octets.size() < part.length || field + 2 > part.octets.size()) return std::nullopt;
  wire::ChecksumSum sum = pseudo_header.value_or(wire::ChecksumSum{});
  sum.add(part.octets);
  if (sum.checksum() == 0) return std::nullopt;
  sum = pseudo_header.value_or(wire::ChecksumSum{});
  sum.add(part.octets.first(field));
  sum.add(part.octets.subspan(field + 2));
  return sum.checksum();
}

void Printer::ip(Part part) {
  if (part.octets.empty()) return truncated("ip");
  const unsigned version = part.octets[0] >> 4U;
  if (version == 4) return ipv4(part);
  if (version == 6) return ipv6(part);
  print("unknown ip {}", version);
}

void Printer::ipv4(Part part) {
  if (!part.octets.empty() && part.octets[0] >> 4 != 4) return print("IP{} (invalid)", part.octets[0] >> 4);
  if (!style_.link_header && depth_ == 0) print("IP ");
  wire::Reader reader(part.octets);
  const std::size_t header = std::size_t{reader.u8() & 0xfU} * 4;
  reader.skip(1);
  std::uint32_t length = reader.u16();
  reader.skip(2);
  const std::uint16_t fragment = reader.u16();
  reader.skip(1);
  const IpProtocol protocol{reader.u8()};
  reader.skip(2);
  Around around{.source = wire::read_ipv4_address(reader), .destination = wire::read_ipv4_address(reader)};
  if (!reader.ok()) return truncated("ip");
  if (header < wire::Ipv4Header::kMinSize) return print("bad-hlen {}", header);
  if (length == 0) length = part.length;  // of a super-packet that is longer than the field can say
  if (length < header) return print("bad-len {}", length);
  if (length > part.length) print("truncated-ip - {} bytes missing! ", length - part.length);
  part = {part.first(length).octets, length};
  if (is_verbose()) ipv4_verbose(part, header);
  constexpr std::uint16_t kMore = 0x2000, kOffset = 0x1fff;
  around.is_fragment = (fragment & (kMore | kOffset)) != 0;
  if ((fragment & kOffset) != 0)
    return print("{} > {}: ip-proto-{}", around.source, around.destination, static_cast<int>(protocol));
  if (!has_ports(protocol)) print("{} > {}: ", around.source, around.destination);
  transport(protocol, part.behind(header), around);
}

void Printer::ipv4_verbose(Part part, std::size_t header) {
  wire::Reader reader(part.octets);
  reader.skip(1);
  const unsigned tos = reader.u8();
  print("(tos 0x{:x}", tos);
  constexpr std::array<std::string_view, 4> kEcn{"", ",ECT(1)", ",ECT(0)", ",CE"};
  print("{}", kEcn.at(tos & 3U));
  reader.skip(2);
  const unsigned identification = reader.u16(), fragment = reader.u16(), ttl = reader.u8();
  const IpProtocol protocol{reader.u8()};
  if (ttl >= 1) print(", ttl {}", ttl);
  std::string flags;
  for (const auto& [bit, name] : {std::pair{0x2000U, "+"}, {0x4000U, "DF"}, {0x8000U, "rsvd"}}) {
    if ((fragment & bit) != 0) flags += flags.empty() ? name : fmt::format(", {}", name);
  }
  print(", id {}, offset {}, flags [{}], proto {} ({}), length {}", identification, (fragment & 0x1fffU) * 8,
        flags.empty() ? "none" : flags, name_of(protocol), static_cast<int>(protocol), part.length);
  if (header > wire::Ipv4Header::kMinSize && part.octets.size() >= header) {
    print(", options (");
    wire::Reader options(part.octets.first(header).subspan(wire::Ipv4Header::kMinSize));
    std::string_view separator;
    while (options.remaining() > 0 && options.ok()) {
      const std::uint8_t type = options.u8();
      const std::string_view name = name_of_ipv4_option(type);
      print("{}{}", separator, name.empty() ? fmt::format("unknown {}", type) : std::string(name));
      separator = ",";
      if (type == 0) break;
      if (type == 1) continue;
      const std::size_t length = options.u8();
      if (length < 2) break;
      options.skip(length - 2);
    }
    print(")");
  }
  if (part.octets.size() >= header) {
    const Part only_header = part.first(static_cast<std::uint32_t>(header));
    if (const auto wanted = wanted_checksum(only_header, 10, std::nullopt))
      print(", bad cksum {:x} (->{:x})!", wire::Reader(part.octets.subspan(10)).u16(), *wanted);
  }
  print(")\n    ");
}

void Printer::ipv6(Part part) {
  if (!style_.link_header && depth_ == 0) print("IP6 ");
  wire::Reader reader(part.octets);
  const std::uint32_t first = reader.u32();
  std::uint32_t length = reader.u16();
  IpProtocol next{reader.u8()};
  const unsigned hop_limit = reader.u8();
  Around around{.source = wire::read_ipv6_address(reader), .destination = wire::read_ipv6_address(reader)};
  if (!reader.ok()) return truncated("ip6");
  if (first >> 28 != 6) return print("version error: {} != 6", first >> 28);
  part = part.behind(wire::Ipv6Header::kSize);
  if (length == 0 && next != IpProtocol::kHopByHop) length = part.length;  // a super-packet
  if (is_verbose()) {
    print("(");
    if ((first & 0x0ff00000U) != 0) print("class 0x{:02x}, ", first >> 20U & 0xffU);
    if ((first & 0x000fffffU) != 0) print("flowlabel 0x{:05x}, ", first & 0xfffffU);
    print("hlim {}, next-header {} ({}) payload length: {}) ", hop_limit, name_of(next),
          static_cast<int>(next), length);
  }
  if (length > part.length) print("truncated-ip6 - {} bytes missing!", length - part.length);
  part = {part.first(length).octets, length};
  if (!has_ports(next)) {
    print("{} > {}: ", around.source, around.destination);
    around.shows_addresses = false;
  }
  while (extension_header(next, part, around)) {
  }
}

// Prints one, and moves on to what follows. Prints the transport header and returns false at the end.
bool Printer::extension_header(IpProtocol& next, Part& part, Around& around) {
  wire::Reader reader(part.octets);
  switch (next) {
    case IpProtocol::kHopByHop:
    case IpProtocol::kDestinationOptions: {
      const bool is_hop_by_hop = next == IpProtocol::kHopByHop;
      const auto header = wire::Ipv6ExtensionHeader::parse(reader);
      if (!header) return truncated(is_hop_by_hop ? "hbhopt" : "dstopt"), false;
      print("{} ", is_hop_by_hop ? "HBH" : "DSTOPT");
      if (is_verbose()) ipv6_options(header->body);
      next = header->next_header;
      part = part.behind(header->size);
      return true;
    }
    case IpProtocol::kRouting: {
      const auto header = wire::Ipv6ExtensionHeader::parse(reader);
      if (!header || header->body.size() < 2) return truncated("srcrt"), false;
      routing_header(header->body, header->size / 8 - 1, around);
      next = header->next_header;
      part = part.behind(header->size);
      return true;
    }
    case IpProtocol::kFragment:
      return ipv6_fragment(next, part, around);
    case IpProtocol::kNoNextHeader:
      print("no next header");
      return false;
    default:
      transport(next, part, around);
      return false;
  }
}

void Printer::ipv6_options(Bytes options) {
  wire::Ipv6OptionWalk walk(options);
  wire::Ipv6Option option;
  while (walk.next(option)) {
    if (option.type == wire::Ipv6Option::kPad1)
      print("(pad1)");
    else if (option.type == wire::Ipv6Option::kPadN)
      print("(padn)");
    else if (option.type == wire::Ipv6Option::kRouterAlert && option.data.size() == 2)
      print("(rtalert: 0x{:02x}{:02x}) ", option.data[0], option.data[1]);
    else
      print("(opt_type 0x{:02x}: len={})", option.type, option.data.size());
  }
  print(" ");
}

void Printer::routing_header(Bytes body, std::size_t length, Around& around) {
  wire::Reader reader(body);
  const unsigned type = reader.u8(), left = reader.u8();
  print("RT6 (len={}, type={}{}, segleft={}", length, type, type == 0 ? " [Deprecated]" : "", left);
  const std::uint32_t reserved = reader.u32();
  if (is_verbose() && type == 0) print(", rsv=0x{:x}", reserved);
  for (unsigned i = 0; type == 0 && reader.remaining() >= 16; ++i) {
    const IpAddress address = wire::read_ipv6_address(reader);
    print(", [{}]{}", i, address);
    // RFC 8200 §8.1: checksums are over the last of them.
    if (left > 0) around.destination = address;
  }
  print(") ");
}

bool Printer::ipv6_fragment(IpProtocol& next, Part& part, Around& around) {
  wire::Reader reader(part.octets);
  const auto header = wire::Ipv6FragmentHeader::parse(reader);
  if (!header) return truncated("frag"), false;
  part = part.behind(wire::Ipv6FragmentHeader::kSize);
  if (is_verbose())
    print("frag (0x{:08x}:{}|{})", header->identification, header->offset, part.length);
  else
    print("frag ({}|{})", header->offset, part.length);
  if (header->offset != 0) return false;
  print(" ");
  around.is_fragment = true;
  next = header->next_header;
  return true;
}

void Printer::transport(IpProtocol protocol, Part part, const Around& around) {
  if (depth_ > kMaxDepth) return;
  switch (protocol) {
    case IpProtocol::kTcp:
      return tcp(part, around);
    case IpProtocol::kUdp:
      return udp(part, around);
    case IpProtocol::kIcmp:
      return icmp(part, around);
    case IpProtocol::kIcmpv6:
      return icmpv6(part, around);
    case IpProtocol::kIgmp:
      return igmp(part);
    default:
      print(" ip-proto-{} {}", static_cast<int>(protocol), part.length);
  }
}

}  // namespace transom::drivers
