// What leaves: headers, identification, fragments, path MTU, and what stays within the host.

#include <algorithm>
#include <set>

#include "stack/ip/chosen_identifications.h"
#include "tests/unit/ip/ip_fixture.h"

namespace transom::test {
namespace {

class Output : public IpFamilyTest {
 protected:
  // What all the fragments carry, in order.
  Octets gather(const std::vector<Octets>& packets, std::size_t mtu) {
    Octets whole;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      EXPECT_LE(packets[i].size(), mtu);
      const Parsed piece = parse(packets[i]);
      EXPECT_TRUE(piece.ok);
      EXPECT_EQ(piece.offset, whole.size());
      EXPECT_EQ(piece.more, i + 1 < packets.size());
      EXPECT_EQ(piece.id, parse(packets[0]).id);
      if (piece.more) {
        EXPECT_EQ(piece.payload.size() % 8, 0U);
      }
      whole = whole + piece.payload;
    }
    return whole;
  }
  IpAddress remote(int i) const {
    return address(is_v4() ? fmt::format("10.0.0.{}", 10 + i) : fmt::format("2001:db8:a::{}", 10 + i));
  }
};

TEST_P(Output, WritesTheHeaderThatWasAskedFor) {  // R791-01, R1122-11, R1122-15, R1122-16, R6437-01
  ASSERT_TRUE(send(peer(), pattern(30),
                   {.ttl = 3, .traffic_class = 0x2e, .dont_fragment = true, .flow_label = 0x54321}));
  const Parsed out = sent_one();
  EXPECT_EQ(out.source, self());
  EXPECT_EQ(out.destination, peer());
  EXPECT_EQ(out.protocol, IpProtocol::kUdp);
  EXPECT_EQ(out.ttl, 3);
  EXPECT_EQ(out.traffic_class, 0x2e);
  EXPECT_EQ(out.payload, pattern(30));
  EXPECT_EQ(out.dont_fragment, is_v4());
  EXPECT_EQ(out.flow_label, is_v4() ? 0U : 0x54321U);
  ASSERT_TRUE(send(peer(), pattern(30)));
  EXPECT_EQ(sent_one().ttl, 64);  // R8200-16: never 0
}

TEST_P(Output, FragmentsWhatIsTooLong) {  // R1122-25, R8200-08
  for (const std::size_t size : {1480U, 1481U, 3000U, 65507U}) {
    ASSERT_TRUE(send(peer(), pattern(size)));
    const auto packets = sent();
    EXPECT_EQ(gather(packets, 1500), pattern(size));
    for (const Octets& packet : packets)
      EXPECT_EQ(parse(packet).has_fragment_header, !is_v4() && packets.size() > 1);
  }
  EXPECT_EQ(count(is_v4() ? Counter::kIpFragOKs : Counter::kIp6FragOKs), is_v4() ? 3U : 4U);
}

TEST_P(Output, RefusesWhatIsTooLongAndMustStayWhole) {  // R1122-25, R8085-02
  const std::size_t fits = 1500 - header_size();
  EXPECT_TRUE(send(peer(), pattern(fits), {.dont_fragment = true}));
  EXPECT_EQ(sent().size(), 1U);
  EXPECT_EQ(send(peer(), pattern(fits + 1), {.dont_fragment = true}).error(), Error::kMessageTooLong);
  EXPECT_EQ(send(peer(), pattern(is_v4() ? 65516 : 65536)).error(), Error::kMessageTooLong);
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Output, CompletesAPartialChecksumBeforeItFragments) {
  const Octets datagram = udp({self(), Port{5000}}, {peer(), Port{6000}}, pattern(4000));
  Packet packet = pool_.copy_of(datagram);
  const auto sum =
      wire::pseudo_header_sum(self(), peer(), IpProtocol::kUdp, static_cast<std::uint32_t>(datagram.size()))
          .fold();
  wire::Writer(packet.head().subspan(6, 2)).u16(sum);
  packet.info().checksum = ChecksumState::kPartial;
  packet.info().checksum_field = 6;
  const auto destination = ip_.destination(peer());
  ASSERT_TRUE(ip_.send(**destination, self(), IpProtocol::kUdp, std::move(packet)));
  EXPECT_EQ(gather(sent(), 1500), datagram);
}

TEST_P(Output, IdentificationsToOneDestinationDoNotRepeat) {  // R6864-02, R7739-01
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(send(peer(), pattern(2000)));
    seen.insert(parse(sent().front()).id);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST_P(Output, IdentificationsCannotBeGuessed) {  // R6864-02, R7739-01, ATK-IPV4-14, -41..-44, ATK-IPV6-27
  const auto id_to = [&](const IpAddress& to) {
    EXPECT_TRUE(send(to, pattern(2000)));
    return parse(sent().front()).id;
  };
  std::set<std::uint32_t> steps;
  std::set<std::uint32_t> differences;
  const std::uint32_t mask = is_v4() ? 0xffffU : 0xffffffffU;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t first = id_to(remote(1));
    const std::uint32_t other = id_to(remote(2));
    const std::uint32_t second = id_to(remote(1));
    steps.insert((second - first) & mask);
    differences.insert((other - first) & mask);
  }
  EXPECT_GT(steps.size(), 95U);  // no counter in sight, neither by one destination nor between two
  EXPECT_GT(differences.size(), 95U);
}

TEST_P(Output, ChosenIdentificationsAreSent) {
  class Chosen final : public ip::ChosenIdentifications {
   public:
    std::optional<std::uint32_t> identification(const ip::OutgoingDatagram& datagram) override {
      asked.emplace_back(datagram.destination, datagram.dont_fragment);
      first_octet = datagram.transport[0];
      return value;
    }
    std::optional<std::uint32_t> value = 4711;
    std::vector<std::pair<IpAddress, bool>> asked;
    int first_octet = 0;
  } chosen;
  ip_.choose_identifications(&chosen);
  const auto send_it = [&](std::size_t size, bool dont_fragment) {
    EXPECT_TRUE(send(peer(), pattern(size), {.dont_fragment = dont_fragment}));
    return sent();
  };
  for (const Octets& fragment : send_it(2000, false)) EXPECT_EQ(parse(fragment).id, 4711U);
  ASSERT_EQ(chosen.asked, (std::vector{std::pair(peer(), false)}));
  EXPECT_EQ(chosen.first_octet, pattern(1)[0]);
  const auto whole = send_it(100, true);  // IPv6 has no field for it
  EXPECT_EQ(parse(whole.front()).id, is_v4() ? 4711U : 0U);
  EXPECT_EQ(chosen.asked.size(), is_v4() ? 2U : 1U);
  chosen.value.reset();
  EXPECT_EQ(parse(send_it(100, true).front()).id, 0U);
  ip_.choose_identifications(nullptr);
  const std::size_t before = chosen.asked.size();
  (void)send_it(2000, false);
  EXPECT_EQ(chosen.asked.size(), before);
}

TEST_P(Output, InterfaceMtuCountsAtOnce) {
  const auto destination = ip_.destination(peer());
  EXPECT_EQ(ip_.path_mtu(**destination), 1500U);
  a_->set_mtu(1400);
  EXPECT_EQ(ip_.path_mtu(**destination), 1400U);
  ASSERT_TRUE(send(peer(), pattern(1480 - header_size())));
  EXPECT_EQ(gather(sent(), 1400).size(), 1480 - header_size());
}

TEST_P(Output, LearnsAPathMtuDownToItsFloorAndForgetsItInTime) {  // R1191-02, -03, R8201-01, -03, R8021-01,
                                                                  // ATK-ICMP-05, -08
  const auto destination = ip_.destination(peer());
  EXPECT_FALSE(ip_.learn_path_mtu(**destination, 9000));  // never raised
  EXPECT_FALSE(ip_.learn_path_mtu(**destination, 1500));
  EXPECT_TRUE(ip_.learn_path_mtu(**destination, 1400));
  EXPECT_FALSE(ip_.learn_path_mtu(**destination, 1450));
  EXPECT_EQ(ip_.path_mtu(**destination), 1400U);
  const std::uint32_t floor = is_v4() ? 552 : 1280;
  EXPECT_TRUE(ip_.learn_path_mtu(**destination, 68));
  EXPECT_EQ(ip_.path_mtu(**destination), floor);
  EXPECT_FALSE(ip_.learn_path_mtu(**destination, 0));
  ASSERT_TRUE(send(peer(), pattern(floor - header_size()), {.dont_fragment = true}));
  const Parsed out = sent_one();
  EXPECT_FALSE(out.has_fragment_header);
  EXPECT_FALSE(out.dont_fragment);  // R1191-02: below the floor only without DF
  advance(9min + 59s);
  EXPECT_EQ(ip_.path_mtu(**destination), floor);
  advance(2s);
  EXPECT_EQ(ip_.path_mtu(**destination), 1500U);
  ASSERT_TRUE(send(peer(), pattern(600), {.dont_fragment = true}));
  EXPECT_EQ(sent_one().dont_fragment, is_v4());
}

TEST_P(Output, OwnAddressesStayWithinTheHost) {  // R1122-14, R4291-02
  for (const IpAddress& to :
       {self(), IpAddress::loopback(GetParam()), address(is_v4() ? "192.168.5.2" : "2001:db8:b::2")}) {
    ASSERT_TRUE(send(to, pattern(9)));
    EXPECT_TRUE(sent(a_).empty());
    EXPECT_TRUE(sent(b_).empty());
    loop_back();
    ASSERT_EQ(udp_.arrivals.size(), 1U);
    EXPECT_EQ(udp_.arrivals[0].source, to);
    EXPECT_EQ(udp_.arrivals[0].destination, to);
    udp_.arrivals.clear();
  }
}

TEST_P(Output, SpeaksOnlyFromOwnAddresses) {  // R1122-11, R1122-14
  const auto from = [&](const IpAddress& source) {
    return send(peer(), pattern(9), {}, IpProtocol::kUdp, source);
  };
  EXPECT_EQ(from(IpAddress::loopback(GetParam())).error(), Error::kAddressNotAvailable);
  EXPECT_EQ(from(peer()).error(), Error::kAddressNotAvailable);
  EXPECT_EQ(from(IpAddress::any(GetParam())).error(), Error::kAddressNotAvailable);
  EXPECT_EQ(from(address(is_v4() ? "224.0.0.1" : "ff02::1")).error(), Error::kAddressNotAvailable);
  EXPECT_TRUE(nothing_sent());
  EXPECT_TRUE(from(address(is_v4() ? "192.168.5.2" : "2001:db8:b::2")));
  EXPECT_EQ(sent().size(), 1U);
}

TEST_P(Output, StopsSpeakingFromAnAddressThatIsGone) {
  const auto destination = ip_.destination(peer());
  ASSERT_TRUE(link_.remove_address(*a_, self()));
  Packet packet = pool_.copy_of(pattern(9));
  EXPECT_FALSE(ip_.send(**destination, self(), IpProtocol::kUdp, std::move(packet)));
  EXPECT_TRUE(nothing_sent());
}

TEST_P(Output, LeavesNothingBehindWhenThePoolIsEmpty) {
  std::vector<Packet> all;
  Packet packet = pool_.copy_of(pattern(6000));
  const auto destination = ip_.destination(peer());
  while (Packet taken = pool_.allocate(BufferSize::kFrame)) all.push_back(std::move(taken));
  all.pop_back();  // one fragment fits, the rest does not
  EXPECT_EQ(ip_.send(**destination, self(), IpProtocol::kUdp, std::move(packet)).error(), Error::kNoBuffers);
  EXPECT_TRUE(nothing_sent());
  all.clear();
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, Output, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_name);

TEST_F(IpTest, AtomicIpv4DatagramsHaveNoIdentification) {  // R6864-01, ATK-IPV4-41, -42: nothing to count by
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(send(peer(IpFamily::kIpv4), pattern(40), {.dont_fragment = true}, IpProtocol::kTcp));
    EXPECT_EQ(sent_one().id, 0U);
  }
}

