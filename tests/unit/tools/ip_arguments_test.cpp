// What ip(8) writes, as requests.
#include "tools/ip_arguments.h"

#include "tools/failure.h"

namespace transom::tools {
namespace {

using nlohmann::json;

json parsed(const std::string& object, const std::vector<std::string>& words, bool only_v6 = false) {
  return parse_ip_arguments(object, words, only_v6);
}

TEST(IpArguments, ShowIsTheDefault) {
  EXPECT_EQ(parsed("addr", {}), json({{"show", "addresses"}}));
  EXPECT_EQ(parsed("neigh", {"ls", "dev", "tap0"}), json({{"show", "neighbours"}, {"interface", "tap0"}}));
  EXPECT_EQ(parsed("maddr", {"show", "tap0"}), json({{"show", "groups"}, {"interface", "tap0"}}));
  EXPECT_EQ(parsed("route", {"get", "10.9.0.1"}), json({{"show", "route"}, {"address", "10.9.0.1"}}));
}

TEST(IpArguments, ChangesHaveTheirWordsInAnyOrder) {
  const json route = {{"change", "route"},   {"verb", "add"},         {"family", "inet"},
                      {"prefix", "default"}, {"gateway", "10.9.0.1"}, {"interface", "tap0"},
                      {"metric", 5}};
  EXPECT_EQ(parsed("route", {"add", "default", "via", "10.9.0.1", "dev", "tap0", "metric", "5"}), route);
  EXPECT_EQ(parsed("route", {"a", "metric", "5", "dev", "tap0", "default", "via", "10.9.0.1"}), route);
  EXPECT_EQ(parsed("addr", {"del", "10.9.0.3/24", "dev", "tap0"})["verb"], "delete");
  EXPECT_EQ(
      parsed("link", {"set", "tap0", "mtu", "1400"}),
      json({{"change", "link"}, {"verb", "set"}, {"family", "inet"}, {"interface", "tap0"}, {"mtu", 1400}}));
  EXPECT_EQ(parsed("neigh", {"flush"})["verb"], "flush");
}

TEST(IpArguments, ADefaultRouteIsOfTheFamilyOfItsGateway) {
  EXPECT_EQ(parsed("route", {"add", "default", "via", "fd09::1"})["family"], "inet6");
  EXPECT_EQ(parsed("route", {"del", "default"}, true)["family"], "inet6");
  EXPECT_EQ(parsed("route", {"del", "default"})["family"], "inet");
}

TEST(IpArguments, RefusesWhatIsNotUnderstood) {
  EXPECT_THROW((void)parsed("maddr", {"add", "224.0.0.5"}), Failure);
  EXPECT_THROW((void)parsed("addr", {"add"}), Failure);
  EXPECT_THROW((void)parsed("addr", {"add", "10.9.0.3/24", "dev"}), Failure);
  EXPECT_THROW((void)parsed("route", {"add", "default", "metric", "many"}), Failure);
  EXPECT_THROW((void)parsed("neigh", {"add", "10.9.0.3", "nud", "stale"}), Failure);
  EXPECT_THROW((void)parsed("link", {"set", "tap0", "up", "now"}), Failure);
}

}  // namespace
}  // namespace transom::tools
