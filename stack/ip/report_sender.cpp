#include "stack/ip/report_sender.h"

#include <algorithm>
#include <array>

#include "stack/wire/icmp.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

namespace {

using wire::MembershipRecord;

constexpr std::array<std::uint8_t, 4> kAlertV4{wire::Ipv4Option::kRouterAlert, 4, 0, 0};  // RFC 2113
// Next header, length, router alert with value 0 for MLD (RFC 2711 §2.1), and two octets of padding.
constexpr std::array<std::uint8_t, 8> kAlertV6{static_cast<std::uint8_t>(IpProtocol::kIcmpv6),
                                               0,
                                               wire::Ipv6Option::kRouterAlert,
                                               2,
                                               0,
                                               0,
                                               wire::Ipv6Option::kPadN,
                                               0};

constexpr IpAddress kReportsV4 = IpAddress::v4(224, 0, 0, 22);
constexpr IpAddress kRoutersV4 = IpAddress::v4(224, 0, 0, 2);
constexpr IpAddress kReportsV6 = IpAddress::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16});
constexpr std::uint8_t kInternetworkControl = 0xc0;  // RFC 9776 §4.2.14
constexpr std::size_t kReportHeader = 8;

// RFC 9776 §4.2.13, RFC 9777 §5.2.13: one of ours; none as long as there is none.
IpAddress source_on(const link::Interface& interface, IpFamily family) {
  for (const link::InterfaceAddress& entry : interface.addresses()) {
    const IpAddress& address = entry.prefix.address;
    if (entry.is_usable() && address.family() == family && (address.is_v4() || address.is_link_local()))
      return address;
  }
  return IpAddress::any(family);
}

// The largest report that fits the link.
std::size_t room_on(const link::Interface& interface, IpFamily family) {
  constexpr std::size_t kUsualMtu = 1500;
  const std::size_t headers = family == IpFamily::kIpv4 ? wire::Ipv4Header::kMinSize + kAlertV4.size()
                                                        : wire::Ipv6Header::kSize + kAlertV6.size();
  return std::min<std::size_t>(interface.mtu(), kUsualMtu) - headers;
}

bool is_exclusive(const MembershipRecord& record) {
  return record.type == MembershipRecord::Type::kIsExclude ||
         record.type == MembershipRecord::Type::kToExclude;
}

}  // namespace

template <typename Message>
void ReportSender::send_to(link::Interface& interface, const IpAddress& destination, const Message& message) {
  Packet packet = context_.pool.allocate();
  if (!packet) return context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
  const IpAddress source = source_on(interface, destination.family());
  if (destination.is_v4()) {
    wire::Ipv4Header header;
    header.traffic_class = kInternetworkControl;
    header.options = kAlertV4;
    header.total_length = static_cast<std::uint16_t>(header.size() + message.size());
    header.dont_fragment = true;
    header.ttl = 1;
    header.protocol = IpProtocol::kIgmp;
    header.source = source;
    header.destination = destination;
    const MutableBytes octets = packet.append(header.total_length);
    wire::Writer writer(octets);
    header.write(writer);
    message.write(writer);
    wire::write_icmp_checksum(octets.subspan(header.size()));
    context_.count(Counter::kIpOutRequests);
    context_.count(Counter::kIpExtOutMcastPkts);
    context_.count(Counter::kIpExtOutOctets, octets.size());
  } else {
    wire::Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(kAlertV6.size() + message.size());
    header.next_header = IpProtocol::kHopByHop;
    header.hop_limit = 1;
    header.source = source;
    header.destination = destination;
    const MutableBytes octets = packet.append(wire::Ipv6Header::kSize + header.payload_length);
    wire::Writer writer(octets);
    header.write(writer);
    writer.bytes(kAlertV6);
    message.write(writer);
    wire::write_icmpv6_checksum(octets.subspan(wire::Ipv6Header::kSize + kAlertV6.size()), source,
                                destination);
    context_.count(Counter::kIp6OutRequests);
    context_.count(Counter::kIp6OutMcastPkts);
    context_.count(Counter::kIp6OutOctets, octets.size());
    context_.count(Counter::kIcmp6OutMsgs);
  }
  link_.send_multicast(interface, std::move(packet), destination);
}

void ReportSender::send(link::Interface& interface, std::span<const MembershipRecord> records) {
  const IpFamily family = records.front().group.family();
  const bool is_v4 = family == IpFamily::kIpv4;
  const std::size_t room = room_on(interface, family) - kReportHeader;
  const std::size_t address = is_v4 ? 4 : 16;
  const std::size_t sources_per_record = room / address - 2;
  wire::MembershipReport report;
  std::size_t used = 0;
  const auto flush = [&] {
    if (report.records.empty()) return;
    if (!is_v4) context_.count(Counter::kIcmp6OutMLDv2Reports);
    send_to(interface, is_v4 ? kReportsV4 : kReportsV6, report);
    report.records.clear();
    used = 0;
  };
  for (const MembershipRecord& record : records) {
    std::size_t done = 0;
    do {
      MembershipRecord part{record.type, record.group, {}};
      const std::size_t count = std::min(record.sources.size() - done, sources_per_record);
      const auto first = record.sources.begin() + static_cast<std::ptrdiff_t>(done);
      part.sources.assign(first, first + static_cast<std::ptrdiff_t>(count));
      if (used + part.size() > room) flush();
      used += part.size();
      report.records.push_back(std::move(part));
      done += count;
      // RFC 9776 §4.2.16: "all but these" cannot be said in two parts; what does not fit is let through.
    } while (done < record.sources.size() && !is_exclusive(record));
  }
  flush();
}

void ReportSender::send(link::Interface& interface, const wire::OldMembershipMessage& message) {
  const bool is_leave = message.kind == wire::OldMembershipMessage::Kind::kLeave;
  const bool is_v4 = message.group.is_v4();
  if (!is_v4)
    context_.count(is_leave ? Counter::kIcmp6OutGroupMembReductions : Counter::kIcmp6OutGroupMembResponses);
  send_to(interface, is_leave ? (is_v4 ? kRoutersV4 : kAllRouters) : message.group, message);
}

}  // namespace transom::ip