TEST_F(IpTest, SuperSegmentsAreNeverFragmentedAndHaveARunOfIdentifications) {  // R8900-01
  const auto destination = ip_.destination(peer(IpFamily::kIpv4));
  std::uint32_t before = 0;
  for (int i = 0; i < 2; ++i) {
    Packet packet = pool_.copy_of(pattern(1448 * 10 + 32));
    packet.info().segment_size = 1448;
    ASSERT_TRUE(ip_.send(**destination, (*destination)->source, IpProtocol::kTcp, std::move(packet),
                         {.dont_fragment = true}));
    // The link cuts it, for this interface can not.
    std::uint32_t expected = 0;
    const auto packets = sent();
    EXPECT_GE(packets.size(), 1U);
    for (const Octets& octets : packets) {
      const Parsed segment = parse(octets);
      EXPECT_TRUE(segment.dont_fragment);
      EXPECT_FALSE(segment.is_fragment());
      expected = segment.id;
    }
    if (i == 1) {
      EXPECT_NE(parse(packets[0]).id, before);
    }
    before = expected;
  }
}

TEST_F(IpTest, BroadcastsGoToAllOnesAndComeBackWhenAsked) {  // R1122-29, R1122-31
  for (const char* to : {"10.0.0.255", "255.255.255.255"}) {
    const auto destination = ip_.destination(address(to));
    ASSERT_TRUE(destination);
    EXPECT_TRUE((*destination)->is_broadcast);
    ASSERT_TRUE(send(address(to), pattern(9), {.loop = true}));
    EXPECT_EQ(sent_one().destination, address(to));
    ASSERT_EQ(udp_.arrivals.size(), 1U);
    EXPECT_FALSE(udp_.arrivals[0].to_unicast);
    udp_.arrivals.clear();
  }
}

TEST_F(IpTest, MulticastsLoopOnlyToMembersAndOnlyWhenAsked) {
  for (const char* text : {"239.1.2.3", "ff02::77"}) {
    const IpAddress group = address(text);
    ASSERT_TRUE(send(group, pattern(9), {.loop = true}));
    EXPECT_EQ(sent().size(), 1U);
    EXPECT_TRUE(udp_.arrivals.empty());
    a_->join(group);
    ASSERT_TRUE(send(group, pattern(9)));
    EXPECT_TRUE(udp_.arrivals.empty());
    EXPECT_EQ(sent().size(), 1U);
    ASSERT_TRUE(send(group, pattern(3000), {.loop = true}));  // the copy is whole, what leaves is not
    EXPECT_EQ(sent().size(), 3U);
    ASSERT_EQ(udp_.arrivals.size(), 1U);
    EXPECT_EQ(udp_.arrivals[0].octets, pattern(3000));
    ASSERT_TRUE(send(group, pattern(9), {.loop = true, .stay_on_host = true}));
    EXPECT_EQ(udp_.arrivals.size(), 2U);
    EXPECT_TRUE(nothing_sent());
    udp_.arrivals.clear();
    a_->leave(group);
  }
}

}  // namespace
}  // namespace transom::test
