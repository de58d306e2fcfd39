// What must not be guessed, and how often an ACK may be had for nothing.
#include "stack/tcp/secrets.h"

#include <gtest/gtest.h>

#include <set>

#include "stack/tcp/ack_limiter.h"

namespace transom::tcp {
namespace {

using namespace std::chrono_literals;

const FourTuple kTuple{{IpAddress::v4(10, 0, 0, 1), Port{80}}, {IpAddress::v4(10, 0, 0, 2), Port{4000}}};

FourTuple with_port(std::uint16_t port) {
  FourTuple tuple = kTuple;
  tuple.remote.port = Port{port};
  return tuple;
}

class SecretsTest : public testing::Test {
 protected:
  Random random_{Seed{1, 2}};
  Secrets secrets_{random_};
};

TEST_F(SecretsTest, NumbersThatWereChosenAreUsedAndTheOthersLeftAlone) {
  struct One final : ChosenNumbers {
    std::optional<SeqNum> initial_sequence(const FourTuple& tuple) override {
      return tuple == kTuple ? std::optional(SeqNum(7)) : std::nullopt;
    }
    std::optional<std::uint32_t> timestamp_offset(const FourTuple& tuple) override {
      return tuple == kTuple ? std::optional(9U) : std::nullopt;
    }
  } chosen;
  const std::uint32_t other = secrets_.timestamp_offset({kTuple.remote, kTuple.local});
  secrets_.choose_numbers(&chosen);
  EXPECT_EQ(secrets_.chosen_sequence(kTuple), SeqNum(7));
  EXPECT_EQ(secrets_.chosen_sequence(with_port(1)), std::nullopt);
  EXPECT_EQ(secrets_.timestamp_offset(kTuple), 9U);
  EXPECT_EQ(secrets_.timestamp_offset({kTuple.remote, kTuple.local}), other);
  secrets_.choose_numbers(nullptr);
  EXPECT_EQ(secrets_.chosen_sequence(kTuple), std::nullopt);
}

TEST_F(SecretsTest, InitialNumbersOfOneConnectionGrowByOneEachFourMicroseconds) {  // RFC 9293 §3.4.1
  const SeqNum first = secrets_.initial_sequence(kTuple, Instant(1s));
  EXPECT_EQ(secrets_.initial_sequence(kTuple, Instant(1s) + 4us), first + 1);
  EXPECT_EQ(secrets_.initial_sequence(kTuple, Instant(2s)), first + 250'000);
}

TEST_F(SecretsTest, InitialNumbersOfDifferentConnectionsSayNothingOfEachOther) {  // RFC 6528
  std::set<std::int32_t> distances;
  const SeqNum first = secrets_.initial_sequence(kTuple, Instant(1s));
  for (std::uint16_t port = 4001; port < 4101; ++port)
    distances.insert(secrets_.initial_sequence(with_port(port), Instant(1s)) - first);
  EXPECT_EQ(distances.size(), 100U);
  EXPECT_GT(*distances.rbegin() - std::int64_t{*distances.begin()}, std::int64_t{1} << 31)
      << "they lie everywhere";
}

TEST_F(SecretsTest, AnotherSecretGivesOtherNumbers) {
  const Secrets other(random_);
  EXPECT_NE(secrets_.initial_sequence(kTuple, Instant(1s)), other.initial_sequence(kTuple, Instant(1s)));
  EXPECT_NE(secrets_.cookie_hash(kTuple, 1), other.cookie_hash(kTuple, 1));
}

TEST_F(SecretsTest, TimestampsGrowFromOneConnectionToTheNextBetweenTwoHosts) {  // RFC 6191
  EXPECT_EQ(secrets_.timestamp_offset(kTuple), secrets_.timestamp_offset(with_port(4001)));
  FourTuple other_host = kTuple;
  other_host.remote.address = IpAddress::v4(10, 0, 0, 3);
  EXPECT_NE(secrets_.timestamp_offset(kTuple), secrets_.timestamp_offset(other_host));
}

TEST_F(SecretsTest, FlowLabelsFitTheirFieldAndAreNotZero) {
  for (std::uint16_t port = 1; port < 2000; ++port) {
    const std::uint32_t label = secrets_.flow_label(with_port(port));
    EXPECT_GT(label, 0U);
    EXPECT_LE(label, 0xfffffU);
  }
}

TEST(AckLimiter, AllowsAFewPerSecond) {  // RFC 5961 §7; how many is not to be guessed
  Random random(Seed{3, 4});
  AckLimiter limiter;
  std::set<int> budgets;
  for (int second = 0; second < 50; ++second) {
    int allowed = 0;
    for (int i = 0; i < 100; ++i) allowed += limiter.may_send(Instant(second * 1s + i * 1ms), random) ? 1 : 0;
    EXPECT_GE(allowed, 2);
    EXPECT_LE(allowed, 5);
    budgets.insert(allowed);
  }
  EXPECT_GT(budgets.size(), 1U);
}

}  // namespace
}  // namespace transom::tcp
