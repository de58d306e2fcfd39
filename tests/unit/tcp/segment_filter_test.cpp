// What a filter of the user (SO_ATTACH_FILTER) does to the segments of a connection.
#include "stack/tcp/segment_filter.h"

#include "tests/support/scripted_peer.h"

namespace transom::test {
namespace {

struct KeepsThreeOctets final : tcp::SegmentFilter {
  std::size_t octets_to_keep(const ip::Received&, const Packet& segment) override {
    constexpr std::size_t kHeader = wire::TcpHeader::kMinSize;
    return std::min<std::size_t>(segment.size(), kHeader + 3);
  }
};

TEST(SegmentFilters, AFinBehindWhatIsCutOffHasNotComeEither) {
  HostUnderTest world;
  tcp::Listener& listener = world.listen(80);
  ScriptedPeer peer(world, 4000, 80);
  tcp::Connection& connection = peer.connect_to(listener);
  tcp::Options options = connection.options();
  options.filter = std::make_shared<KeepsThreeOctets>();
  world.with([&] { connection.set_options(options); });
  const std::uint32_t begin = peer.next;
  peer.send_next("FPA", "abcdef");
  EXPECT_EQ(connection.state(), tcp::State::kEstablished);
  EXPECT_EQ(read_all(world, connection), "abc");

  options.filter = nullptr;
  world.with([&] { connection.set_options(options); });
  peer.next = begin;
  peer.send_next("FPA", "abcdef");
  EXPECT_EQ(read_all(world, connection), "def");
  EXPECT_EQ(connection.state(), tcp::State::kCloseWait);
}

}  // namespace
}  // namespace transom::test
