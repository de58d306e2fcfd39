// RFC 6724: the tables of its section 10, and each rule by itself.

#include "stack/ip/source_selection.h"

#include <gtest/gtest.h>

namespace transom::ip {
namespace {

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }
SourceCandidate candidate(std::string_view text) { return {*IpPrefix::parse(text), false, true}; }

std::string chosen(std::vector<SourceCandidate> candidates, std::string_view destination) {
  const auto forwards = select_source(candidates, address(destination));
  std::ranges::reverse(candidates);
  const auto backwards = select_source(candidates, address(destination));
  // The order must not matter where a rule decides.
  return forwards == backwards ? (forwards ? to_string(*forwards) : "none") : "depends on the order";
}

TEST(SourceSelection, FollowsTheExamplesOfTheRfc) {  // R6724-01: RFC 6724 §10.1
  EXPECT_EQ(chosen({candidate("2001:db8:3::1/64"), candidate("fe80::1/64")}, "2001:db8:1::1"),
            "2001:db8:3::1");
  EXPECT_EQ(chosen({candidate("2001:db8:3::1/64"), candidate("fe80::1/64")}, "ff05::1"), "2001:db8:3::1");
  EXPECT_EQ(chosen({candidate("2001:db8:1::1/64"), candidate("fe80::1/64")}, "fe80::2"), "fe80::1");
  EXPECT_EQ(chosen({candidate("2001:db8:2::1/64"), candidate("fe80::1/64")}, "2001:db8:2::1"),
            "2001:db8:2::1");
  EXPECT_EQ(chosen({candidate("2001:db8:1::2/64"), candidate("2001:db8:3::2/64")}, "2001:db8:1::1"),
            "2001:db8:1::2");
  EXPECT_EQ(chosen({candidate("2002:c633:6401::2/64"), candidate("2001:db8:1::2/64")}, "2002:c633:6401::1"),
            "2002:c633:6401::2");
}

TEST(SourceSelection, AppliesEachRuleInItsPlace) {
  // Rule 1 before all: the destination itself, deprecated as it may be.
  SourceCandidate deprecated = candidate("2001:db8::1/64");
  deprecated.is_deprecated = true;
  EXPECT_EQ(chosen({deprecated, candidate("2001:db8::2/64")}, "2001:db8::1"), "2001:db8::1");
  // Rule 2 before rule 3: scope.
  EXPECT_EQ(chosen({deprecated, candidate("fe80::1/64")}, "2001:db8::9"), "2001:db8::1");
  EXPECT_EQ(chosen({candidate("fe80::1/64"), candidate("fd00::1/64")}, "ff02::1"), "fe80::1");
  // Rule 3 before rule 8.
  EXPECT_EQ(chosen({deprecated, candidate("2001:db8:ffff::1/64")}, "2001:db8::9"), "2001:db8:ffff::1");
  // Rule 5 before rule 6.
  SourceCandidate elsewhere = candidate("fd00::1/64");
  elsewhere.is_on_outgoing_interface = false;
  EXPECT_EQ(chosen({elsewhere, candidate("2001:db8::1/64")}, "fd00::9"), "2001:db8::1");
  // Rule 6: labels. A unique local address speaks to its like.
  EXPECT_EQ(chosen({candidate("fd00::1/64"), candidate("2001:db8::1/64")}, "fd12::9"), "fd00::1");
  EXPECT_EQ(chosen({candidate("fd00::1/64"), candidate("2001:db8::1/64")}, "2600::9"), "2001:db8::1");
  // Rule 8 counts no further than the prefix of the source.
  EXPECT_EQ(select_source(std::vector{candidate("2001:db8:0:1::1/64"), candidate("2001:db8:0:1::8/64")},
                          address("2001:db8:0:1::9")),
            address("2001:db8:0:1::1"));
}

TEST(SourceSelection, WorksForIpv4) {
  EXPECT_EQ(chosen({candidate("10.0.0.1/24"), candidate("192.168.0.1/24")}, "192.168.0.77"), "192.168.0.1");
  EXPECT_EQ(chosen({candidate("169.254.1.1/16"), candidate("10.0.0.1/8")}, "8.8.8.8"), "10.0.0.1");
  EXPECT_EQ(chosen({candidate("169.254.1.1/16"), candidate("10.0.0.1/8")}, "169.254.9.9"), "169.254.1.1");
  EXPECT_EQ(chosen({candidate("2001:db8::1/64")}, "10.0.0.1"), "none");
}

TEST(SourceSelection,
     SortsDestinationsByTheExamplesOfTheRfc) {  // R6724-02: RFC 6724 §10.2, and the policy table
  const auto sorted = [](std::vector<std::pair<const char*, const char*>> pairs) {
    std::vector<DestinationCandidate> destinations;
    for (const auto& [destination, source] : pairs) {
      destinations.push_back(
          {address(destination), source == nullptr ? std::nullopt : std::optional(candidate(source))});
    }
    sort_destinations(destinations);
    std::string text;
    for (const DestinationCandidate& destination : destinations) text += to_string(destination.address) + " ";
    return text;
  };
  EXPECT_EQ(sorted({{"198.51.100.121", "169.254.13.78/16"}, {"2001:db8:1::1", "2001:db8:1::2/64"}}),
            "2001:db8:1::1 198.51.100.121 ");
  EXPECT_EQ(sorted({{"2001:db8:1::1", "fe80::1/64"}, {"198.51.100.121", "198.51.100.117/24"}}),
            "198.51.100.121 2001:db8:1::1 ");
  EXPECT_EQ(sorted({{"10.1.2.3", "10.1.2.4/24"}, {"2001:db8:1::1", "2001:db8:1::2/64"}}),
            "2001:db8:1::1 10.1.2.3 ");
  EXPECT_EQ(sorted({{"2001:db8:1::1", "2001:db8:1::2/64"}, {"fe80::1", "fe80::2/64"}}),
            "fe80::1 2001:db8:1::1 ");
  EXPECT_EQ(sorted({{"2001:db8:3ffe::1", "2001:db8:3f44::2/64"}, {"2001:db8:1::1", "2001:db8:1::2/64"}}),
            "2001:db8:1::1 2001:db8:3ffe::1 ");
  EXPECT_EQ(sorted({{"2002:c633:6401::1", "2002:c633:6401::2/64"}, {"2001:db8:1::1", "2001:db8:1::2/64"}}),
            "2001:db8:1::1 2002:c633:6401::1 ");
  EXPECT_EQ(sorted({{"fd00::1", "fd00::2/64"}, {"10.0.0.1", "10.0.0.2/24"}}),
            "10.0.0.1 fd00::1 ");  // ULA 3, IPv4 35
  EXPECT_EQ(sorted({{"2001:db8::1", nullptr}, {"10.0.0.1", "10.0.0.2/24"}}),
            "10.0.0.1 2001:db8::1 ");  // rule 1
  EXPECT_EQ(sorted({{"10.0.0.9", "10.0.0.2/24"}, {"10.0.0.8", "10.0.0.2/24"}}),
            "10.0.0.9 10.0.0.8 ");  // rule 10: as they came
}

}  // namespace
}  // namespace transom::ip
