#include <gtest/gtest.h>

#include "stack/base/address.h"

namespace transom {
namespace {

IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(IpPrefix, ParsesAndPrintsWithItsHostBits) {
  EXPECT_EQ(to_string(prefix("10.9.0.2/24")), "10.9.0.2/24");
  EXPECT_EQ(to_string(prefix("2001:DB8::2/64")), "2001:db8::2/64");
  EXPECT_EQ(prefix("10.9.0.2").length, 32);
  EXPECT_EQ(prefix("::1").length, 128);
  EXPECT_EQ(prefix("0.0.0.0/0").length, 0);
}

TEST(IpPrefix, RefusesMalformedText) {
  for (const char* text : {"", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/8/8", "::/129", "::/256", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0/8",
                           "::ffff:10.0.0.0/104", "10.0.0.0/0x8", "10.0.0.0/255.0.0.0", "10.0.0.0/1000"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
}

TEST(IpPrefix, ContainsWhatSharesItsBits) {
  EXPECT_TRUE(prefix("10.9.0.2/24").contains(address("10.9.0.255")));
  EXPECT_FALSE(prefix("10.9.0.2/24").contains(address("10.9.1.0")));
  EXPECT_TRUE(prefix("10.9.0.2").contains(address("10.9.0.2")));
  EXPECT_FALSE(prefix("10.9.0.2").contains(address("10.9.0.3")));
  EXPECT_TRUE(prefix("10.9.0.2/23").contains(address("10.9.1.0")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(address("2001:db8:8000::1")));
}

TEST(IpPrefix, NeverContainsTheOtherFamily) {
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("255.255.255.255")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("::1")));
  EXPECT_TRUE(prefix("::/0").contains(address("ffff::")));
  EXPECT_FALSE(prefix("::/0").contains(address("1.2.3.4")));
}

TEST(IpPrefix, ClearsHostBits) {
  EXPECT_EQ(to_string(prefix("10.9.255.2/20").network()), "10.9.240.0/20");
  EXPECT_EQ(to_string(prefix("10.9.255.2/0").network()), "0.0.0.0/0");
  EXPECT_EQ(to_string(prefix("10.9.255.2/32").network()), "10.9.255.2/32");
  EXPECT_EQ(to_string(prefix("2001:db8:ffff::1/35").network()), "2001:db8:e000::/35");
  EXPECT_EQ(to_string(prefix("ffff::1/0").network()), "::/0");
}

TEST(IpPrefix, HasADirectedBroadcastWhereThatMakesSense) {  // RFC 919; RFC 3021 §2.2 for /31
  EXPECT_EQ(prefix("10.9.0.2/24").directed_broadcast(), address("10.9.0.255"));
  EXPECT_EQ(prefix("10.9.0.2/30").directed_broadcast(), address("10.9.0.3"));
  EXPECT_EQ(prefix("10.9.0.2/0").directed_broadcast(), address("255.255.255.255"));
  EXPECT_FALSE(prefix("10.9.0.2/31").directed_broadcast());
  EXPECT_FALSE(prefix("10.9.0.2/32").directed_broadcast());
  EXPECT_FALSE(prefix("2001:db8::/64").directed_broadcast());
}

}  // namespace
}  // namespace transom
