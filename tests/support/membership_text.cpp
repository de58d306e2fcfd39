#include "tests/support/membership_text.h"

#include "stack/wire/membership.h"

namespace transom::test {

namespace {

using wire::OldMembershipMessage;

const char* name_of(wire::MembershipRecord::Type type) {
  constexpr const char* kNames[] = {"", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"};
  return kNames[static_cast<int>(type)];
}

void append_lines(const Parsed& packet, Bytes message, std::vector<std::string>& lines) {
  const IpFamily family = packet.source.family();
  const bool is_v4 = family == IpFamily::kIpv4;
  if (const auto report = wire::MembershipReport::parse(family, message)) {
    EXPECT_EQ(packet.destination, address(is_v4 ? "224.0.0.22" : "ff02::16"));
    for (const auto& record : report->records) {
      std::string sources;
      for (const IpAddress& source : record.sources)
        sources += (sources.empty() ? "" : ",") + to_string(source);
      lines.push_back(fmt::format("{} {} {{{}}}", name_of(record.type), record.group, sources));
    }
  } else if (const auto old = wire::OldMembershipMessage::parse(family, message)) {
    const bool is_leave = old->kind == OldMembershipMessage::Kind::kLeave;
    EXPECT_EQ(packet.destination, is_leave ? address(is_v4 ? "224.0.0.2" : "ff02::2") : old->group);
    lines.push_back(fmt::format("{} {}",
                                is_leave                                             ? "leave"
                                : old->kind == OldMembershipMessage::Kind::kReportV1 ? "v1 report"
                                                                                     : "report",
                                old->group));
  } else {
    ADD_FAILURE() << "a membership message that does not parse";
  }
}

}  // namespace

std::vector<std::string> membership_lines(const std::vector<SentFrame>& frames,
                                          const std::optional<IpAddress>& source) {
  std::vector<std::string> lines;
  for (const SentFrame& frame : frames) {
    const Parsed packet = frame.ip();
    if (!packet.ok) continue;
    Bytes message = packet.payload;
    wire::ChecksumSum sum;
    if (packet.protocol == IpProtocol::kIgmp) {
      EXPECT_EQ(frame.payload[0] & 0x0f, 6) << "the options have one word";
      EXPECT_EQ(part(frame.payload, 20, 4), (Octets{0x94, 4, 0, 0}));
      EXPECT_EQ(packet.traffic_class, 0xc0);
    } else if (packet.protocol == IpProtocol::kHopByHop) {
      EXPECT_EQ(part(packet.payload, 0, 8), (Octets{58, 0, 5, 2, 0, 0, 1, 0}));
      message = message.subspan(8);
      sum = wire::pseudo_header_sum(packet.source, packet.destination, IpProtocol::kIcmpv6,
                                    static_cast<std::uint32_t>(message.size()));
    } else {
      continue;
    }
    sum.add(message);
    EXPECT_EQ(sum.checksum(), 0);
    EXPECT_EQ(packet.ttl, 1);
    EXPECT_EQ(frame.ethernet.destination, wire::multicast_mac(packet.destination));
    if (source) {
      EXPECT_EQ(packet.source, *source);
    }
    append_lines(packet, message, lines);
  }
  return lines;
}

}  // namespace transom::test
