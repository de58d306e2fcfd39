// Below TCP: IP, ICMP, UDP.
#include "tests/unit/drivers/judge/planted.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;
using transom::test::operator+;

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

Octets icmp4(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Octets& data) {
  return transom::test::ip_packet(kB, kA, IpProtocol::kIcmp,
                                  transom::test::icmp(kB, kA, type, code, rest, data));
}

Octets quoted_udp(const IpAddress& to) {
  return transom::test::ipv4(
      {.source = kA, .destination = to},
      transom::test::udp({kA, Port{1000}}, {to, Port{53}}, transom::test::pattern(20)));
}

void handshake(Talk& talk) { talk.open(); }

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
};

}  // namespace

std::span<const Planted> planted_in_packets() { return kPlanted; }

}  // namespace transom::drivers::judge::test
