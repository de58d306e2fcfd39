// Settings, addresses, routes and neighbours of a host, changed while it runs.
#include "tools/failure.h"
#include "tools/host_requests.h"
#include "tools/sysctl_table.h"

namespace transom::tools {
namespace {

using nlohmann::json;

class RunningHost : public ::testing::Test {
 protected:
  json ask(const json& request) { return requests.answer(request); }
  json change(const std::string& name, const std::string& value) {
    return ask({{"change", "settings"}, {"settings", json::array({{{"name", name}, {"value", value}}})}});
  }
  std::string setting(const std::string& name) { return ask({{"show", "settings"}})[name]; }

  sockets::Stack stack;
  HostRequests requests{stack};
};

TEST_F(RunningHost, EverySettingTakesTheValueThatItShows) {
  sockets::Session session(stack);
  for (const Setting& setting : settings_of(session.host())) {
    if (setting.is_read_only) {
      EXPECT_THROW(change_setting(session.host(), setting.name, setting.value), Failure) << setting.name;
    } else {
      EXPECT_NO_THROW(change_setting(session.host(), setting.name, setting.value)) << setting.name;
      EXPECT_THROW(change_setting(session.host(), setting.name, "much"), Failure) << setting.name;
      EXPECT_THROW(change_setting(session.host(), setting.name, ""), Failure) << setting.name;
    }
  }
}

TEST_F(RunningHost, SettingsReachTheStack) {
  change("net.ipv4.tcp_sack", "0");
  change("net/ipv4/tcp_fin_timeout", "5");
  change("net.ipv4.tcp_rmem", "4096 10000 20000");
  change("net.ipv4.tcp_congestion_control", "reno");
  change("net.ipv4.tcp_fastopen", "1027");
  change("net.ipv4.ip_default_ttl", "77");
  change("net.ipv4.icmp_echo_ignore_broadcasts", "0");
  EXPECT_EQ(setting("net.ipv4.tcp_rmem"), "4096\t10000\t20000");
  EXPECT_EQ(setting("net.ipv4.tcp_fastopen"), "1027");
  sockets::Session session(stack);
  const tcp::Config& tcp = session.host().tcp().config();
  EXPECT_FALSE(tcp.sack);
  EXPECT_EQ(tcp.fin_wait_2_timeout, std::chrono::seconds(5));
  EXPECT_EQ(tcp.receive_buffer.initial, 10000U);
  EXPECT_TRUE(tcp.fast_open.all_listeners);
  EXPECT_FALSE(tcp.fast_open.client_without_cookie);
  EXPECT_EQ(session.host().tcp().standard_congestion_control().name, "reno");
  EXPECT_EQ(session.host().ip().config().default_ttl, 77);
  EXPECT_TRUE(session.host().ip().config().answer_broadcast_echo);
}

TEST_F(RunningHost, SettingsHaveBounds) {
  EXPECT_THROW(change("net.ipv4.ip_default_ttl", "0"), Failure);
  EXPECT_THROW(change("net.ipv4.ip_default_ttl", "256"), Failure);
  EXPECT_THROW(change("net.ipv4.tcp_rmem", "4096 8192"), Failure);
  EXPECT_THROW(change("net.ipv4.tcp_rmem", "8192 4096 20000"), Failure);
  EXPECT_THROW(change("net.ipv4.ip_local_port_range", "5000 4000"), Failure);
  EXPECT_THROW(change("net.ipv4.tcp_ecn", "4"), Failure);
  EXPECT_THROW(change("net.ipv4.tcp_congestion_control", "unheard"), Failure);
  EXPECT_THROW(change("net.ipv4.no_such_thing", "1"), Failure);
}

TEST_F(RunningHost, AddressesComeAndGo) {
  const json add = {{"change", "address"}, {"verb", "add"}, {"interface", "lo"}, {"prefix", "10.7.0.1/24"}};
  ask(add);
  EXPECT_THROW(ask(add), Failure) << "it is there";
  EXPECT_EQ(ask({{"show", "addresses"}})[0]["addresses"].size(), 3U);
  EXPECT_EQ(ask({{"show", "route"}, {"address", "10.7.0.1"}})[0]["interface"], "lo");
  ask({{"change", "address"}, {"verb", "delete"}, {"interface", "lo"}, {"prefix", "10.7.0.1/24"}});
  EXPECT_THROW(ask({{"show", "route"}, {"address", "10.7.0.1"}}), Failure);
  EXPECT_THROW(
      ask({{"change", "address"}, {"verb", "add"}, {"interface", "eth9"}, {"prefix", "10.7.0.1/24"}}),
      Failure);
}

TEST_F(RunningHost, RoutesComeAndGo) {
  const auto route = [&](const std::string& verb, const json& more) {
    json request = {{"change", "route"}, {"verb", verb}, {"prefix", "10.8.0.0/16"}};
    request.update(more);
    return ask(request);
  };
  route("add", {{"interface", "lo"}, {"metric", 7}});
  EXPECT_THROW(route("add", {{"interface", "lo"}, {"metric", 7}}), Failure) << "it is there";
  route("replace", {{"interface", "lo"}, {"metric", 7}, {"source", "127.0.0.1"}});
  ASSERT_EQ(ask({{"show", "routes"}}).size(), 1U);
  EXPECT_EQ(ask({{"show", "routes"}})[0]["source"], "127.0.0.1");
  EXPECT_THROW(route("delete", {{"metric", 8}}), Failure);
  route("delete", json::object());
  EXPECT_EQ(ask({{"show", "routes"}}).size(), 0U);
  EXPECT_THROW(route("add", {{"gateway", "10.1.1.1"}}), Failure) << "on no link";
  EXPECT_THROW(route("add", {{"interface", "lo"}, {"gateway", "fd09::1"}}), Failure) << "of another family";
}

TEST_F(RunningHost, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(ask({{"show", "weather"}}), Failure);
  EXPECT_THROW(ask({{"change", "weather"}, {"verb", "add"}}), Failure);
  EXPECT_THROW(ask({{"change", "link"}, {"verb", "set"}, {"interface", "lo"}, {"mtu", 10}}), Failure);
  EXPECT_THROW(ask({{"dump", {{"interface", "eth9"}, {"socket", "/nowhere"}}}}), Failure);
  const json endless = json::array({json::array({0x05, 0, 0, -1})});  // jumps to itself
  EXPECT_ANY_THROW(ask({{"dump", {{"interface", "lo"}, {"socket", "/nowhere"}, {"filter", endless}}}}));
}

TEST_F(RunningHost, ShowsTheGroupsOfItsInterfaces) {
  const json groups = ask({{"show", "groups"}});
  EXPECT_EQ(groups[0]["name"], "lo");
  EXPECT_EQ(groups[0]["groups"][0]["address"], "224.0.0.1");
}

}  // namespace
}  // namespace transom::tools
