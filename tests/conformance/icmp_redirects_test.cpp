// Redirects: followed when the router in use sends them about something that this host has sent, else not
// (RFC 1122 §3.2.2.2, §3.3.1.2; RFC 4861 §8).

#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

class Redirects : public HostOnEthernetOfFamily {
 protected:
  Redirects() {
    socket_ = open_udp({self(), Port{5000}});
    first_ = send_to(remote());
  }

  Octets send_to(const IpAddress& to) {
    EXPECT_TRUE(send(*socket_, pattern(40), {.to = Endpoint{to, Port{6000}}}));
    const auto frames = sent();
    EXPECT_EQ(frames.size(), 1U);
    if (frames.empty()) return {};
    hop_ = frames[0].ethernet.destination;
    return frames[0].payload;
  }
  // The station to which a packet for `to` goes.
  MacAddress first_hop(const IpAddress& to) {
    send_to(to);
    return hop_;
  }

  struct Redirect {
    IpAddress from;
    IpAddress destination;
    IpAddress target;
    Octets quoted;
    std::optional<MacAddress> mac = std::nullopt;
    std::uint8_t code = 1;
    std::uint8_t hop_limit = 255;
  };
  Redirect good() const {
    return {.from = router(), .destination = remote(), .target = other_router(), .quoted = first_};
  }
  void receive_redirect(const Redirect& redirect) {
    if (is_v4()) {
      return receive_icmp(redirect.from, self(), 5, redirect.code, redirect.target.v4_value(),
                          redirect.quoted);
    }
    wire::NdpRedirect message;
    message.target = redirect.target;
    message.destination = redirect.destination;
    message.options.target_link_address = redirect.mac;
    Octets octets(message.size());
    wire::Writer writer(octets);
    message.write(writer);
    wire::write_icmpv6_checksum(octets, redirect.from, self());
    receive(ipv6({.source = redirect.from,
                  .destination = self(),
                  .next = IpProtocol::kIcmpv6,
                  .hop_limit = redirect.hop_limit},
                 octets));
  }
  void expect_ignored(const Redirect& redirect, const char* why) {
    receive_redirect(redirect);
    EXPECT_EQ(first_hop(remote()), mac_of(router())) << why;
  }

  UdpSocket socket_;
  Octets first_;  // the packet that the router wants to go elsewhere
  MacAddress hop_;
};

TEST_P(Redirects, ChangeTheFirstHopOfOneDestination) {  // R1122-21, R1122-38, R4861-04
  EXPECT_EQ(first_hop(remote()), mac_of(router()));
  receive_redirect(good());
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(first_hop(remote()), mac_of(other_router()));
  EXPECT_EQ(first_hop(remote(2)), mac_of(router()));
  // The new first hop may say so again.
  const IpAddress third = address(is_v4() ? "10.0.0.252" : "fe80::fc");
  know(third);
  Redirect again = good();
  again.from = other_router();
  again.target = third;
  receive_redirect(again);
  EXPECT_EQ(first_hop(remote()), mac_of(third));
}

TEST_P(Redirects, AreFollowedBySocketsBoundToTheInterface) {
  UdpSocket bound = open_udp({self(), Port{5001}});
  bound->options().bound_interface = eth_;
  const auto hop_of_bound = [&] {
    EXPECT_TRUE(send(*bound, pattern(40), {.to = Endpoint{remote(), Port{6000}}}));
    return sent().at(0).ethernet.destination;
  };
  EXPECT_EQ(hop_of_bound(), mac_of(router()));
  receive_redirect(good());
  EXPECT_EQ(hop_of_bound(), mac_of(other_router()));
}

TEST_P(Redirects,
       AreIgnoredUnlessTheyComeFromTheRouterInUse) {  // R1122-38, R4861-04, ATK-ICMP-01, ATK-NDP-23
  for (const IpAddress& from :
       {other_router(), peer(), remote(3), address(is_v4() ? "10.0.0.66" : "fe80::66")}) {
    Redirect forged = good();
    forged.from = from;
    expect_ignored(forged, "not the first hop");
  }
  // Once it has been followed, the router that was used before has no say.
  receive_redirect(good());
  Redirect late = good();
  late.target = address(is_v4() ? "10.0.0.252" : "fe80::fc");
  receive_redirect(late);
  EXPECT_EQ(first_hop(remote()), mac_of(other_router()));
}

