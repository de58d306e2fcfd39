// IGMP, and the records of groups that it shares with MLD.
#include "drivers/capture/text/printer.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers {

// Of IGMPv3 and MLDv2 (RFC 9776 §4.2.4, RFC 9777 §5.2.4).
void Printer::group_records(Bytes octets, std::size_t address_size) {
  constexpr std::array<std::string_view, 7> kTypes{"", "is_in", "is_ex", "to_in", "to_ex", "allow", "block"};
  wire::Reader reader(octets);
  // A number of sources that is not there ends it.
  while (reader.ok() && reader.remaining() >= 4 + address_size) {
    const unsigned type = reader.u8();
    const std::size_t auxiliary = reader.u8();
    const std::size_t sources = reader.u16();
    const IpAddress group =
        address_size == 4 ? wire::read_ipv4_address(reader) : wire::read_ipv6_address(reader);
    print(" [gaddr {} {}", group, type < kTypes.size() ? kTypes.at(type) : "unknown");
    if (style_.verbosity > 1) {
      print(" {{");
      for (std::size_t i = 0; i < sources && reader.remaining() >= address_size; ++i)
        print(" {}", address_size == 4 ? wire::read_ipv4_address(reader) : wire::read_ipv6_address(reader));
      print(" }}]");
      reader.skip(auxiliary * 4);
      continue;
    }
    print(", {} source(s)]", sources);
    reader.skip(sources * address_size + auxiliary * 4);
  }
}

void Printer::igmp(Part part) {
  wire::Reader reader(part.octets);
  const unsigned type = reader.u8();
  const unsigned delay = reader.u8();
  reader.skip(2);
  const IpAddress group = wire::read_ipv4_address(reader);
  if (!reader.ok()) return print("igmp"), truncated("igmp");
  print("igmp ");
  switch (type) {
    case 0x11:
      print("query {}", part.length >= 12 ? "v3" : delay == 0 ? "v1" : "v2");
      if (group != IpAddress::v4(0)) print(" [gaddr {}]", group);
      break;
    case 0x12:
      print("v1 report {}", group);
      break;
    case 0x16:
      print("v2 report {}", group);
      break;
    case 0x17:
      print("leave {}", group);
      break;
    case 0x22:
      print("v3 report, {} group record(s)", wire::Reader(part.octets.subspan(6)).u16());
      if (is_verbose()) group_records(part.octets.subspan(8), 4);
      break;
    default:
      print("[type {}]", type);
  }
}

}  // namespace transom::drivers
