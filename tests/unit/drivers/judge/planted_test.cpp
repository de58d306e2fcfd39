// Misbehaviours that are planted, each named by its rule; and beside each, what looks alike and is allowed.
#include "tests/unit/drivers/judge/talk.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;
using Act = void (*)(Talk&);
using transom::test::operator+;
using wire::TcpTimestamps;

struct Planted {
  const char* name;
  std::string_view rule;
  Verdict verdict;
  Act misbehave;
  Act behave;  // must not be named by the rule
  JudgeOptions options{};
};

std::ostream& operator<<(std::ostream& out, const Planted& planted) { return out << planted.name; }

constexpr auto kViolation = Verdict::kViolation;
constexpr auto kUnknown = Verdict::kUnknown;
constexpr auto kLegal = Verdict::kLegal;

JudgeOptions complete() { return {.is_complete = true}; }
JudgeOptions at_second() { return {.captured_at = {IpAddress::v4(10, 0, 0, 2)}}; }
JudgeOptions at_first() { return {.captured_at = {IpAddress::v4(10, 0, 0, 1)}}; }

const IpAddress kA = IpAddress::v4(10, 0, 0, 1), kB = IpAddress::v4(10, 0, 0, 2);
const IpAddress kA6 = *IpAddress::parse("2001:db8::1"), kB6 = *IpAddress::parse("2001:db8::2");

void handshake(Talk& talk) { talk.open(); }
void text_and_ack(Talk& talk) {
  talk.open();
  talk.first({.flags = "PA", .length = 500});
  talk.second({});
}

// Data from the first, up to the window of the second, which is `window`.
void open_with_window(Talk& talk, std::uint16_t window) {
  talk.open({.mss = Talk::kMss}, {.window = window, .mss = Talk::kMss});
}

void time_wait_then_syn(Talk& talk, std::uint32_t number) {
  talk.open();
  talk.first({.length = 100});
  talk.second({.flags = "FA"});  // the second closes first
  talk.first({.flags = "FA"});
  talk.second({});
  talk.wait(2s);
  talk.begin_again(number, 77777);
  talk.open();
}

void repeat(Talk& talk, std::initializer_list<Duration> gaps) {
  talk.open();
  talk.first({.length = 500});
  for (const Duration gap : gaps) talk.first({.seq = 1, .length = 500, .after = gap});
}

void probe(Talk& talk, std::initializer_list<Duration> gaps) {
  talk.open();
  talk.first({.length = 500});
  talk.second({.window = 0});
  for (const Duration gap : gaps) {
    talk.first({.seq = 500, .after = gap});
    talk.second({.window = 0});
  }
}

void ecn_echo(Talk& talk, bool echoes) {
  talk.open_with_ecn();
  talk.first({.length = 500, .ecn = 3});
  talk.second({.flags = echoes ? "AE" : "A"});
}

void ece_rounds(Talk& talk, bool answers) {
  talk.open_with_ecn();
  talk.first({.length = 500, .ecn = 3});
  talk.second({.flags = "AE", .length = 1});
  for (int i = 0; i < 6; ++i) {
    talk.first({.flags = answers && i == 0 ? "AW" : "A", .length = 500, .ecn = 2});
    talk.second({.flags = answers ? "A" : "AE", .length = 1});
  }
}

void small_openings(Talk& talk, std::uint16_t window) {
  talk.open();
  for (int i = 0; i < 5; ++i) {
    talk.second({.window = window});
    talk.first({.length = window < 1000 ? window : std::size_t{500}});
    talk.second({.window = 0});
  }
}

void tiny(Talk& talk, bool waits) {
  talk.open();
  for (int i = 0; i < 40; ++i) {
    talk.first({.length = 1});
    if (waits) talk.second({});
  }
}

void slow_start(Talk& talk, int segments_for_each) {
  talk.open();
  for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
  for (int i = 0; i < 10; ++i) {
    talk.second({.ack = 1 + 1460 * (i + 1)});
    for (int k = 0; k < segments_for_each; ++k) talk.first({.length = 1460});
  }
}

void fragment(Talk& talk, const IpAddress& from, const IpAddress& to, std::uint16_t offset, std::size_t size,
              bool more) {
  if (from.is_v4())
    talk.packet(
        transom::test::ipv4({.source = from, .destination = to, .id = 9, .more = more, .offset = offset},
                            transom::test::pattern(size)));
  else
    talk.packet(transom::test::ipv6(
        {.source = from, .destination = to, .next = IpProtocol::kFragment},
        transom::test::fragment_header(IpProtocol::kUdp, offset, more, 9) + transom::test::pattern(size)));
}