TEST_P(Redirects, AreIgnoredUnlessTheNewHopIsANeighbour) {  // R1122-38, R4861-04, ATK-ICMP-01
  const std::vector<const char*> targets =
      is_v4() ? std::vector{"198.51.100.9", "10.0.0.255", "224.0.0.1", "255.255.255.255",
                            "0.0.0.0",      "10.0.0.2",   "10.0.0.3",  "127.0.0.1"}
              : std::vector{"2001:db8:a::99", "2001:db8:ffff::9",       "ff02::2", "::", "::1",
                            "2001:db8:a::2",  "fe80::11:22ff:fe33:4455"};
  for (const char* target : targets) {
    Redirect forged = good();
    forged.target = address(target);
    expect_ignored(forged, target);
  }
}

TEST_P(Redirects, AreIgnoredAboutWhatNobodyHereSends) {  // ATK-ICMP-01, ATK-ICMP-22, ATK-NDP-23
  Redirect about_another = good();
  about_another.destination = remote(9);
  if (is_v4()) {
    // Another destination, another source, a port that is not open, no transport header, an ICMP error of
    // ours.
    about_another.quoted = ip_packet(self(), remote(9), IpProtocol::kUdp,
                                     udp({self(), Port{5000}}, {remote(9), Port{6000}}, pattern(40)));
    receive_redirect(about_another);
    EXPECT_EQ(first_hop(remote(9)), mac_of(router()));
    Redirect forged = good();
    forged.quoted = ip_packet(self(), remote(), IpProtocol::kUdp,
                              udp({self(), Port{5999}}, {remote(), Port{6000}}, pattern(40)));
    expect_ignored(forged, "closed port");
    forged.quoted = ip_packet(peer(), remote(), IpProtocol::kUdp,
                              udp({peer(), Port{5000}}, {remote(), Port{6000}}, pattern(40)));
    expect_ignored(forged, "not ours");
    forged.quoted = part(first_, 0, 27);
    expect_ignored(forged, "too short");
    forged.quoted = {};
    expect_ignored(forged, "nothing quoted");
  } else {
    receive_redirect(about_another);
    EXPECT_EQ(first_hop(remote(9)), mac_of(router()));
  }
}

// Only IPv4 has redirects for networks. NDP checks the code like that of all its messages.
class Ipv4Redirects : public Redirects {};

TEST_P(Ipv4Redirects, OfEveryCodeAreTakenAsForTheHostAndUnknownOnesIgnored) {
  for (int code = 4; code < 256; code += 21) {
    Redirect odd = good();
    odd.code = static_cast<std::uint8_t>(code);
    expect_ignored(odd, "code");
  }
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{0, 2, 3}) {
    send_to(remote(20 + code));
    Redirect redirect = good();
    redirect.code = code;  // for a network, or a type of service: taken as for the host
    redirect.quoted = send_to(remote(20 + code));
    receive_redirect(redirect);
    EXPECT_EQ(first_hop(remote(20 + code)), mac_of(other_router()));
    EXPECT_EQ(first_hop(remote(30 + code)), mac_of(router()));
  }
}

TEST_P(Redirects, ThatLeadNowhereAreGivenUp) {  // R1122-22
  Redirect to_nobody = good();
  to_nobody.target = address(is_v4() ? "10.0.0.77" : "fe80::77");
  receive_redirect(to_nobody);
  EXPECT_TRUE(send(*socket_, pattern(40), {.to = Endpoint{remote(), Port{6000}}}));
  advance(10s);
  for (const SentFrame& frame : sent()) EXPECT_TRUE(frame.ethernet.destination.is_group());  // who has it?
  EXPECT_EQ(first_hop(remote()), mac_of(router()));
}

