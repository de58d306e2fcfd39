// DNS in short (RFC 1035).
#include "drivers/capture/text/printer.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::drivers {

namespace {

std::string name_of_type(unsigned type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 5:
      return "CNAME";
    case 6:
      return "SOA";
    case 12:
      return "PTR";
    case 15:
      return "MX";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 33:
      return "SRV";
    case 41:
      return "OPT";
    case 64:
      return "SVCB";
    case 65:
      return "HTTPS";
    case 255:
      return "ANY";
    default:
      return fmt::format("Type{}", type);
  }
}

// The name at the reader, which moves behind it; compression is followed a bounded number of times. nullopt
// when it runs out of the message. What cannot be printed is shown as '^' and a letter, as cat -v does.
std::optional<std::string> read_name(wire::Reader& reader, Bytes message) {
  std::string name;
  wire::Reader* at = &reader;
  wire::Reader elsewhere(message);
  for (int labels = 0; labels < 128; ++labels) {
    const std::uint8_t length = at->u8();
    if (!at->ok()) return std::nullopt;
    if (length == 0) return name.empty() ? "." : name;
    if ((length & 0xc0U) == 0xc0U) {
      const std::size_t offset = (length & 0x3fU) << 8U | at->u8();
      if (!at->ok() || offset >= message.size()) return std::nullopt;
      elsewhere = wire::Reader(message.subspan(offset));
      at = &elsewhere;
      continue;
    }
    for (const std::uint8_t octet : at->bytes(length)) {
      if (octet < 0x20 || octet >= 0x7f)
        name += fmt::format("^{}", static_cast<char>((octet & 0x1fU) + '@'));
      else
        name += static_cast<char>(octet);
    }
    if (!at->ok() || name.size() > 1024) return std::nullopt;
    name += '.';
  }
  return std::nullopt;
}

}  // namespace

void Printer::dns(Part part) {
  constexpr std::array<std::string_view, 6> kErrors{"",          " FormErr", " ServFail",
                                                    " NXDomain", " NotImp",  " Refused"};
  wire::Reader reader(part.octets);
  const unsigned id = reader.u16(), flags = reader.u16();
  const unsigned questions = reader.u16(), answers = reader.u16(), authorities = reader.u16(),
                 more = reader.u16();
  if (!reader.ok()) return print(" "), truncated("domain");
  const unsigned operation = flags >> 11U & 0xfU, error = flags & 0xfU;
  const std::string op = operation == 0 ? "" : operation == 5 ? " update" : fmt::format(" op{}", operation);
  const bool is_response = (flags & 0x8000U) != 0;
  if (is_response) {
    print("{}{}{}{}{}{}{}", id, op,
          error < kErrors.size() ? std::string(kErrors.at(error)) : fmt::format(" Resp{}", error),
          (flags & 0x0400U) != 0 ? "*" : "", (flags & 0x0080U) != 0 ? "" : "-",
          (flags & 0x0200U) != 0 ? "|" : "", (flags & 0x0020U) != 0 ? "$" : "");
    if (questions != 1) print(" [{}q]", questions);
  } else {
    print("{}{}{}{}", id, op, (flags & 0x0100U) != 0 ? "+" : "", (flags & 0x0010U) != 0 ? "%" : "");
    if (answers != 0) print(" [{}a]", answers);
    if (questions != 1) print(" [{}q]", questions);
    if (authorities != 0) print(" [{}n]", authorities);
    if (more != 0) print(" [{}au]", more);
  }
  for (unsigned i = 0; i < questions; ++i) {
    const auto name = read_name(reader, part.octets);
    const unsigned type = reader.u16();
    const unsigned service = reader.u16();
    if (!name || !reader.ok()) return truncated("domain");
    if (is_response && style_.verbosity < 2) continue;
    print("{} {}?{} {}", is_response ? " q:" : "", name_of_type(type),
          (service & 0x7fffU) == 1 ? "" : fmt::format(" (Class {})", service), *name);
  }
  if (is_response) {
    print(" {}/{}/{}", answers, authorities, more);
    for (unsigned i = 0; i < answers; ++i) {
      if (i > 0) print(",");
      if (!dns_record(reader, part.octets)) return truncated("domain");
    }
  }
  print(" ({})", part.length);
}

bool Printer::dns_record(wire::Reader& reader, Bytes message) {
  const auto owner = read_name(reader, message);
  const unsigned type = reader.u16();
  reader.skip(6);  // class and time to live
  const std::size_t length = reader.u16();
  const std::size_t start = reader.position();
  const Bytes data = reader.bytes(length);
  if (!owner || !reader.ok()) return false;
  if (is_verbose()) print(" {}", *owner);
  print(" {}", name_of_type(type));
  // Names within may point back into the message.
  wire::Reader value(message.first(start + data.size()));
  value.skip(start);
  switch (type) {
    case 1:
      if (length >= 4) print(" {}", wire::read_ipv4_address(value));
      break;
    case 28:
      if (length >= 16) print(" {}", wire::read_ipv6_address(value));
      break;
    case 15: {
      const unsigned preference = value.u16();
      print(" {} {}", read_name(value, message).value_or("?"), preference);
      break;
    }
    case 2:
    case 5:
    case 12:
    case 6:
      print(" {}", read_name(value, message).value_or("?"));
      break;
    case 33: {
      value.skip(4);
      const unsigned port = value.u16();
      print(" {}:{}", read_name(value, message).value_or("?"), port);
      break;
    }
    default:
      break;
  }
  return true;
}

}  // namespace transom::drivers