void syn_from(Talk& talk, std::uint16_t port, std::uint32_t number) {
  wire::TcpHeader header;
  header.source_port = Port{port};
  header.destination_port = Port{80};
  header.sequence = SeqNum(number);
  header.flags.syn = true;
  Octets segment(wire::TcpHeader::kMinSize);
  wire::Writer blank(segment);
  header.write(blank);
  wire::ChecksumSum sum = wire::pseudo_header_sum(kA, kB, IpProtocol::kTcp, wire::TcpHeader::kMinSize);
  sum.add(segment);
  header.checksum = sum.checksum();
  wire::Writer writer(segment);
  header.write(writer);
  talk.packet(transom::test::ip_packet(kA, kB, IpProtocol::kTcp, segment));
}

Octets icmp4(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Octets& data) {
  return transom::test::ip_packet(kB, kA, IpProtocol::kIcmp,
                                  transom::test::icmp(kB, kA, type, code, rest, data));
}

Octets quoted_udp(const IpAddress& to) {
  return transom::test::ipv4(
      {.source = kA, .destination = to},
      transom::test::udp({kA, Port{1000}}, {to, Port{53}}, transom::test::pattern(20)));
}

const Planted kPlanted[] = {
    // --- IP
    {"IpChecksum", "rfc791-3.1-header-checksum", kUnknown,
     [](Talk& talk) {
       Octets packet = quoted_udp(kB);
       packet[10] = static_cast<std::uint8_t>(packet[10] ^ 1);
       talk.packet(packet);
     },
     [](Talk& talk) { talk.packet(quoted_udp(kB)); }},
    {"TtlZero", "rfc1122-3.2.1.7-ttl-zero", kViolation,
     [](Talk& talk) { talk.packet(transom::test::ipv4({.source = kA, .destination = kB, .ttl = 0}, {})); },
     [](Talk& talk) { talk.packet(transom::test::ipv4({.source = kA, .destination = kB, .ttl = 1}, {})); }},
    {"FromAGroup", "rfc1122-3.2.1.3-source-address", kViolation,
     [](Talk& talk) {
       talk.packet(transom::test::ipv4({.source = IpAddress::v4(224, 0, 0, 9), .destination = kB}, {}));
     },
     [](Talk& talk) {
       talk.packet(transom::test::ipv4({.source = kB, .destination = IpAddress::v4(224, 0, 0, 9)}, {}));
     }},
    {"Land", "rfc9293-3.9.2.3-same-endpoints", kLegal,
     [](Talk& talk) {
       wire::TcpHeader header;
       header.source_port = header.destination_port = Port{80};
       header.flags.syn = true;
       Octets segment(20);
       wire::Writer writer(segment);
       header.write(writer);
       talk.packet(transom::test::ip_packet(kB, kB, IpProtocol::kTcp, segment));
     },
     handshake},
    {"LengthBeyondThePacket", "rfc791-3.1-length", kViolation,
     [](Talk& talk) {
       Octets packet = quoted_udp(kB);
       packet.resize(packet.size() - 5);
       talk.packet(packet);
     },
     [](Talk& talk) { talk.packet(quoted_udp(kB), 40); }},  // the capture has cut it
    {"FragmentsOverlap", "rfc5722-4-fragment-overlap", kViolation,
     [](Talk& talk) {
       fragment(talk, kA6, kB6, 0, 64, true);
       fragment(talk, kA6, kB6, 32, 64, false);
     },
     [](Talk& talk) {
       fragment(talk, kA6, kB6, 0, 64, true);
       fragment(talk, kA6, kB6, 0, 64, true);  // doubled by the network
       fragment(talk, kA6, kB6, 64, 64, false);
     }},
    {"FragmentsOfIpv4Overlap", "rfc5722-4-fragment-overlap", kLegal,
     [](Talk& talk) {
       fragment(talk, kA, kB, 0, 64, true);
       fragment(talk, kA, kB, 32, 64, false);
     },
     [](Talk& talk) {
       fragment(talk, kA, kB, 0, 64, true);
       talk.wait(2min);
       fragment(talk, kA, kB, 32, 64, false);  // another datagram
     }},
    {"PingOfDeath", "rfc791-3.2-fragment-beyond-end", kViolation,
     [](Talk& talk) { fragment(talk, kA, kB, 65528, 64, false); },
     [](Talk& talk) { fragment(talk, kA, kB, 65400, 64, false); }},
    {"FragmentBehindTheLast", "rfc791-3.2-fragment-beyond-end", kViolation,
     [](Talk& talk) {
       fragment(talk, kA, kB, 64, 64, false);
       fragment(talk, kA, kB, 128, 64, true);
     },
     [](Talk& talk) {
       fragment(talk, kA, kB, 64, 64, false);
       fragment(talk, kA, kB, 0, 64, true);
     }},
    {"FragmentOfOddLength", "rfc8200-4.5-fragment-length", kViolation,
     [](Talk& talk) { fragment(talk, kA6, kB6, 0, 61, true); },
     [](Talk& talk) { fragment(talk, kA6, kB6, 64, 61, false); }},
    {"FragmentWithDf", "rfc791-3.1-fragment-with-df", kLegal,
     [](Talk& talk) {
       talk.packet(transom::test::ipv4({.source = kA, .destination = kB, .dont_fragment = true, .more = true},
                                       transom::test::pattern(64)));
     },
     [](Talk& talk) { fragment(talk, kA, kB, 0, 64, true); }},

    // --- ICMP
    {"IcmpChecksum", "rfc792-checksum", kUnknown,
     [](Talk& talk) {
       Octets packet = icmp4(8, 0, 1, transom::test::pattern(20));
       packet[22] = static_cast<std::uint8_t>(packet[22] ^ 1);
       talk.packet(packet);
     },
     [](Talk& talk) { talk.packet(icmp4(8, 0, 1, transom::test::pattern(20))); }},
    {"IcmpErrorAboutError", "rfc1122-3.2.2-error-about-error", kViolation,
     [](Talk& talk) { talk.packet(icmp4(3, 1, 0, icmp4(11, 0, 0, quoted_udp(kB)))); },
     [](Talk& talk) { talk.packet(icmp4(3, 1, 0, icmp4(8, 0, 0, transom::test::pattern(20)))); }},
    {"IcmpErrorAboutGroup", "rfc1122-3.2.2-error-about-group", kViolation,
     [](Talk& talk) { talk.packet(icmp4(3, 3, 0, quoted_udp(IpAddress::v4(224, 0, 0, 9)))); },
     [](Talk& talk) { talk.packet(icmp4(3, 3, 0, quoted_udp(kB))); }},
    {"IcmpErrorAboutLaterFragment", "rfc1122-3.2.2-error-about-fragment", kViolation,
     [](Talk& talk) {
       talk.packet(icmp4(11, 1, 0,
                         transom::test::ipv4({.source = kA, .destination = kB, .more = true, .offset = 64},
                                             transom::test::pattern(64))));
     },
     [](Talk& talk) {
       talk.packet(icmp4(
           11, 1, 0,
           transom::test::ipv4({.source = kA, .destination = kB, .more = true}, transom::test::pattern(64))));
     }},
    {"IcmpQuoteTooShort", "rfc792-quote", kViolation,
     [](Talk& talk) { talk.packet(icmp4(3, 1, 0, transom::test::part(quoted_udp(kB), 0, 24))); },
     [](Talk& talk) { talk.packet(icmp4(3, 1, 0, transom::test::part(quoted_udp(kB), 0, 28))); }},
    {"IcmpTinyMtu", "rfc8201-4-mtu-too-small", kLegal,
     [](Talk& talk) { talk.packet(icmp4(3, 4, 40, quoted_udp(kB))); },
     [](Talk& talk) { talk.packet(icmp4(3, 4, 1280, quoted_udp(kB))); }},
    {"IcmpErrorQuotesWrongSequence", "rfc5927-4-quoted-sequence", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.seq = 5000000, .length = 8});
       const Octets blind = talk.last();
       talk.packet(icmp4(3, 3, 0, transom::test::part(blind, 0, 28)));
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 8});
       const Octets sent = talk.last();
       talk.packet(icmp4(3, 3, 0, transom::test::part(sent, 0, 28)));
     }},
    {"EchoReplyDiffers", "rfc1122-3.2.2.6-echo-data", kViolation,
     [](Talk& talk) {
       talk.packet(icmp4(8, 0, 7, transom::test::pattern(20)));
       talk.packet(transom::test::ip_packet(
           kA, kB, IpProtocol::kIcmp, transom::test::icmp(kA, kB, 0, 0, 7, transom::test::pattern(20, 1))));
     },
     [](Talk& talk) {
       talk.packet(icmp4(8, 0, 7, transom::test::pattern(20)));
       talk.packet(transom::test::ip_packet(
           kA, kB, IpProtocol::kIcmp, transom::test::icmp(kA, kB, 0, 0, 7, transom::test::pattern(20))));
     }},

    // --- UDP
    {"UdpChecksum", "rfc768-checksum", kUnknown,
     [](Talk& talk) {
       Octets packet = quoted_udp(kB);
       packet[26] = static_cast<std::uint8_t>(packet[26] ^ 1);
       talk.packet(packet);
     },
     [](Talk& talk) { talk.packet(quoted_udp(kB)); }},
    {"UdpLength", "rfc768-length", kViolation,
     [](Talk& talk) {
       Octets packet = quoted_udp(kB);
       packet[25] = 200;
       talk.packet(packet);
     },
     [](Talk& talk) { talk.packet(quoted_udp(kB)); }},
    {"UdpOverIpv6WithoutChecksum", "rfc8200-8.1-no-udp-checksum", kLegal,
     [](Talk& talk) {
       Octets datagram = transom::test::udp({kA6, Port{1}}, {kB6, Port{2}}, transom::test::pattern(20));
       datagram[6] = datagram[7] = 0;
       talk.packet(transom::test::ip_packet(kA6, kB6, IpProtocol::kUdp, datagram));
     },
     [](Talk& talk) {
       talk.packet(transom::test::ip_packet(
           kA6, kB6, IpProtocol::kUdp,
           transom::test::udp({kA6, Port{1}}, {kB6, Port{2}}, transom::test::pattern(20))));
     }},

    // --- TCP: the header
    {"ChecksumOnce", "rfc9293-3.1-checksum", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
     },
     text_and_ack},
    {"ChecksumAgainAndAgain", "rfc9293-3.1-checksum", kViolation,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 4; ++i) talk.first({.seq = 1, .length = 10, .is_damaged = true, .after = 1s});
     },
     text_and_ack},
    {"BadChecksumAccepted", "rfc9293-3.1-bad-checksum-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.second({});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.first({.seq = 1, .length = 10, .after = 1s});
       talk.second({});
     },
     at_second()},
    {"BadChecksumAcceptedPerhaps", "rfc9293-3.1-bad-checksum-accepted", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.second({});
     },
     text_and_ack},
    {"OptionOfImpossibleLength", "rfc9293-3.1-malformed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.options = {2, 1, 0, 0}});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.options = {254, 4, 0, 0}});  // an experiment's (RFC 6994)
     }},
    {"ReservedBits", "rfc9293-3.1-reserved-bits", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.reserved = 4});
     },
     [](Talk& talk) { talk.open({.flags = "SEWa", .mss = Talk::kMss}); }},
    {"SynAndFin", "rfc9293-3.1-flags", kLegal, [](Talk& talk) { talk.first({.flags = "SF"}); }, handshake},
    {"NullScan", "rfc9293-3.1-flags", kLegal, [](Talk& talk) { talk.first({.flags = "N"}); }, handshake},
    {"NoAckFlag", "rfc9293-3.1-ack-flag-missing", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "P", .length = 10});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R"});
     }},
    {"AckFieldWithoutFlag", "rfc9293-3.1-ack-field-without-flag", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .raw_ack = 12345}); }, handshake},
    {"UrgentPointerWithoutFlag", "rfc9293-3.8.5-urgent-pointer", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .urgent = 5});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 5});
     }},
    {"UrgentPointerGoesBack", "rfc9293-3.8.5-urgent-pointer-back", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 100});
       talk.second({.length = 1});
       talk.first({.flags = "UA", .length = 10, .urgent = 5});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 100});
       talk.second({.length = 1});
       talk.first({.flags = "UA", .length = 10, .urgent = 90});
     }},

    // --- TCP: options
    {"MssOutsideSyn", "rfc9293-3.2-mss-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.mss = 1000});
     },
     handshake},
    {"ScaleOutsideSyn", "rfc7323-2.2-scale-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.scale = 3});
     },
     [](Talk& talk) { talk.open({.scale = 3}, {.scale = 3}); }},
    {"SackPermittedOutsideSyn", "rfc2018-2-permitted-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.sack_permitted = true});
     },
     [](Talk& talk) { talk.open_with_sack(); }},
    {"ScaleUnoffered", "rfc7323-2.2-scale-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.scale = 3}); },
     [](Talk& talk) { talk.open({.scale = 0}, {.scale = 3}); }},
    {"ScaleTooLarge", "rfc7323-2.3-scale-above-14", kViolation, [](Talk& talk) { talk.open({.scale = 15}); },
     [](Talk& talk) { talk.open({.scale = 14}); }},
    {"TimestampsUnoffered", "rfc7323-3.2-timestamps-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.timestamps = TcpTimestamps{900, 0}}); },
     [](Talk& talk) { talk.open_with_timestamps(); }},
    {"TimestampsMissing", "rfc7323-3.2-timestamps-missing", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 10});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.flags = "RA"});  // may be without (RFC 7323 §3.2)
     }},
    {"TimestampsNotAgreed", "rfc7323-3.2-timestamps-not-agreed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.timestamps = TcpTimestamps{100, 0}});
     },
     [](Talk& talk) { talk.open_with_timestamps(); }},
    {"SackNotPermitted", "rfc2018-2-sack-not-permitted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.first({.length = 100});
       talk.second({.ack = 1, .sack = {{101, 201}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.length = 100});
       talk.second({.ack = 1, .sack = {{101, 201}}});
     }},
    {"MssExceeded", "rfc9293-3.7.1-mss-exceeded", kViolation,
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 1000});
       talk.first({.length = 100});
     },
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 536});
       talk.first({.length = 536});
     }},
    {"MssExceededBySuperPacket", "rfc9293-3.7.1-mss-exceeded", kUnknown,
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 1072, .id = 103});
       talk.first({.length = 100, .id = 105});  // it was two packets on the wire
     },
     text_and_ack},

    // --- TCP: timestamps
    {"TimestampGoesBack", "rfc7323-5.4-timestamp-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 10, .timestamps = TcpTimestamps{200, 900}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 200}});
       talk.first({.timestamps = TcpTimestamps{150, 950}});
     },
     [](Talk& talk) {  // the network has changed the order
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 200}});
       talk.first({.ack = 11, .timestamps = TcpTimestamps{300, 950}});
       talk.first({.ack = 1, .timestamps = TcpTimestamps{200, 900}});
     }},
    {"EchoOfTheFuture", "rfc7323-4.3-echo-unsent", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 1, .timestamps = TcpTimestamps{5000, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
     }},
    {"EchoGoesBack", "rfc7323-4.3-echo-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 950}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{960, 200}});
       talk.first({.timestamps = TcpTimestamps{201, 900}});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 950}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{960, 200}});
       talk.first({.timestamps = TcpTimestamps{201, 950}});
     }},
    {"EchoInSyn", "rfc7323-3.2-echo-without-ack", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .timestamps = TcpTimestamps{100, 7}}); },
     [](Talk& talk) { talk.open_with_timestamps(); }},

    // --- TCP: opening
    {"SynAckOfAnotherSyn", "rfc9293-3.10.7.3-syn-ack-number", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "SA", .ack = -500});
     },
     handshake},
    {"RefusedWithoutAck", "rfc9293-3.10.7.1-reset-of-syn", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "R"});
     },
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "RA"});
     }},
    {"ResetAnsweredByReset", "rfc9293-3.10.7.1-reset-of-reset", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "R"});
       talk.second({.flags = "RA"});
     },
     [](Talk& talk) {
       talk.first({.flags = "A"});
       talk.second({.flags = "R"});
     },
     complete()},
    {"DataBeforeSynAck", "rfc9293-3.4-data-before-handshake", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.first({.flags = "PA", .length = 100});
       talk.second({.flags = "SA", .ack = 1});
     },
     text_and_ack},
    {"DataInSynWithoutCookie", "rfc9293-3.4-data-before-handshake", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .length = 100}); },
     [](Talk& talk) {
       talk.first(
           {.flags = "S", .length = 100, .cookie = wire::FastOpenCookie::of(transom::test::pattern(8))});
     }},
    {"SynChangesItsNumber", "rfc9293-3.8.1-isn-changes", kLegal,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.wait(1s);
       talk.begin_again(99999, 5);
       talk.first({.flags = "S"});
     },
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.first({.flags = "S", .seq = 0, .after = 1s});
     }},
    {"IsnRepeats", "rfc6528-3-isn-repeats", kLegal,
     [](Talk& talk) {
       for (std::uint16_t port = 5000; port < 5003; ++port) syn_from(talk, port, 42);
     },
     [](Talk& talk) {
       for (std::uint16_t port = 5000; port < 5003; ++port) syn_from(talk, port, 42U + port);
     }},
    {"SynInConnection", "rfc5961-4-syn-in-connection", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "S", .seq = 3000});
     },
     handshake},
    {"SynInConnectionAccepted", "rfc5961-4-syn-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 10});
       talk.first({});
       talk.first({.flags = "S", .seq = 3000});
       talk.second({.flags = "RA", .seq = -0xfff0, .ack = 3001});
     },
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 10});
       talk.first({});
       talk.first({.flags = "S", .seq = 3000});
       talk.second({.ack = 1});
     },
     at_second()},

    // --- TCP: acknowledgments
    {"AckOfWhatWasSentLater", "rfc9293-3.10.7.4-ack-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 5000});
       talk.first({.length = 100});
     },
     [](Talk& talk) {  // the capture has missed a segment
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 201});
       talk.first({.seq = 201, .length = 100});
       talk.second({});
     }},
    {"AckBeyondTheFin", "rfc9293-3.10.7.4-ack-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 5000});
       talk.first({.flags = "FA"});
     },
     text_and_ack},
    {"AckBeyondSentPerhaps", "rfc9293-3.10.7.4-ack-beyond-sent", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.second({.ack = 5000});
     },
     text_and_ack},
    {"OptimisticAck", "rfc9293-3.4-ack-beyond-received", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});  // 101:201 was lost before
       talk.second({.ack = 301});
     },
     text_and_ack, at_second()},
    {"AckGoesBack", "rfc9293-3.4-ack-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 100, .timestamps = TcpTimestamps{102, 900}});
       talk.second({.timestamps = TcpTimestamps{901, 102}});
       talk.second({.ack = 50, .timestamps = TcpTimestamps{902, 102}});
     },
     [](Talk& talk) {  // one that was overtaken
       talk.open_with_timestamps();
       talk.first({.length = 100, .timestamps = TcpTimestamps{102, 900}});
       talk.second({.timestamps = TcpTimestamps{902, 102}});
       talk.second({.ack = 50, .timestamps = TcpTimestamps{901, 102}});
     }},
    {"AckTooLate", "rfc9293-3.8.6.3-ack-late", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 1});
       talk.first({.length = 100});
       talk.second({.after = 700ms});
     },
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 1});
       talk.first({.length = 100});
       talk.second({.after = 490ms});
     },
     at_second()},
    {"AcksTooRare", "rfc9293-3.8.6.3-ack-rare", kLegal,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 20; ++i) {
         for (int k = 0; k < 4; ++k) talk.first({.length = 1460});
         talk.second({});
       }
     },
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 20; ++i) {
         for (int k = 0; k < 2; ++k) talk.first({.length = 1460});
         talk.second({});
       }
     },
     at_second()},

    // --- TCP: selective acknowledgments
    {"SackInverted", "rfc2018-3-block-inverted", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{400, 300}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{300, 400}}});
     }},
    {"SackAcrossTheAck", "rfc2018-4-block-below-ack", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 201, .sack = {{101, 301}}});
     },
     [](Talk& talk) {  // D-SACK
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 201, .sack = {{101, 201}, {301, 401}}});
     }},
    {"SackBlocksOverlap", "rfc2018-3-blocks-overlap", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{201, 301}, {251, 401}}});
     },
     [](Talk& talk) {  // D-SACK within the block that follows
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{251, 301}, {201, 401}}});
     }},
    {"SackBeyondSent", "rfc2018-3-block-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{601, 701}}});
       talk.first({.length = 500});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{601, 701}}});
     }},
    {"SackOfWhatWasLost", "rfc2018-3-block-beyond-received", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});
       talk.second({.ack = 1, .sack = {{101, 301}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});
       talk.second({.sack = {{201, 301}}});
     },
     complete()},
    {"BlockAroundADuplicateIsThird", "rfc2883-4-block-around-duplicate", kLegal,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 900});
       talk.second({.ack = 1, .sack = {{251, 301}, {601, 701}, {201, 401}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 900});
       talk.second({.ack = 1, .sack = {{251, 301}, {201, 401}, {601, 701}}});
     }},
    {"Reneging", "rfc2018-8-reneging", kLegal,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 1000});
       talk.second({.ack = 1, .sack = {{501, 601}}});
       talk.second({.ack = 101, .sack = {{701, 801}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 1000});
       talk.second({.ack = 1, .sack = {{501, 601}}});
       talk.second({.ack = 101, .sack = {{701, 801}, {501, 601}}});
     }},

    // --- TCP: windows
    {"BeyondTheWindow", "rfc9293-3.8.6-beyond-window", kViolation,
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 1001});
     },
     [](Talk& talk) {  // a probe of one octet
       open_with_window(talk, 1000);
       talk.first({.length = 1000});
       talk.first({.length = 1});
     }},
    {"WindowShrinks", "rfc9293-3.8.6-window-shrunk", kLegal,
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 100});
       talk.second({.window = 500});
     },
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 100});
       talk.second({.window = 900});
     }},
    {"SillyWindow", "rfc9293-3.8.6.2.2-silly-window", kLegal, [](Talk& talk) { small_openings(talk, 100); },
     [](Talk& talk) { small_openings(talk, 40000); }},
    {"ProbesAtEvenIntervals", "rfc9293-3.8.6.1-probe-back-off", kLegal,
     [](Talk& talk) { probe(talk, {1s, 1s, 1s, 1s, 1s, 1s}); },
     [](Talk& talk) { probe(talk, {1s, 2s, 4s, 8s, 16s, 32s}); }},
    {"Tinygrams", "rfc9293-3.7.4-tinygrams", kLegal, [](Talk& talk) { tiny(talk, false); },
     [](Talk& talk) { tiny(talk, true); }},

    // --- TCP: text
    {"RetransmissionDiffers", "rfc9293-3.8.1-retransmission-differs", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 500});
       talk.first({.seq = 101, .length = 100, .other_octets = 1, .after = 1s});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 500});
       talk.first({.seq = 101, .length = 600, .after = 1s});
     }},
    {"DataBehindTheFin", "rfc9293-3.6-data-after-fin", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.seq = 101, .length = 100});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.seq = 1, .length = 100, .after = 1s});
     }},
    {"DataBehindTheFinThatCameLate", "rfc9293-3.6-data-after-fin", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.seq = 101, .length = 100});
       talk.first({.flags = "FA", .seq = 1, .length = 100});
     },
     [](Talk& talk) {  // an acknowledgment that has overtaken the FIN has the number behind it
       talk.open();
       talk.first({.seq = 102});
       talk.first({.flags = "FA", .seq = 1, .length = 100});
     }},
    {"FinMoves", "rfc9293-3.6-fin-moves", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.flags = "FA", .seq = 51, .after = 1s});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.flags = "FA", .seq = 51, .length = 50, .after = 1s});
     }},
    {"KeepAliveAfterSeconds", "rfc9293-3.8.4-keep-alive-early", kLegal,
     [](Talk& talk) {
       text_and_ack(talk);
       talk.first({.seq = 500, .after = 30s});
     },
     [](Talk& talk) {
       text_and_ack(talk);
       talk.first({.seq = 500, .after = 2h});
     }},

    // --- TCP: resets and the end
    {"ResetWithinTheWindow", "rfc5961-3.2-reset-not-exact", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "RA"});
     }},
    {"ResetWithinTheWindowAccepted", "rfc5961-3.2-reset-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
       talk.first({.length = 10});
       talk.second({.flags = "R"});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
       talk.second({});  // a challenge ACK
       talk.first({.length = 10});
       talk.second({.flags = "R"});  // closed by its user, later
     },
     at_second()},
    {"AliveAfterReset", "rfc9293-3.5.2-alive-after-reset", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "RA"});
       talk.first({.length = 10});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10});
       talk.first({.flags = "RA"});
     }},
    {"OldSynEndsTimeWait", "rfc9293-3.6.1-time-wait-cut-short", kViolation,
     [](Talk& talk) { time_wait_then_syn(talk, 500); }, [](Talk& talk) { time_wait_then_syn(talk, 100000); }},

    // --- TCP: retransmission and congestion
    {"NoBackOff", "rfc6298-5.5-no-back-off", kViolation,
     [](Talk& talk) { repeat(talk, {1s, 1s, 1s, 1s, 1s}); },
     [](Talk& talk) { repeat(talk, {1s, 2s, 4s, 8s, 16s, 32s}); }},
    {"RetransmitsBeforeTheRoundTrip", "rfc6298-2-before-round-trip", kLegal,
     [](Talk& talk) {
       talk.open({}, {.after = 100ms});
       talk.first({.length = 100});
       talk.second({.after = 100ms});
       talk.first({.length = 100});
       talk.first({.seq = 101, .length = 100, .after = 20ms});
     },
     [](Talk& talk) {
       talk.open({}, {.after = 100ms});
       talk.first({.length = 100});
       talk.second({.after = 100ms});
       talk.first({.length = 100});
       talk.first({.seq = 101, .length = 100, .after = 300ms});
     }},
    {"LargeFirstFlight", "rfc6928-2-initial-window", kLegal,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 12; ++i) talk.first({.length = 1460});
     },
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
     }},
    {"SlowStartTooFast", "rfc5681-3.1-slow-start", kLegal, [](Talk& talk) { slow_start(talk, 3); },
     [](Talk& talk) { slow_start(talk, 2); }},
    {"NoLossWindow", "rfc5681-3.1-loss-window", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({});
       for (int i = 0; i < 8; ++i) talk.first({.length = 1460});
       talk.wait(2s);
       for (int i = 0; i < 8; ++i) talk.first({.seq = 101 + i * 1460, .length = 1460});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({});
       for (int i = 0; i < 8; ++i) talk.first({.length = 1460});
       talk.wait(2s);
       talk.first({.seq = 101, .length = 1460});
       talk.second({.ack = 1561});
       for (int i = 1; i < 3; ++i) talk.first({.seq = 101 + i * 1460, .length = 1460});
     },
     at_first()},

    // --- TCP: ECN
    {"EctNotAgreed", "rfc3168-6.1.1-ect-not-agreed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100, .ecn = 2});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
     }},
    {"EcnUnoffered", "rfc3168-6.1.1-ecn-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.flags = "SAE"}); }, [](Talk& talk) { talk.open_with_ecn(); }},
    {"EctOnPureAck", "rfc3168-6.1.4-ect-on-control", kLegal,
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.ecn = 2});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 1, .ecn = 2});
     }},
    {"EctOnRetransmission", "rfc3168-6.1.5-ect-on-retransmission", kLegal,
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
       talk.first({.seq = 1, .length = 100, .ecn = 2, .after = 1s});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
       talk.first({.seq = 1, .length = 100, .after = 1s});
     }},
    {"CeNotEchoed", "rfc3168-6.1.3-ce-not-echoed", kViolation, [](Talk& talk) { ecn_echo(talk, false); },
     [](Talk& talk) { ecn_echo(talk, true); }},
    {"EceIgnored", "rfc3168-6.1.2-ece-ignored", kViolation, [](Talk& talk) { ece_rounds(talk, false); },
     [](Talk& talk) { ece_rounds(talk, true); }},
};

