// TCP Fast Open between two Hosts.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tests/support/scripted_peer.h"
#include "tests/support/two_hosts.h"

namespace transom::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The left host asks, the right one answers and closes.
class FastOpenHosts : public ::testing::Test {
 protected:
  static TwoHosts::Options with_delay(Duration delay) {
    TwoHosts::Options options;
    options.delay = delay;
    return options;
  }
  void start(TwoHosts::Options options, std::uint32_t limit = 100) {
    hosts.emplace(std::move(options));
    hosts->run([] { return false; }, seconds(10));  // until they have told which groups they listen to
    hosts->with(hosts->right(), [&] {
      auto hold = hosts->right().tcp().bind({.local = {IpAddress::any(IpFamily::kIpv4), Port{80}}});
      tcp::Options serving;
      serving.fast_open_queue = limit;
      listener = *hosts->right().tcp().listen(*hold, 100, serving);
    });
  }

  // Everything that came back, and how long that took; the answer to "x" is "x!".
  struct Reply {
    std::string text;
    Duration took{};
  };
  Reply ask(std::string_view question, Duration limit = seconds(400)) {
    const Instant begin = hosts->now();
    tcp::Options options;
    options.fast_open_connect = true;
    tcp::Connection& client = hosts->with(hosts->left(), [&]() -> tcp::Connection& {
      tcp::PortHold none;
      return **hosts->left().tcp().connect(none, {TwoHosts::kRight, Port{80}}, options);
    });
    std::size_t written = 0;
    Reply reply;
    const bool is_done = hosts->run(
        [&] {
          if (written < question.size()) {
            const std::string_view rest = question.substr(written);
            const Bytes bytes(reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size());
            if (client.readiness().writable)
              written += hosts->with(hosts->left(), [&] { return client.send({&bytes, 1}); }).value_or(0);
          }
          serve(question.size());
          return read(hosts->left(), client, reply.text);
        },
        limit);
    reply.took = hosts->now() - begin;
    EXPECT_TRUE(is_done);
    hosts->with(hosts->left(), [&] { client.close(); });
    return reply;
  }

  // True at the end of the stream.
  bool read(Host& host, tcp::Connection& connection, std::string& text) {
    std::array<std::uint8_t, 4096> buffer;
    for (;;) {
      const auto count = hosts->with(host, [&] { return connection.receive(buffer); });
      if (!count) return count.error() != Error::kWouldBlock;
      if (*count == 0) return true;
      text.append(reinterpret_cast<const char*>(buffer.data()), *count);
    }
  }
  void serve(std::size_t expected) {
    while (const auto accepted = hosts->with(hosts->right(), [&] { return listener->accept(); }))
      conversations[*accepted];
    for (auto it = conversations.begin(); it != conversations.end();) {
      auto& [connection, text] = *it;
      const bool has_ended = read(hosts->right(), *connection, text);
      if (text.size() < expected && !has_ended) {
        ++it;
        continue;
      }
      if (text.size() >= expected) requests.push_back(text);
      text += "!";
      const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
      hosts->with(hosts->right(), [&] {
        (void)connection->send({&bytes, 1});
        connection->close();
      });
      it = conversations.erase(it);
    }
  }
  std::uint64_t of_client(Counter counter) { return hosts->left().counters()[counter]; }
  std::uint64_t of_server(Counter counter) { return hosts->right().counters()[counter]; }

  std::optional<TwoHosts> hosts;
  tcp::Listener* listener = nullptr;
  std::map<tcp::Connection*, std::string> conversations;
  std::vector<std::string> requests;
};

TEST_F(FastOpenHosts, SaveOneRoundTripFromTheSecondConnectionOn) {
  start(with_delay(milliseconds(50)));
  const Reply first = ask("question");
  EXPECT_EQ(first.text, "question!");
  const Reply second = ask("another");
  EXPECT_EQ(second.text, "another!");
  EXPECT_GE(first.took - second.took, milliseconds(100)) << "one round trip";
  EXPECT_EQ(of_client(Counter::kTcpExtTCPFastOpenActive), 1U);
  EXPECT_EQ(of_server(Counter::kTcpExtTCPFastOpenPassive), 1U);
  EXPECT_EQ(of_server(Counter::kTcpExtTCPFastOpenCookieReqd), 1U);
}

TEST_F(FastOpenHosts, CarryQuestionsThatAreLongerThanASyn) {
  start(with_delay(milliseconds(5)));
  ask("x");
  for (const std::size_t size : {1420U, 1421U, 10000U, 200000U}) {
    const std::string question = letters(size);
    EXPECT_EQ(ask(question).text, question + "!") << size;
  }
  EXPECT_EQ(of_client(Counter::kTcpExtTCPFastOpenActive), 4U);
}

TEST_F(FastOpenHosts, FallBackWhenTheServerHasForgottenItsKey) {
  start(with_delay(milliseconds(5)));
  ask("one");
  hosts->right().tcp().set_fast_open_keys({.current = {1, 2}});
  EXPECT_EQ(ask("two").text, "two!");
  EXPECT_EQ(of_client(Counter::kTcpExtTCPFastOpenActiveFail), 1U);
  EXPECT_EQ(of_server(Counter::kTcpExtTCPFastOpenPassiveFail), 1U);
  EXPECT_EQ(ask("three").text, "three!");
  EXPECT_EQ(of_client(Counter::kTcpExtTCPFastOpenActive), 1U);
  EXPECT_EQ(requests, (std::vector<std::string>{"one", "two", "three"}));
}

// Whatever is lost, each question is answered, and arrives once.
TEST_F(FastOpenHosts, LoseNothingOnALossyLink) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    requests.clear();
    TwoHosts::Options options = with_delay(milliseconds(10));
    options.seed = seed;
    options.lose = [&](const Packet&) { return random.chance(0.2); };
    start(std::move(options), 3);
    for (int i = 0; i < 10; ++i) {
      const std::string question = letters(1 + random.below(4000));
      ASSERT_EQ(ask(question).text, question + "!");
      ASSERT_EQ(requests.size(), static_cast<std::size_t>(i) + 1);
      ASSERT_EQ(requests.back(), question);
    }
    hosts->run([] { return false; }, seconds(400));
    EXPECT_EQ(listener->fast_open_queue()->size(), 0U);
    EXPECT_EQ(hosts->left().tcp().connection_count(), 0U);
    EXPECT_EQ(hosts->right().tcp().connection_count(), 0U);
  }
}

}  // namespace
}  // namespace transom::test
