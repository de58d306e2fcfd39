// TCP and UDP.
#include "drivers/capture/text/printer.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

std::string flag_letters(std::uint8_t flags, bool has_accurate_ecn) {
  constexpr std::string_view kLetters = "FSRP.UEW";  // from the lowest bit on
  std::string letters;
  for (unsigned bit = 0; bit < 8; ++bit) {
    if ((flags >> bit & 1U) != 0) letters += kLetters[bit];
  }
  if (has_accurate_ecn) letters += 'e';
  return letters.empty() ? "none" : letters;
}

std::string hex_of(Bytes octets) {
  std::string text;
  for (const std::uint8_t octet : octets) text += fmt::format("{:02x}", octet);
  return text;
}

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 0x10, kUrg = 0x20;

}  // namespace

void Printer::endpoints(const Around& around, std::uint16_t from, std::uint16_t to) {
  if (around.shows_addresses)
    print("{}.{} > {}.{}: ", around.source, from, around.destination, to);
  else
    print("{} > {}: ", from, to);
}

void Printer::tcp(Part part, const Around& around) {
  wire::Reader reader(part.octets);
  const std::uint16_t from = reader.u16(), to = reader.u16();
  if (!reader.ok()) {
    if (around.shows_addresses) print("{} > {}:", around.source, around.destination);
    return truncated("tcp");
  }
  endpoints(around, from, to);
  const std::uint32_t sequence = reader.u32(), acknowledgment = reader.u32();
  const std::uint8_t offset = reader.u8(), flags = reader.u8();
  const unsigned window = reader.u16(), checksum = reader.u16(), urgent = reader.u16();
  if (!reader.ok()) return truncated("tcp");
  const std::uint32_t header = (offset >> 4U) * 4U;
  if (header < 20)
    return print(" tcp {} [bad hdr length {} - too short, < 20]", part.length - std::min(part.length, header),
                 header);
  print("Flags [{}]", flag_letters(flags, (offset & 1U) != 0));
  SequenceBases::Pair bases;
  if (!style_.absolute_numbers && (flags & kAck) != 0)
    bases = bases_.look_up({around.source, Port{from}}, {around.destination, Port{to}}, sequence,
                           acknowledgment, (flags & kSyn) != 0);
  if (header > part.length) return print(" [bad hdr length {} - too long, > {}]", header, part.length);
  if (is_verbose() && !around.is_fragment && part.octets.size() >= part.length) {
    const auto wanted = wanted_checksum(
        part, 16, wire::pseudo_header_sum(around.source, around.destination, IpProtocol::kTcp, part.length));
    print(", cksum 0x{:04x} ", checksum);
    wanted ? print("(incorrect -> 0x{:04x})", *wanted) : print("(correct)");
  }
  const Part payload = part.behind(header);
  const std::uint32_t shown = bases.is_first ? sequence : sequence - bases.own;
  if (style_.verbosity > 1 || payload.length > 0 || (flags & (kSyn | kFin | kRst)) != 0) {
    print(", seq {}", shown);
    if (payload.length > 0) print(":{}", shown + payload.length);
  }
  if ((flags & kAck) != 0) print(", ack {}", bases.is_first ? acknowledgment : acknowledgment - bases.peer);
  print(", win {}", window);
  if ((flags & kUrg) != 0) print(", urg {}", urgent);
  if (header > 20) {
    print(", options [");
    if (!tcp_options(part.first(header).behind(20).octets, bases.peer)) return;
    if (part.octets.size() < header) {
      truncated("tcp");
      return;
    }
    print("]");
  }
  print(", length {}", payload.length);
}

bool Printer::tcp_options(Bytes options, std::uint32_t peer_base) {
  wire::Reader reader(options);
  std::string_view separator;
  while (reader.remaining() > 0) {
    const std::uint8_t kind = reader.u8();
    print("{}", separator);
    separator = ",";
    if (kind == 0) {
      print("eol");
      break;
    }
    if (kind == 1) {
      print("nop");
      continue;
    }
    const std::size_t length = reader.u8();
    const Bytes data = reader.bytes(length < 2 ? options.size() : length - 2);
    if (!reader.ok()) {
      print("[bad opt]");
      return false;
    }
    wire::Reader value(data);
    switch (kind) {
      case 2:
        print("mss {}", value.u16());
        break;
      case 3:
        print("wscale {}", value.u8());
        break;
      case 4:
        print("sackOK");
        break;
      case 5:
        print("sack {} ", data.size() / 8);
        for (std::size_t i = 0; i < data.size() / 8; ++i) {
          const std::uint32_t left = value.u32() - peer_base, right = value.u32() - peer_base;
          print("{{{}:{}}}", left, right);
        }
        break;
      case 8: {
        const std::uint32_t sent = value.u32(), echoed = value.u32();
        print("TS val {} ecr {}", sent, echoed);
        break;
      }
      case 19:
        print("md5 {}", hex_of(data));
        break;
      case 34:
        data.empty() ? print("tfo  cookiereq") : print("tfo  cookie {}", hex_of(data));
        break;
      default:
        print("unknown-{}", kind);
        if (!data.empty()) print(" 0x{}", hex_of(data));
    }
  }
  return true;
}

void Printer::udp(Part part, const Around& around) {
  wire::Reader reader(part.octets);
  const std::uint16_t from = reader.u16(), to = reader.u16();
  const std::uint32_t length = reader.u16();
  const unsigned checksum = reader.u16();
  if (!reader.ok()) {
    if (part.octets.size() >= 4) endpoints(around, from, to);
    return truncated("udp");
  }
  endpoints(around, from, to);
  if (length < 8) return print("truncated-udplength {}", length);
  // As tcpdump: of IPv4 with -vv, of IPv6, where it must be there, with -v.
  if (style_.verbosity > (around.source.is_v4() ? 1 : 0) && !around.is_fragment &&
      part.octets.size() >= part.length) {
    if (checksum == 0) {
      print("[no cksum] ");
    } else {
      const auto wanted = wanted_checksum(
          part, 6, wire::pseudo_header_sum(around.source, around.destination, IpProtocol::kUdp, part.length));
      wanted ? print("[bad udp cksum 0x{:04x} -> 0x{:04x}!] ", checksum, *wanted) : print("[udp sum ok] ");
    }
  }
  const Part payload = part.behind(8).first(length - 8);
  const auto is_either = [&](std::uint16_t port) { return from == port || to == port; };
  if (depth_ == 0 && (is_either(53) || is_either(5353) || is_either(5355))) return dns(payload);
  if (depth_ == 0 && (is_either(67) || is_either(68)) && payload.octets.size() >= 34) {
    wire::Reader dhcp(payload.octets);
    const bool is_request = dhcp.u8() == 1;
    dhcp.skip(27);
    print("BOOTP/DHCP, {}", is_request ? "Request" : "Reply");
    if (is_request) print(" from {}", wire::read_mac(dhcp));
    return print(", length {}", payload.length);
  }
  if (length > part.length && !around.is_fragment)
    print("UDP, bad length {} > {}", length - 8, part.length - 8);
  else
    print("UDP, length {}", length - 8);
}

}  // namespace transom::drivers