class PlantedMisbehaviour : public testing::TestWithParam<Planted> {};

TEST_P(PlantedMisbehaviour, IsNamedByItsRule) {
  Talk talk(GetParam().options);
  GetParam().misbehave(talk);
  EXPECT_EQ(talk.verdict_of(GetParam().rule), GetParam().verdict) << talk.text();
}

TEST_P(PlantedMisbehaviour, WhatLooksAlikeIsNot) {
  Talk talk(GetParam().options);
  GetParam().behave(talk);
  const auto verdict = talk.verdict_of(GetParam().rule);
  const bool is_only_doubted = verdict == kUnknown && GetParam().verdict == kViolation;
  EXPECT_TRUE(!verdict || is_only_doubted) << talk.text();
}

INSTANTIATE_TEST_SUITE_P(Judge, PlantedMisbehaviour, testing::ValuesIn(kPlanted),
                         [](const auto& planted) { return planted.param.name; });

TEST(Judge, EachRuleHasAPlantedMisbehaviour) {
  for (const Rule* rule : all_rules()) {
    const auto of_rule = [&](const Planted& planted) { return planted.rule == rule->id; };
    EXPECT_TRUE(std::ranges::any_of(kPlanted, of_rule)) << rule->id;
  }
}

TEST(Judge, NoRuleSaysWorseThanItClaims) {
  for (const Planted& planted : kPlanted) {
    const Rule* rule = find_rule(planted.rule);
    ASSERT_NE(rule, nullptr) << planted.rule;
    EXPECT_TRUE(planted.verdict != kViolation || rule->worst == kViolation) << planted.name;
  }
}

}  // namespace
}  // namespace transom::drivers::judge::test
