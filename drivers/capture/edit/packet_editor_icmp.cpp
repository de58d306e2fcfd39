// PacketEditor within ICMP, ICMPv6 and IGMP: the packets that they quote, and the addresses that they tell
// of.
#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/capture/edit/packet_editor.h"

namespace transom::drivers {

void PacketEditor::icmp(MutableBytes message) {
  if (message.size() < 8) return;
  const std::uint8_t type = message[0];
  const MutableBytes rest = message.subspan(8);
  switch (type) {
    case 0:
    case 8:
      return change_payload(rest, 0, false);
    case 13:  // timestamps
    case 14:
      return;
    case 5:
      change_address(message, 4, 4, false);
      [[fallthrough]];
    case 3:
    case 4:
    case 11:
    case 12:
      ++depth_;
      if (!ip(rest, static_cast<std::uint32_t>(rest.size()))) changes_.unknown(rest);
      --depth_;
      return;
    default:
      changes_.unknown(rest);
  }
}

// RFC 9776 §4: the sources of a query; the records of a report.
void PacketEditor::igmp(MutableBytes message) {
  constexpr std::uint8_t kReportV3 = 0x22;
  if (message.size() < 8) return;
  if (message[0] == kReportV3) return group_records(message.subspan(8), 4);
  change_address(message, 4, 4, false);
  change_addresses(message, 12, 4, true);
}

// | type 1 | auxiliary length 1 | number of sources 2 | group | sources |
void PacketEditor::group_records(MutableBytes records, std::size_t address_size) {
  while (records.size() >= 4 + address_size) {
    const std::size_t sources = u16_at(records, 2);
    change_address(records, 4, address_size, false);
    const std::size_t size = 4 + address_size * (1 + sources) + records[1] * std::size_t{4};
    change_addresses(records.first(std::min(records.size(), 4 + address_size * (1 + sources))),
                     4 + address_size, address_size, true);
    records = behind(records, size);
  }
}

void PacketEditor::icmpv6(MutableBytes message) {
  if (message.size() < 8) return;
  const std::uint8_t type = message[0];
  const MutableBytes rest = message.subspan(8);
  switch (type) {
    case 1:
    case 2:
    case 3:
    case 4:
      ++depth_;
      if (!ip(rest, static_cast<std::uint32_t>(rest.size()))) changes_.unknown(rest);
      --depth_;
      return;
    case 128:
    case 129:
      return change_payload(rest, 0, false);
    case 130:
    case 131:
    case 132:
      change_address(message, 8, 16, false);
      return change_addresses(message, 28, 16, true);
    case 133:
      return neighbour_options(rest, false);
    case 134:
      return neighbour_options(behind(message, 16), false);
    case 135:
    case 136: {
      const bool is_advertisement = type == 136;
      change_address(message, 8, 16, is_advertisement);
      return neighbour_options(behind(message, 24), is_advertisement);
    }
    case 137:
      change_addresses(message.first(std::min<std::size_t>(message.size(), 40)), 8, 16, false);
      return neighbour_options(behind(message, 40), false);
    case 143:
      return group_records(rest, 16);
    default:
      changes_.unknown(rest);
  }
}

// RFC 4861 §4.6
void PacketEditor::neighbour_options(MutableBytes options, bool is_advertisement) {
  while (options.size() >= 8 && options[1] != 0) {
    const MutableBytes option =
        options.first(std::min<std::size_t>(options.size(), options[1] * std::size_t{8}));
    switch (option[0]) {
      case 1:
        change_mac(option, 2, true);
        break;
      case 2:
        change_mac(option, 2, is_advertisement);
        break;
      case 3: {
        if (option.size() < 32) break;
        change_address(option, 16, 16, false);
        const IpPrefix prefix{address_at(option, 16, 16), std::min<std::uint8_t>(option[2], 128)};
        put_address(option, 16, 16, prefix.network().address);
        break;
      }
      case 4: {
        const MutableBytes quoted = option.subspan(8);
        ++depth_;
        if (!ip(quoted, static_cast<std::uint32_t>(quoted.size()))) changes_.unknown(quoted);
        --depth_;
        break;
      }
      case 5:  // the MTU
        break;
      case 25:  // RFC 8106 §5.1
        change_addresses(option, 8, 16, false);
        break;
      default:
        changes_.unknown(option.subspan(2));
    }
    options = options.subspan(option.size());
  }
}

}  // namespace transom::drivers
