// The filters of ss(8).
#include "tools/socket_filter.h"

#include "tools/failure.h"

namespace transom::tools {
namespace {

FilteredSocket socket(std::string_view state, const char* local, int local_port, const char* peer,
                      int peer_port) {
  return {state,
          {*IpAddress::parse(local), static_cast<Port>(local_port)},
          {*IpAddress::parse(peer), static_cast<Port>(peer_port)},
          "tap0"};
}

const FilteredSocket kWeb = socket("ESTAB", "10.9.0.2", 80, "10.9.0.1", 40000);
const FilteredSocket kSix = socket("ESTAB", "fd09::2", 443, "fd09::1", 50000);
const FilteredSocket kListener = socket("LISTEN", "0.0.0.0", 80, "0.0.0.0", 0);

bool takes(const std::vector<std::string>& words, const FilteredSocket& socket) {
  return SocketFilter::parse(words).takes(socket);
}

TEST(SocketFilter, WithoutWordsTakesEverything) {
  EXPECT_TRUE(takes({}, kWeb));
  EXPECT_FALSE(SocketFilter::parse({}).names_states());
}

TEST(SocketFilter, KnowsStatesAndGroupsOfThem) {
  EXPECT_TRUE(takes({"state", "established"}, kWeb));
  EXPECT_FALSE(takes({"state", "listening"}, kWeb));
  EXPECT_TRUE(takes({"state", "listening", "state", "established"}, kWeb));
  EXPECT_TRUE(takes({"state", "connected"}, kWeb));
  EXPECT_FALSE(takes({"state", "connected"}, kListener));
  EXPECT_FALSE(takes({"exclude", "established"}, kWeb));
  EXPECT_TRUE(takes({"exclude", "established"}, kListener));
  EXPECT_TRUE(takes({"state", "bucket"}, socket("TIME-WAIT", "10.9.0.2", 1, "10.9.0.1", 1)));
  EXPECT_TRUE(SocketFilter::parse({"state", "big"}).names_states());
}

TEST(SocketFilter, ComparesPorts) {
  EXPECT_TRUE(takes({"sport", "=", ":80"}, kWeb));
  EXPECT_TRUE(takes({"sport", "=", ":http"}, kWeb));
  EXPECT_TRUE(takes({"sport", ":80"}, kWeb));
  EXPECT_FALSE(takes({"sport", "!=", ":80"}, kWeb));
  EXPECT_TRUE(takes({"dport", ">=", ":1024"}, kWeb));
  EXPECT_TRUE(takes({"dport", "gt", "1024"}, kWeb));
  EXPECT_FALSE(takes({"dport", "<", ":1024"}, kWeb));
  EXPECT_TRUE(takes({"dport>39999"}, kWeb)) << "blanks are not needed around signs";
}

TEST(SocketFilter, ComparesAddresses) {
  EXPECT_TRUE(takes({"src", "10.9.0.2"}, kWeb));
  EXPECT_TRUE(takes({"src", "10.9.0.0/24:80"}, kWeb));
  EXPECT_FALSE(takes({"src", "10.9.0.0/24:81"}, kWeb));
  EXPECT_TRUE(takes({"dst", "10.9.0.1:40000"}, kWeb));
  EXPECT_FALSE(takes({"dst", "10.8.0.0/16"}, kWeb));
  EXPECT_FALSE(takes({"src", "10.9.0.2"}, kSix));
  EXPECT_TRUE(takes({"src", "[fd09::2]:443"}, kSix));
  EXPECT_TRUE(takes({"dst", "fd09::/16"}, kSix));
  EXPECT_TRUE(takes({"dst", ":50000"}, kSix));
  EXPECT_TRUE(takes({"dst", "!=", "10.9.0.1"}, kSix));
  EXPECT_TRUE(takes({"dev", "tap0"}, kWeb));
  EXPECT_FALSE(takes({"dev", "!=", "tap0"}, kWeb));
}

TEST(SocketFilter, JoinsAndNegatesAndNests) {
  EXPECT_TRUE(
      takes({"(", "sport", "=", ":443", "or", "sport", "=", ":80", ")", "and", "dport", ">", ":1"}, kWeb));
  EXPECT_TRUE(takes({"( sport = :443 | sport = :80 ) & dport > :1"}, kWeb)) << "in one word";
  EXPECT_FALSE(takes({"sport", "=", ":80", "dport", "=", ":1"}, kWeb)) << "nothing between means and";
  EXPECT_FALSE(takes({"not", "sport", "=", ":80"}, kWeb));
  EXPECT_TRUE(takes({"!(sport=:81)"}, kWeb));
  EXPECT_TRUE(takes({"sport", "=", ":1", "and", "sport", "=", ":2", "or", "sport", "=", ":80"}, kWeb))
      << "and binds closer than or";
  EXPECT_TRUE(takes({"state", "established", "sport", "=", ":80"}, kWeb));
}

TEST(SocketFilter, RefusesWhatIsNone) {
  const std::vector<std::vector<std::string>> wrong = {{"state"},
                                                       {"state", "asleep"},
                                                       {"sport"},
                                                       {"sport", "=", ":99999"},
                                                       {"sport", "=", ""},
                                                       {"dst", "10.9.0.1/99"},
                                                       {"dst", "nowhere"},
                                                       {"(", "sport", "=", ":1"},
                                                       {"colour", "red"},
                                                       {"sport", "=", ":1", ")"},
                                                       {"not"},
                                                       {"sport", "=", ":1", "and"},
                                                       std::vector<std::string>(5000, "not")};
  for (const auto& words : wrong) EXPECT_THROW((void)SocketFilter::parse(words), Failure) << words.front();
}

}  // namespace
}  // namespace transom::tools
