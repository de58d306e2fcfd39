#include "drivers/capture/edit/packet_editor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "drivers/capture/edit/address_scrambler.h"
#include "drivers/capture/edit/length_changes.h"
#include "drivers/capture/edit/rewrite_changes.h"
#include "drivers/capture/edit/scrub_changes.h"
#include "tests/unit/drivers/capture/made_packets.h"

namespace transom::drivers {
namespace {

using namespace test;

MadePacket edited(PacketChanges& changes, const MadePacket& packet) {
  MadePacket result = packet;
  PacketEditor(changes).edit(packet.captured(), result.octets);
  return result;
}

RewriteRules to_other_networks() {
  RewriteRules rules;
  rules.sources = rules.destinations =
      *RewriteRules::parse_networks("10.0.0.0/8:172.16.0.0/12,[2001:db8::/32]:[fd00:1::/32]");
  EXPECT_TRUE(rules.add_ports("80:8080,1000-1999:2000"));
  return rules;
}

std::string payload_of(const MadePacket& packet) {
  const PacketView view = packet.view();
  return {view.payload.begin(), view.payload.end()};
}

// ---------------------------------------------------------------- rewrite

TEST(PacketEditor, AddressesAndPortsBecomeOthersAndChecksumsStayGood) {
  RewriteChanges changes(to_other_networks());
  for (const bool is_v4 : {true, false}) {
    const Endpoint& from = is_v4 ? kClient : kClientV6;
    const Endpoint& to = is_v4 ? kServer : kServerV6;
    for (const MadePacket& before : {tcp({.from = from, .to = to, .payload = "odd"}),
                                     udp({.from = from, .to = to, .payload = "even"})}) {
      const MadePacket after = edited(changes, before);
      const PacketView view = after.view();
      EXPECT_EQ(to_string(view.source), is_v4 ? "172.16.0.1" : "fd00:1::1");
      EXPECT_EQ(to_string(view.destination), is_v4 ? "172.16.0.2" : "fd00:1::2");
      EXPECT_EQ(to_number(view.tcp ? view.tcp->destination_port : view.udp->destination_port), 8080);
      EXPECT_EQ(view.transport_checksum, ChecksumVerdict::kGood);
      EXPECT_NE(view.network_checksum, ChecksumVerdict::kBad);
      EXPECT_EQ(payload_of(after), payload_of(before));
    }
  }
}

TEST(PacketEditor, BadAndUnfilledChecksumsStayWhatTheyWere) {
  RewriteChanges changes(to_other_networks());
  MadePacket bad = tcp({.payload = "hello"});
  bad.octets.back() ^= 1;
  EXPECT_EQ(edited(changes, bad).view().transport_checksum, ChecksumVerdict::kBad);
  bad.octets[14 + 10] ^= 1;
  EXPECT_EQ(edited(changes, bad).view().network_checksum, ChecksumVerdict::kBad);

  MadePacket unfilled = tcp({.payload = "hello"});
  const std::uint16_t pseudo =
      wire::pseudo_header_sum(kClient.address, kServer.address, IpProtocol::kTcp, 25).fold();
  wire::Writer(MutableBytes(unfilled.octets).subspan(34 + 16)).u16(pseudo);
  ASSERT_EQ(unfilled.view().transport_checksum, ChecksumVerdict::kUnfilled);
  EXPECT_EQ(edited(changes, unfilled).view().transport_checksum, ChecksumVerdict::kUnfilled);

  MadePacket none = udp({.payload = "hello"});
  none.octets[34 + 6] = none.octets[34 + 7] = 0;
  EXPECT_EQ(edited(changes, none).view().transport_checksum, ChecksumVerdict::kAbsent);
}

TEST(PacketEditor, TheChecksumOfACutPacketIsRightForTheWholeOne) {
  RewriteChanges changes(to_other_networks());
  const MadePacket whole = tcp({.payload = "a payload that a snap length cuts"});
  MadePacket cut = whole;
  cut.octets.resize(60);
  cut.meta.original_length = static_cast<std::uint32_t>(whole.octets.size());
  const MadePacket after = edited(changes, cut);
  MadePacket completed = after;
  completed.octets.insert(completed.octets.end(), whole.octets.begin() + 60, whole.octets.end());
  EXPECT_EQ(completed.view().transport_checksum, ChecksumVerdict::kGood);
}

TEST(PacketEditor, WhatAnIcmpErrorQuotesIsChangedToo) {
  RewriteChanges changes(to_other_networks());
  const MadePacket quoted = udp({.payload = "hello"});
  std::vector<std::uint8_t> icmp{3, 3, 0, 0, 0, 0, 0, 0};
  icmp.insert(icmp.end(), quoted.octets.begin() + 14, quoted.octets.end());
  fill_checksum(icmp, 2, kServer, kClient, IpProtocol::kIcmp);
  const MadePacket after = edited(changes, ip_around(kServer, kClient, IpProtocol::kIcmp, icmp, {}));
  EXPECT_EQ(after.view().transport_checksum, ChecksumVerdict::kGood);
  MadePacket inner;
  inner.meta.link_type = LinkType::kRaw;
  inner.octets.assign(after.octets.begin() + 42, after.octets.end());
  EXPECT_EQ(to_string(inner.view().source), "172.16.0.1");
  EXPECT_EQ(to_number(inner.view().udp->destination_port), 8080);
  EXPECT_EQ(inner.view().transport_checksum, ChecksumVerdict::kGood);
  EXPECT_EQ(inner.view().network_checksum, ChecksumVerdict::kGood);
}

TEST(PacketEditor, ArpNamesTheNewAddresses) {
  RewriteRules rules = to_other_networks();
  rules.source_mac = MacAddress({6, 0, 0, 0, 0, 1});
  RewriteChanges changes(rules);
  MadePacket arp;
  arp.octets = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
                1,    2,    0,    0,    0,    0,    1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
  const MadePacket after = edited(changes, arp);
  EXPECT_EQ(after.octets[6], 6);
  EXPECT_EQ(after.octets[22], 6);
  EXPECT_EQ(after.octets[28], 172);
  EXPECT_EQ(after.octets[38], 172);
  EXPECT_EQ(after.octets[0], 0xff) << "a group keeps its address";
}

TEST(RewriteRules, WordsOfTcprewriteAreRead) {
  EXPECT_TRUE(RewriteRules::parse_networks("10.0.0.1:10.0.0.2"));
  EXPECT_TRUE(RewriteRules::parse_networks("0.0.0.0/0:192.0.2.0/24,10.0.0.0/8:10.1.0.0/16"));
  for (const char* wrong :
       {"", "10.0.0.0/8", "10.0.0.0/8:", "10.0.0.0/8:[fd00::/8]", "[fd00::/8:[fd01::/8]", "1:2"})
    EXPECT_FALSE(RewriteRules::parse_networks(wrong)) << wrong;
  RewriteRules rules;
  EXPECT_TRUE(rules.add_ports("80:8080,1-3:9"));
  EXPECT_EQ(rules.ports.size(), 4U);
  for (const char* wrong : {"", "80", "80:", "80:65536", "3-1:9", "a:b"})
    EXPECT_FALSE(rules.add_ports(wrong)) << wrong;
  EXPECT_TRUE(rules.set_ttl("-1"));
  EXPECT_EQ(rules.ttl_change, -1);
  EXPECT_TRUE(rules.set_ttl("+3"));
  EXPECT_EQ(rules.ttl_change, 3);
  EXPECT_TRUE(rules.set_ttl("64"));
  EXPECT_EQ(rules.ttl, 64);
  for (const char* wrong : {"", "0", "256", "+", "x"}) EXPECT_FALSE(rules.set_ttl(wrong)) << wrong;
}

// ---------------------------------------------------------------- scrub

TEST(ScrubChanges, NothingOfThePayloadIsLeftAndEverythingElseIsAsLongAndAsRight) {
  ScrubChanges changes(SipKey{1, 2});
  const MadePacket before = tcp({.sequence = 5, .payload = "password: hunter2"});
  const MadePacket after = edited(changes, before);
  EXPECT_EQ(after.octets.size(), before.octets.size());
  EXPECT_EQ(payload_of(after), "fghijklmnopqrstuv") << "by the sequence number";
  EXPECT_EQ(after.view().transport_checksum, ChecksumVerdict::kGood);
  EXPECT_NE(after.view().source, before.view().source);
  EXPECT_EQ(after.view().tcp->sequence, before.view().tcp->sequence);
  EXPECT_TRUE((after.octets[6] & 3) == 2 &&
              !std::equal(after.octets.begin(), after.octets.begin() + 12, before.octets.begin()));
  // The same octets of the stream, cut in another way.
  const MadePacket again = edited(changes, tcp({.sequence = 15, .payload = "hunter2"}));
  EXPECT_EQ(payload_of(again), "pqrstuv");
}

TEST(ScrubChanges, AMalformedHeaderStaysMalformed) {
  ScrubChanges changes(SipKey{1, 2});
  MadePacket packet = tcp({.flags = "S", .payload = "secret", .mss = 1460});
  packet.octets[34 + 21] = 0;  // the length of the option
  ASSERT_FALSE(packet.view().tcp);
  const MadePacket after = edited(changes, packet);
  EXPECT_FALSE(after.view().tcp);
  EXPECT_EQ(after.octets[34 + 20], 2);
  EXPECT_EQ(std::string(after.octets.begin(), after.octets.end()).find("secret"), std::string::npos);
}

TEST(ScrubChanges, PaddingAndFragmentsTellNothingAndKeepTheirSum) {
  ScrubChanges changes(SipKey{1, 2});
  MadePacket padded = udp({.payload = "x"});
  padded.octets.insert(padded.octets.end(), {'s', 'e', 'c', 'r', 'e', 't'});
  const MadePacket after = edited(changes, padded);
  EXPECT_EQ(after.octets.back(), 0);

  // A datagram in two fragments: what is put together again has a good checksum.
  const std::string secret = "a datagram that was sent in two fragments, with an odd lengt";
  const MadePacket whole = udp({.payload = secret});
  std::vector<std::uint8_t> together(whole.octets.begin() + 34, whole.octets.end());
  const auto fragment = [&](std::size_t begin, std::size_t size, bool more) {
    std::vector<std::uint8_t> part(together.begin() + static_cast<std::ptrdiff_t>(begin),
                                   together.begin() + static_cast<std::ptrdiff_t>(begin + size));
    MadePacket made = ip_around(kClient, kServer, IpProtocol::kUdp, part, {});
    wire::Writer(MutableBytes(made.octets).subspan(20))
        .u16(static_cast<std::uint16_t>(begin / 8 | (more ? 0x2000 : 0)));
    fill_in_checksums(made.captured(), made.octets);
    return edited(changes, made);
  };
  const MadePacket first = fragment(0, 32, true), second = fragment(32, together.size() - 32, false);
  together.assign(first.octets.begin() + 34, first.octets.end());
  together.insert(together.end(), second.octets.begin() + 34, second.octets.end());
  EXPECT_EQ(std::string(together.begin(), together.end()).find("fragments"), std::string::npos);
  const MadePacket put_together =
      ip_around({first.view().source, {}}, {first.view().destination, {}}, IpProtocol::kUdp, together, {});
  EXPECT_EQ(put_together.view().transport_checksum, ChecksumVerdict::kGood);
}

TEST(AddressScrambler, SharesExactlyThePrefixesThatWereShared) {
  const AddressScrambler scrambler(SipKey{3, 4});
  std::mt19937 random(7);
  std::set<IpAddress> results;
  for (int i = 0; i < 2000; ++i) {
    const auto value = static_cast<std::uint32_t>(random()), other = value ^ 1U << random() % 32;
    const IpAddress a = IpAddress::v4(value), b = IpAddress::v4(other);
    EXPECT_EQ(common_prefix_length(scrambler.scramble(a), scrambler.scramble(b)), common_prefix_length(a, b))
        << to_string(a) << " " << to_string(b);
    EXPECT_EQ(a.is_multicast(), scrambler.scramble(a).is_multicast());
    EXPECT_EQ(a.is_loopback(), scrambler.scramble(a).is_loopback());
  }
  const IpAddress a = *IpAddress::parse("2001:db8:1:2::3"), b = *IpAddress::parse("2001:db8:1:3::3");
  EXPECT_EQ(common_prefix_length(scrambler.scramble(a), scrambler.scramble(b)), 63);
  EXPECT_NE(scrambler.scramble(a), AddressScrambler(SipKey{3, 5}).scramble(a));
  for (const char* kept : {"127.0.0.1", "224.0.0.251", "255.255.255.255", "0.0.0.0", "::", "::1", "ff02::fb"})
    EXPECT_EQ(to_string(scrambler.scramble(*IpAddress::parse(kept))), kept);
  const IpAddress local = scrambler.scramble(*IpAddress::parse("fe80::1"));
  EXPECT_TRUE(local.is_link_local() && local != *IpAddress::parse("fe80::1"));
  EXPECT_TRUE(scrambler.scramble(IpAddress::v4(169, 254, 1, 1)).is_link_local());
}

TEST(ScrubChanges, ASolicitationGoesToTheGroupOfItsNewTarget) {
  ScrubChanges changes(SipKey{1, 2});
  std::vector<std::uint8_t> message(24);
  message[0] = 135;
  const auto target = kServerV6.address.octets();
  std::copy(target.begin(), target.end(), message.begin() + 8);
  message.insert(message.end(), {1, 1, 2, 0, 0, 0, 0, 1});
  const Endpoint group{solicited_node_multicast(kServerV6.address), {}};
  fill_checksum(message, 2, kClientV6, group, IpProtocol::kIcmpv6);
  MadePacket before = ip_around(kClientV6, group, IpProtocol::kIcmpv6, message, {});
  wire::Writer mac(before.octets);
  wire::write_mac(mac, wire::multicast_mac(group.address));
  const MadePacket after = edited(changes, before);
  const PacketView view = after.view();
  EXPECT_EQ(view.transport_checksum, ChecksumVerdict::kGood);
  EXPECT_EQ(view.destination, solicited_node_multicast(changes.source(kServerV6.address)));
  wire::Reader reader(after.octets);
  EXPECT_EQ(wire::read_mac(reader), wire::multicast_mac(view.destination));
  EXPECT_EQ(to_string(changes.source_mac(MacAddress({2, 0, 0, 0, 0, 1}))),
            fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", after.octets[80], after.octets[81],
                        after.octets[82], after.octets[83], after.octets[84], after.octets[85]));
}

// ---------------------------------------------------------------- lengths

TEST(LengthChanges, ASuperPacketBecomesTheSegmentsThatItStoodFor) {
  const std::string text(3000, 'x');
  for (const bool is_v4 : {true, false}) {
    const MadePacket before = tcp({.from = is_v4 ? kClient : kClientV6,
                                   .to = is_v4 ? kServer : kServerV6,
                                   .sequence = 100,
                                   .flags = "PF.",
                                   .payload = text});
    const auto segments = segments_of(before.captured(), before.view(), 1448);
    ASSERT_EQ(segments.size(), 3U);
    std::uint32_t next = 100;
    for (const OwnedPacket& segment : segments) {
      const auto view = PacketView::parse(segment.packet);
      EXPECT_EQ(view->tcp->sequence, SeqNum(next));
      EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
      EXPECT_NE(view->network_checksum, ChecksumVerdict::kBad);
      const bool is_last = &segment == &segments.back();
      EXPECT_EQ(view->tcp->flags.fin, is_last);
      EXPECT_EQ(view->tcp->flags.psh, is_last);
      EXPECT_EQ(view->payload_length, is_last ? 104U : 1448U);
      next += view->payload_length;
    }
  }
}

TEST(LengthChanges, CutPacketsAreFilledOrMadeAsShortAsTheyAre) {
  MadePacket cut = udp({.payload = "a datagram of some length"});
  const auto length = static_cast<std::uint32_t>(cut.octets.size());
  cut.octets.resize(50);
  cut.meta.original_length = length;
  OwnedPacket packet = OwnedPacket::copy_of(cut.captured());
  pad_to_length(packet);
  EXPECT_EQ(packet.packet.octets.size(), length);
  EXPECT_FALSE(packet.packet.is_cut());
  packet = OwnedPacket::copy_of(cut.captured());
  cut_to_length(packet, 65535);
  const auto view = PacketView::parse(packet.packet);
  EXPECT_FALSE(packet.packet.is_cut());
  EXPECT_EQ(view->payload_length, 8U);
  EXPECT_EQ(view->transport_checksum, ChecksumVerdict::kGood);
  EXPECT_EQ(view->network_checksum, ChecksumVerdict::kGood);
}

TEST(LengthChanges, BareIpIsWhatIsBehindTheLinkHeader) {
  OwnedPacket packet = OwnedPacket::copy_of(udp({.payload = "x"}).captured());
  ASSERT_TRUE(reduce_to_ip(packet));
  EXPECT_EQ(packet.packet.link_type, LinkType::kRaw);
  EXPECT_TRUE(PacketView::parse(packet.packet)->udp);
  packet.octets = {1, 2, 3};
  packet.packet.link_type = LinkType::kEthernet;
  packet.refresh(3);
  EXPECT_FALSE(reduce_to_ip(packet));
}

}  // namespace
}  // namespace transom::drivers
