#include "stack/base/address.h"

#include <gtest/gtest.h>

namespace transom {
namespace {

TEST(IpAddress, ParsesAndPrintsIpv4) {
  const auto address = IpAddress::parse("10.9.0.255");
  ASSERT_TRUE(address);
  EXPECT_TRUE(address->is_v4());
  EXPECT_EQ(*address, IpAddress::v4(10, 9, 0, 255));
  EXPECT_EQ(address->v4_value(), 0x0a0900ffU);
  EXPECT_EQ(*address, IpAddress::v4(0x0a0900ff));
  EXPECT_EQ(to_string(*address), "10.9.0.255");
}

TEST(IpAddress, RefusesMalformedIpv4) {
  for (const char* text :
       {"",         ".",         "1",         "1.2.3",      "1.2.3.",   ".1.2.3",   "1.2.3.4.", "1.2.3.4.5",
        "1..2.3",   "256.1.1.1", "1.2.3.256", "1.2.3.1000", "01.2.3.4", "1.2.3.00", "1.2.3.-4", "+1.2.3.4",
        " 1.2.3.4", "1.2.3.4 ",  "1.2.3.4/8", "0x1.2.3.4",  "a.b.c.d",  "1.2.3.4x", "1,2,3,4"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

struct Text {
  const char* in;
  const char* out;
};

TEST(IpAddress, PrintsIpv6AsRfc5952Wants) {
  const Text cases[] = {
      {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},  // §4.2.3: the first of equal runs
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},                  // §4.2.2: never one group alone
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},                           // §4.2.3: the longest run
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},                         // §4.2.1: as short as can be
      {"2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AaAa",
       "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"},  // §4.3: lower case
      {"2001:db8::0001", "2001:db8::1"},           // §4.1: no leading zeros
      {"0:0:0:0:0:0:0:0", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"0:0:1:0:0:0:0:0", "0:0:1::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"fe80::10.9.0.1", "fe80::a09:1"},
      {"::10.9.0.1", "::a09:1"},
      {"1:2:3:4:5:6:10.9.0.1", "1:2:3:4:5:6:a09:1"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const Text& text : cases) {
    const auto address = IpAddress::parse(text.in);
    ASSERT_TRUE(address) << text.in;
    EXPECT_TRUE(address->is_v6());
    EXPECT_EQ(to_string(*address), text.out) << text.in;
    EXPECT_EQ(IpAddress::parse(text.out), address);
  }
}

TEST(IpAddress, TakesAMappedAddressForTheIpv4One) {
  EXPECT_EQ(IpAddress::parse("::ffff:10.9.0.1"), IpAddress::v4(10, 9, 0, 1));
  EXPECT_EQ(IpAddress::parse("0:0:0:0:0:ffff:a09:1"), IpAddress::v4(10, 9, 0, 1));
}

TEST(IpAddress, RefusesMalformedIpv6) {
  for (const char* text : {":",
                           ":::",
                           "::::",
                           "1:",
                           ":1",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "1:2:3:4::5:6:7:8",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "::g",
                           "::1%eth0",
                           "[::1]",
                           "::1/64",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "::256.1.1.1",
                           "::-1",
                           "::+1",
                           "::0x1",
                           " ::1",
                           "::1 ",
                           "1:::2",
                           "::1:",
                           ":1::",
                           "2001:db8",
                           "1:2:3:4:5:6:1.2.3.4:8",
                           "::ffff:1.2.3.04"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, RoundTripsRandomAddresses) {
  std::uint64_t state = 1;
  for (int i = 0; i < 5000; ++i) {
    std::array<std::uint8_t, 16> octets{};
    for (std::size_t j = 0; j < 16; ++j) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      octets[j] = (state >> 60) < 9 ? 0 : static_cast<std::uint8_t>(state >> 40);  // zeros make runs
    }
    const IpAddress address = IpAddress::v6(octets);
    ASSERT_EQ(IpAddress::parse(to_string(address)), address) << to_string(address);
  }
}

TEST(IpAddress, KnowsItsKind) {
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(IpAddress::v4(0).is_unspecified());
  EXPECT_FALSE(IpAddress::v4(1).is_unspecified());
  EXPECT_NE(IpAddress::any(IpFamily::kIpv4), IpAddress::any(IpFamily::kIpv6));
  EXPECT_TRUE(IpAddress::v4(127, 9, 9, 9).is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("::2")->is_loopback());
  EXPECT_TRUE(IpAddress::v4(224, 0, 0, 1).is_multicast());
  EXPECT_TRUE(IpAddress::v4(239, 255, 255, 255).is_multicast());
  EXPECT_FALSE(IpAddress::v4(240, 0, 0, 1).is_multicast());
  EXPECT_FALSE(IpAddress::v4(223, 255, 255, 255).is_multicast());
  EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
  EXPECT_TRUE(IpAddress::v4(255, 255, 255, 255).is_limited_broadcast());
  EXPECT_TRUE(IpAddress::v4(169, 254, 1, 1).is_link_local());
  EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("febf::1")->is_link_local());
  EXPECT_FALSE(IpAddress::parse("fec0::1")->is_link_local());
}

TEST(IpAddress, FormsItsSolicitedNodeGroup) {  // RFC 4291 §2.7.1
  EXPECT_EQ(to_string(solicited_node_multicast(*IpAddress::parse("4037::1:800:200e:8c6c"))),
            "ff02::1:ff0e:8c6c");
}

TEST(IpAddress, CountsTheBitsInCommon) {
  const auto bits = [](const char* a, const char* b) {
    return common_prefix_length(*IpAddress::parse(a), *IpAddress::parse(b));
  };
  EXPECT_EQ(bits("10.0.0.0", "10.0.0.0"), 32);
  EXPECT_EQ(bits("10.0.0.0", "10.0.0.1"), 31);
  EXPECT_EQ(bits("0.0.0.0", "128.0.0.0"), 0);
  EXPECT_EQ(bits("::", "::"), 128);
  EXPECT_EQ(bits("2001:db8::", "2001:db9::"), 31);
  EXPECT_EQ(bits("::", "8000::"), 0);
}

TEST(MacAddress, ParsesAndPrints) {
  const auto mac = MacAddress::parse("02:00:5E:10:00:fF");
  ASSERT_TRUE(mac);
  EXPECT_EQ(to_string(*mac), "02:00:5e:10:00:ff");
  EXPECT_FALSE(mac->is_group());
  EXPECT_TRUE(MacAddress::parse("01:00:5e:00:00:01")->is_group());
  EXPECT_TRUE(MacAddress::broadcast().is_broadcast() && MacAddress::broadcast().is_group());
  EXPECT_TRUE(MacAddress().is_zero());
}

TEST(MacAddress, RefusesMalformedText) {
  for (const char* text :
       {"", "02:00:00:00:00", "02:00:00:00:00:1", "02:00:00:00:00:001", "02-00-00-00-00-01",
        "0200:00:00:00:01:", "02:00:00:00:00:0g", "02:00:00:00:00:01:", " 2:00:00:00:00:01",
        "-2:00:00:00:00:01", "0x:00:00:00:00:01"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

TEST(Endpoint, PrintsWithBracketsAroundIpv6) {
  EXPECT_EQ(to_string(Endpoint{IpAddress::v4(10, 0, 0, 1), Port{80}}), "10.0.0.1:80");
  EXPECT_EQ(to_string(Endpoint{*IpAddress::parse("fe80::1"), Port{65535}}), "[fe80::1]:65535");
  EXPECT_EQ(fmt::format("{}", Endpoint{IpAddress::v4(10, 0, 0, 1), Port{80}}), "10.0.0.1:80");
}

}  // namespace
}  // namespace transom
