// Two Hosts in virtual time: connections opened, used and closed by the thousand, and long transfers under
// loss. Each run is a function of its seed.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/two_hosts.h"

namespace transom::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// One client connection's life: send a request, read the answer, close.
struct Client {
  tcp::Connection* connection = nullptr;
  bool has_sent = false;
  std::size_t received = 0;
  bool done = false;
};

struct Outcome {
  std::uint64_t hash = 0;
  std::uint64_t frames = 0;
  std::size_t completed = 0;
};

Outcome open_use_close(std::size_t count, std::size_t at_once, std::uint64_t seed) {
  constexpr std::size_t kAnswer = 3000;
  TwoHosts::Options options;
  options.seed = seed;
  TwoHosts world(options);
  auto hold = world.right().tcp().bind({.local = {IpAddress::v4(0), Port{80}}});
  EXPECT_TRUE(hold);
  tcp::Listener* listener = *world.right().tcp().listen(*hold, 4096, {});
  std::vector<Client> clients(count);
  std::vector<tcp::Connection*> serving;
  const std::vector<std::uint8_t> answer(kAnswer, 'x');
  std::size_t opened = 0;
  std::size_t completed = 0;
  std::size_t first_open = 0;
  std::array<std::uint8_t, 4096> buffer;

  const auto serve = [&] {
    world.with(world.right(), [&] {
      while (auto accepted = listener->accept()) serving.push_back(*accepted);
      std::erase_if(serving, [&](tcp::Connection* connection) {
        const auto got = connection->receive(buffer);
        if (!got) {
          if (got.error() == Error::kWouldBlock) return false;
          connection->close();
          return true;
        }
        if (*got > 0) {
          const Bytes bytes(answer);
          (void)connection->send({&bytes, 1});
          return false;
        }
        connection->close();
        return true;
      });
    });
  };
  const auto drive_clients = [&] {
    world.with(world.left(), [&] {
      while (opened < count && opened - completed < at_once) {
        tcp::PortHold none;
        auto connection = world.left().tcp().connect(none, {TwoHosts::kRight, Port{80}}, {});
        if (!connection) break;
        clients[opened++].connection = *connection;
      }
      for (std::size_t i = first_open; i < opened; ++i) {
        Client& client = clients[i];
        if (client.done) {
          if (i == first_open) ++first_open;
          continue;
        }
        if (!client.has_sent && client.connection->readiness().writable) {
          const std::array<std::uint8_t, 5> request = {'h', 'e', 'l', 'l', 'o'};
          const Bytes bytes(request);
          EXPECT_TRUE(client.connection->send({&bytes, 1}));
          client.has_sent = true;
        }
        while (auto got = client.connection->receive(buffer)) {
          if (*got == 0) break;
          client.received += *got;
        }
        if (client.received == kAnswer) {
          client.connection->close();
          client.done = true;
          ++completed;
        }
      }
    });
  };
  const bool finished = world.run(
      [&] {
        serve();
        drive_clients();
        return completed == count;
      },
      seconds(600));
  EXPECT_TRUE(finished) << completed << " of " << count << ", seed " << seed;
  return {world.trace_hash(), world.frames(), completed};
}

TEST(ManyConnections, TenThousandAreOpenedUsedAndClosed) {
  const Outcome outcome = open_use_close(10000, 200, 7);
  EXPECT_EQ(outcome.completed, 10000U);
  // Compared between the builds by tests/simulation/compare_builds.sh.
  std::printf("trace hash %016llx of %llu frames\n", static_cast<unsigned long long>(outcome.hash),
              static_cast<unsigned long long>(outcome.frames));
}

TEST(ManyConnections, SameSeedSameTrace) {
  const Outcome first = open_use_close(500, 50, 3);
  const Outcome second = open_use_close(500, 50, 3);
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_NE(first.hash, open_use_close(500, 50, 4).hash);
}

struct Loss {
  double probability;
  Duration delay;
  bool sack;
};

class Transfer : public ::testing::TestWithParam<Loss> {};
INSTANTIATE_TEST_SUITE_P(LossMatrix, Transfer,
                         ::testing::Values(Loss{0, microseconds(50), true}, Loss{0.01, milliseconds(5), true},
                                           Loss{0.05, milliseconds(1), true},
                                           Loss{0.05, milliseconds(1), false},
                                           Loss{0.2, milliseconds(1), true}));

TEST_P(Transfer, BytesArriveOnceInOrderAndEqual) {
  constexpr std::size_t kOctets = 2 << 20;
  constexpr std::uint64_t kSeed = 11;
  Random dice(seed_from_number(kSeed));
  HostConfig config;
  config.tcp.sack = GetParam().sack;
  TwoHosts world({.seed = kSeed,
                  .delay = GetParam().delay,
                  .lose = [&](const Packet&) { return dice.chance(GetParam().probability); },
                  .config = config});
  auto hold = world.right().tcp().bind({.local = {IpAddress::v4(0), Port{80}}});
  tcp::Listener* listener = *world.right().tcp().listen(*hold, 16, {});
  tcp::PortHold none;
  tcp::Connection* sender = world.with(
      world.left(), [&] { return *world.left().tcp().connect(none, {TwoHosts::kRight, Port{80}}, {}); });
  tcp::Connection* receiver = nullptr;
  std::vector<std::uint8_t> sent(kOctets);
  for (std::size_t i = 0; i < kOctets; ++i) sent[i] = static_cast<std::uint8_t>(i * 31 + i / 4093);
  std::vector<std::uint8_t> received;
  std::size_t written = 0;
  bool ended = false;
  std::vector<std::uint8_t> buffer(65536);
  const bool finished = world.run(
      [&] {
        world.with(world.left(), [&] {
          while (written < kOctets) {
            const Bytes rest = Bytes(sent).subspan(written);
            const auto taken = sender->send({&rest, 1});
            if (!taken) break;
            written += *taken;
            if (written == kOctets) sender->shutdown_send();
          }
        });
        world.with(world.right(), [&] {
          if (receiver == nullptr) {
            if (auto accepted = listener->accept()) receiver = *accepted;
          }
          while (receiver != nullptr) {
            const auto got = receiver->receive(buffer);
            if (!got) break;
            if (*got == 0) {
              ended = true;
              break;
            }
            received.insert(received.end(), buffer.begin(),
                            buffer.begin() + static_cast<std::ptrdiff_t>(*got));
          }
        });
        return ended;
      },
      seconds(3600));
  EXPECT_TRUE(finished) << "seed " << kSeed << ", received " << received.size();
  EXPECT_EQ(received == sent, true) << "seed " << kSeed;
}

}  // namespace
}  // namespace transom::test
