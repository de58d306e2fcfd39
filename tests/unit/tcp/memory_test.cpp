// What a connection costs while nothing happens on it, and before and after it is one. Counted by the
// sanitizer's allocator, in octets asked for: records, their places in tables, and what is kept free there.
#include <gtest/gtest.h>

#include <vector>

#include "stack/tcp/record_table.h"
#include "tests/support/scripted_peer.h"
#include "tests/support/two_hosts.h"

#if defined(__SANITIZE_ADDRESS__) || (defined(__has_feature) && __has_feature(address_sanitizer))
#include <sanitizer/allocator_interface.h>
#endif

namespace transom::test {
namespace {

using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || (defined(__has_feature) && __has_feature(address_sanitizer))
std::size_t allocated_octets() { return __sanitizer_get_current_allocated_bytes(); }
#else
std::size_t allocated_octets() { return 0; }
#endif

class ConnectionMemory : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 1000;

  void SetUp() override {
    if (allocated_octets() == 0) GTEST_SKIP() << "needs AddressSanitizer to count";
    hosts.run([] { return false; }, seconds(10));  // until they have told which groups they listen to
    hosts.with(hosts.right(), [&] {
      auto hold = hosts.right().tcp().bind({.local = {TwoHosts::kRight, Port{80}}});
      listener = *hosts.right().tcp().listen(*hold, 2 * kCount, {});
    });
    open(10);  // what the first ones make is not theirs alone: routes, neighbours, packet buffers
  }

  void open(std::size_t count) {
    const std::size_t before = clients.size();
    for (std::size_t i = 0; i < count; ++i) {
      hosts.with(hosts.left(), [&] {
        tcp::PortHold none;
        clients.push_back(*hosts.left().tcp().connect(none, {TwoHosts::kRight, Port{80}}, {}));
      });
      hosts.run([&] { return clients.back()->state() == tcp::State::kEstablished; }, seconds(1));
    }
    hosts.run([] { return false; }, seconds(1));
    hosts.with(hosts.right(), [&] {
      while (const auto accepted = listener->accept()) servers.push_back(*accepted);
    });
    ASSERT_EQ(servers.size(), before + count);
  }

  void move_an_octet(std::size_t index) {
    const std::uint8_t octet = 'x';
    const Bytes piece(&octet, 1);
    hosts.with(hosts.left(), [&] { (void)clients[index]->send({&piece, 1}); });
    hosts.run([&] { return servers[index]->readable_octets() == 1; }, seconds(1));
    std::uint8_t received = 0;
    hosts.with(hosts.right(), [&] { (void)servers[index]->receive({&received, 1}); });
    EXPECT_EQ(received, octet);
  }

  TwoHosts hosts{{}};
  tcp::Listener* listener = nullptr;
  std::vector<tcp::Connection*> clients;
  std::vector<tcp::Connection*> servers;
};

TEST_F(ConnectionMemory, AnIdleConnectionTakesHalfAKibibyteAtEachEndWithItsPlaceInTheTable) {
  clients.reserve(2 * kCount);
  servers.reserve(2 * kCount);
  const std::size_t before = allocated_octets();
  open(kCount);
  EXPECT_LE((allocated_octets() - before) / (2 * kCount), 512U);
}

TEST_F(ConnectionMemory, OneThatHasCarriedDataTakesTwoKibibytesOnceItIsQuiet) {
  clients.reserve(2 * kCount);
  servers.reserve(2 * kCount);
  const std::size_t before = allocated_octets();
  open(kCount);
  for (std::size_t i = 0; i < clients.size(); ++i) move_an_octet(i);
  hosts.run([] { return false; }, seconds(5));
  EXPECT_LE((allocated_octets() - before) / (2 * kCount), 2048U);
}

class RecordMemory : public ::testing::TestWithParam<IpFamily> {
 protected:
  static constexpr std::uint16_t kCount = 2000;

  void SetUp() override {
    if (allocated_octets() == 0) GTEST_SKIP() << "needs AddressSanitizer to count";
  }
  // What `begin(peer)` leaves behind for each peer.
  template <typename Begin>
  double octets_for_each(Begin begin) {
    for (std::uint16_t i = 0; i < 64; ++i) begin(static_cast<std::uint16_t>(1000 + i));  // fill a chunk
    const std::size_t before = allocated_octets();
    for (std::uint16_t i = 0; i < kCount; ++i) begin(static_cast<std::uint16_t>(2000 + i));
    return static_cast<double>(allocated_octets() - before) / kCount;
  }

  HostUnderTest world;
  tcp::Listener& listener = world.listen(80, {}, 2 * kCount, GetParam());
};

INSTANTIATE_TEST_SUITE_P(Families, RecordMemory, ::testing::Values(IpFamily::kIpv4, IpFamily::kIpv6),
                         [](const auto& info) {
                           return info.param == IpFamily::kIpv4 ? std::string("Ipv4") : std::string("Ipv6");
                         });

TEST_P(RecordMemory, AHalfOpenConnectionTakes96OctetsWithItsPlaceInTheTable) {
  const double octets = octets_for_each([&](std::uint16_t port) {
    ScriptedPeer peer(world, port, 80, GetParam());
    peer.send({.flags = "S", .sequence = 1, .options = {.maximum_segment_size = 1460}});
    peer.expect("SA");
  });
  EXPECT_EQ(world.host().tcp().half_open_count(), kCount + 64U);
  EXPECT_LE(octets, 96.0);
}

TEST_P(RecordMemory, AConnectionInTimeWaitTakes64OctetsWithItsPlaceInTheTable) {
  const double octets = octets_for_each([&](std::uint16_t port) {
    ScriptedPeer peer(world, port, 80, GetParam());
    auto& connection = peer.connect_to(listener, {.timestamps = wire::TcpTimestamps{1, 0}});
    world.with([&] { connection.close(); });
    peer.expect("FA");
    ++peer.expected;
    peer.send_next("FA");
    peer.expect("A");
  });
  EXPECT_EQ(world.host().tcp().time_wait_count(), kCount + 64U);
  EXPECT_LE(octets, 64.0);
}

TEST(RecordTableMemory, IsThatOfTheRecordsThereAreHoweverManyLocalAddressesHaveBeen) {
  if (allocated_octets() == 0) GTEST_SKIP() << "needs AddressSanitizer to count";
  tcp::RecordTable<tcp::TableRecord> table(SipKey{1, 2});
  tcp::RecordOrder order;
  const auto add_and_remove = [&](std::uint32_t local) {
    table.remove(table.add({{IpAddress::v4(local), Port{80}}, {}}, InterfaceId::kAny, order), order);
  };
  add_and_remove(0);
  const std::size_t before = allocated_octets();
  for (std::uint32_t local = 1; local < 1000; ++local) add_and_remove(local);
  EXPECT_EQ(allocated_octets(), before);
}

}  // namespace
}  // namespace transom::test