TEST_P(Redirects, EndWhenTheRoutesChange) {
  receive_redirect(good());
  EXPECT_EQ(first_hop(remote()), mac_of(other_router()));
  const IpAddress third = address(is_v4() ? "10.0.0.252" : "fe80::fc");
  know(third);
  EXPECT_TRUE(host_.add_route({remote(), static_cast<std::uint8_t>(remote().bits())}, third, eth_));
  EXPECT_EQ(first_hop(remote()), mac_of(third));
}

// Only NDP says that a destination is a neighbour, and what the link address of the new hop is.
class Ipv6Redirects : public Redirects {};

TEST_P(Ipv6Redirects, MakeAnOnLinkDestinationBeReachedItself) {  // RFC 4861 §8.3
  know(remote());
  Redirect on_link = good();
  on_link.target = remote();
  receive_redirect(on_link);
  EXPECT_EQ(first_hop(remote()), mac_of(remote()));
}

TEST_P(Ipv6Redirects, TeachTheLinkAddressOfTheNewHop) {  // RFC 4861 §8.3
  Redirect redirect = good();
  redirect.target = address("fe80::77");
  redirect.mac = MacAddress({2, 0, 0, 0, 0, 0x77});
  redirect.hop_limit = 254;
  receive_redirect(redirect);
  EXPECT_FALSE(neighbour(redirect.target));
  redirect.hop_limit = 255;
  receive_redirect(redirect);
  EXPECT_EQ(first_hop(remote()), redirect.mac);
  // One that is not followed teaches nothing.
  redirect.from = peer();
  redirect.target = address("fe80::78");
  receive_redirect(redirect);
  EXPECT_FALSE(neighbour(redirect.target));
}

TEST_P(Redirects, AFloodOfThemMakesNothingGrow) {  // ATK-ICMP-02, ATK-ICMP-22
  const std::size_t in_use = pool_.in_use(BufferSize::kFrame);
  for (int i = 0; i < 5000; ++i) {
    Redirect forged = good();
    forged.destination = remote(100 + i);
    forged.quoted = ip_packet(self(), remote(100 + i), IpProtocol::kUdp,
                              udp({self(), Port{5000}}, {remote(100 + i), Port{6000}}, pattern(40)));
    receive_redirect(forged);
  }
  EXPECT_EQ(pool_.in_use(BufferSize::kFrame), in_use);
  EXPECT_TRUE(nothing_sent());
  EXPECT_EQ(first_hop(remote()), mac_of(router()));
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, Redirects, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         family_of_test);
INSTANTIATE_TEST_SUITE_P(Family, Ipv4Redirects, ::testing::Values(IpFamily::kIpv4), family_of_test);
INSTANTIATE_TEST_SUITE_P(Family, Ipv6Redirects, ::testing::Values(IpFamily::kIpv6), family_of_test);

HostConfig with_ip(const ip::IpConfig& ip) {
  HostConfig config;
  config.ip = ip;
  return config;
}

class NoRedirects : public HostOnEthernet, public ::testing::WithParamInterface<bool> {
 protected:
  NoRedirects()
      : HostOnEthernet(with_ip(GetParam() ? ip::IpConfig{.forwarding = true}
                                          : ip::IpConfig{.accept_redirects = false})) {}
};

TEST_P(NoRedirects, AreFollowedByARouterOrWhenSwitchedOff) {  // RFC 1812 §5.2.7.2
  const IpAddress own = self(IpFamily::kIpv4);
  const IpAddress far = remote(IpFamily::kIpv4);
  UdpSocket socket = open_udp({own, Port{5000}});
  const auto first_hop = [&] {
    EXPECT_TRUE(send(*socket, pattern(40), {.to = Endpoint{far, Port{6000}}}));
    return sent().at(0);
  };
  const SentFrame first = first_hop();
  receive_icmp(router(IpFamily::kIpv4), own, 5, 1, other_router(IpFamily::kIpv4).v4_value(), first.payload);
  EXPECT_EQ(first_hop().ethernet.destination, mac_of(router(IpFamily::kIpv4)));
}

INSTANTIATE_TEST_SUITE_P(Both, NoRedirects, ::testing::Bool());

}  // namespace
}  // namespace transom::test
