// The parts of TCP Fast Open (RFC 7413): cookies, the queue of a listener, what a client remembers.
#include <gtest/gtest.h>

#include "stack/base/random.h"
#include "stack/tcp/fast_open_cache.h"
#include "stack/tcp/fast_open_cookies.h"
#include "stack/tcp/fast_open_queue.h"

namespace transom::tcp {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Instant kStart = Instant(seconds(1000));

// As the server sees it.
FourTuple tuple(std::string_view server, std::string_view client) {
  return {{*IpAddress::parse(server), Port{80}}, {*IpAddress::parse(client), Port{4000}}};
}

FourTuple numbered(std::uint32_t number) {
  return {{IpAddress::v4(10, 0, 0, 1), Port{5000}}, {IpAddress::v4(number), Port{80}}};
}

wire::FastOpenCookie cookie_of(std::uint64_t value) {
  std::array<std::uint8_t, 8> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  return *wire::FastOpenCookie::of(octets);
}

// ---------------------------------------------------------------- cookies

// tools/testing/selftests/net/packetdrill of Linux gives these cookies, for 192.0.2.1 as client of
// 192.168.0.1.
TEST(FastOpenCookies, AreThoseThatLinuxMakes) {
  const FastOpenCookies zero({});
  EXPECT_EQ(zero.make(tuple("192.168.0.1", "192.0.2.1")), cookie_of(0xb7c12350a90dc8f5));
  const FastOpenCookies given({.current = {0xb2b2b2b2a1a1a1a1, 0xd4d4d4d4c3c3c3c3}});
  EXPECT_EQ(given.make(tuple("192.168.0.1", "192.0.2.1")), cookie_of(0x3021b9d889017eeb));
}

TEST(FastOpenCookies, DependOnBothAddressesAndTheKeyAndNotOnThePorts) {
  const FastOpenCookies cookies({.current = {1, 2}});
  for (const auto& [server, client, other] :
       {std::tuple{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, std::tuple{"fd00::1", "fd00::2", "fd00::3"}}) {
    const auto cookie = cookies.make(tuple(server, client));
    EXPECT_NE(cookie, cookies.make(tuple(server, other)));
    EXPECT_NE(cookie, cookies.make(tuple(other, client)));
    EXPECT_NE(cookie, cookies.make(tuple(client, server)));
    EXPECT_NE(cookie, FastOpenCookies({.current = {1, 3}}).make(tuple(server, client)));
    FourTuple elsewhere = tuple(server, client);
    elsewhere.local.port = Port{443};
    elsewhere.remote.port = Port{5};
    EXPECT_EQ(cookie, cookies.make(elsewhere));
  }
}

TEST(FastOpenCookies, OfThePreviousKeyAreRightButOld) {
  const FourTuple hosts = tuple("10.0.0.1", "10.0.0.2");
  const FastOpenCookies before({.current = {1, 2}});
  const FastOpenCookies after({.current = {3, 4}, .previous = SipKey{1, 2}});
  const FastOpenCookies later({.current = {5, 6}, .previous = SipKey{3, 4}});
  const auto cookie = before.make(hosts);
  EXPECT_EQ(before.judge(hosts, cookie), FastOpenCookies::Verdict::kRight);
  EXPECT_EQ(after.judge(hosts, cookie), FastOpenCookies::Verdict::kOld);
  EXPECT_EQ(after.judge(hosts, after.make(hosts)), FastOpenCookies::Verdict::kRight);
  EXPECT_EQ(later.judge(hosts, cookie), FastOpenCookies::Verdict::kWrong);
}

TEST(FastOpenCookies, ThatWereChangedInAnyBitOrCutAreWrong) {
  const FourTuple hosts = tuple("10.0.0.1", "10.0.0.2");
  const FastOpenCookies cookies({.current = {1, 2}, .previous = SipKey{3, 4}});
  const auto cookie = cookies.make(hosts);
  for (std::size_t bit = 0; bit < 64; ++bit) {
    auto changed = cookie;
    changed.octets[bit / 8] = static_cast<std::uint8_t>(changed.octets[bit / 8] ^ 1U << bit % 8);
    EXPECT_EQ(cookies.judge(hosts, changed), FastOpenCookies::Verdict::kWrong) << bit;
  }
  EXPECT_EQ(cookies.judge(hosts, *wire::FastOpenCookie::of(cookie.bytes().first(6))),
            FastOpenCookies::Verdict::kWrong);
  std::array<std::uint8_t, 10> longer{};
  std::ranges::copy(cookie.bytes(), longer.begin());
  EXPECT_EQ(cookies.judge(hosts, *wire::FastOpenCookie::of(longer)), FastOpenCookies::Verdict::kWrong);
}

// ---------------------------------------------------------------- the queue

TEST(FastOpenQueue, HasRoomForAsManyAsItsLimit) {
  FastOpenQueue queue;
  EXPECT_FALSE(queue.has_room(0, kStart));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(queue.has_room(3, kStart));
    queue.enter();
  }
  EXPECT_FALSE(queue.has_room(3, kStart));
  EXPECT_TRUE(queue.has_room(4, kStart));
  queue.leave();
  EXPECT_TRUE(queue.has_room(3, kStart));
}

TEST(FastOpenQueue, CountsResetsForAMinute) {
  FastOpenQueue queue;
  queue.enter();
  queue.enter();
  queue.leave_by_reset(kStart);
  queue.leave_by_reset(kStart + seconds(10));
  EXPECT_FALSE(queue.has_room(2, kStart + seconds(59)));
  EXPECT_TRUE(queue.has_room(2, kStart + seconds(60)));
  EXPECT_FALSE(queue.has_room(1, kStart + seconds(69)));
  EXPECT_TRUE(queue.has_room(1, kStart + seconds(70)));
  EXPECT_EQ(queue.size(), 0U);
}

TEST(FastOpenQueue, NeverHoldsMoreThanItsLimitWhateverTheOrder) {
  constexpr std::size_t kLimit = 5;
  Random random(seed_from_number(7));
  FastOpenQueue queue;
  std::size_t waiting = 0;
  Instant now = kStart;
  for (int step = 0; step < 10000; ++step) {
    now += random.between(Duration::zero(), seconds(20));
    if (random.chance(0.5) && queue.has_room(kLimit, now)) {
      queue.enter();
      ++waiting;
    } else if (waiting > 0) {
      --waiting;
      random.chance(0.5) ? queue.leave() : queue.leave_by_reset(now);
    }
    ASSERT_LE(queue.size(), kLimit);
    ASSERT_GE(queue.size(), waiting);
  }
}

// ---------------------------------------------------------------- the cache

TEST(FastOpenCache, RemembersCookieAndMssOfAServerWhateverThePort) {
  FastOpenCache cache({1, 2}, 10);
  FourTuple connection = numbered(7);
  EXPECT_EQ(cache.find(connection), nullptr);
  cache.learn(connection, cookie_of(99), 1400);
  connection.remote.port = Port{443};
  connection.local.port = Port{1};
  ASSERT_NE(cache.find(connection), nullptr);
  EXPECT_EQ(cache.find(connection)->cookie, cookie_of(99));
  EXPECT_EQ(cache.find(connection)->mss, 1400);
  cache.learn(connection, std::nullopt, 1300);  // an answer without a cookie says nothing against the old one
  EXPECT_EQ(cache.find(connection)->cookie, cookie_of(99));
  EXPECT_EQ(cache.find(connection)->mss, 1300);
  connection.local.address = IpAddress::v4(10, 0, 0, 9);  // the cookie is good for one of our addresses only
  EXPECT_EQ(cache.find(connection), nullptr);
}

TEST(FastOpenCache, ForgetsTheServerThatWasNotUsedForLongest) {
  FastOpenCache cache({1, 2}, 3);
  for (std::uint32_t i = 1; i <= 3; ++i) cache.learn(numbered(i), cookie_of(i), 1460);
  EXPECT_NE(cache.find(numbered(1)), nullptr);
  cache.learn(numbered(4), cookie_of(4), 1460);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_NE(cache.find(numbered(1)), nullptr);
  EXPECT_EQ(cache.find(numbered(2)), nullptr);
  for (std::uint32_t i = 0; i < 1000; ++i) cache.on_failure(numbered(i + 100), kStart);
  EXPECT_EQ(cache.size(), 3U);
}

TEST(FastOpenCache, WithoutRoomRemembersNothing) {
  FastOpenCache cache({1, 2}, 0);
  cache.learn(numbered(1), cookie_of(1), 1460);
  EXPECT_EQ(cache.find(numbered(1)), nullptr);
  EXPECT_FALSE(cache.on_failure(numbered(1), kStart));
  cache.on_silence(numbered(1), kStart);
  EXPECT_FALSE(cache.is_paused(numbered(1), kStart));
}

TEST(FastOpenCache, PausesAfterTwoFailuresInARowForLongerEachTime) {  // §4.1.3.1
  FastOpenCache cache({1, 2}, 10);
  const FourTuple server = numbered(1);
  EXPECT_FALSE(cache.on_failure(server, kStart));
  EXPECT_FALSE(cache.is_paused(server, kStart));
  cache.on_success(server);
  EXPECT_FALSE(cache.on_failure(server, kStart)) << "not in a row";
  EXPECT_TRUE(cache.on_failure(server, kStart));
  EXPECT_TRUE(cache.is_paused(server, kStart + minutes(4) - Duration(1)));
  EXPECT_FALSE(cache.is_paused(server, kStart + minutes(4)));
  EXPECT_FALSE(cache.is_paused(numbered(2), kStart)) << "of another server nothing is known";
  EXPECT_TRUE(cache.on_failure(server, kStart + minutes(4)));
  EXPECT_TRUE(cache.is_paused(server, kStart + minutes(11)));
  EXPECT_FALSE(cache.is_paused(server, kStart + minutes(12)));
  for (int i = 0; i < 100; ++i) cache.on_failure(server, kStart);
  EXPECT_FALSE(cache.is_paused(server, kStart + minutes(2048))) << "at most 34 hours";
  EXPECT_TRUE(cache.is_paused(server, kStart + minutes(2047)));
  cache.on_success(server);
  EXPECT_FALSE(cache.is_paused(server, kStart));
}

TEST(FastOpenCache, PausesAtOnceWhenNothingComesBackAtAll) {
  FastOpenCache cache({1, 2}, 10);
  cache.on_silence(numbered(1), kStart);
  EXPECT_TRUE(cache.is_paused(numbered(1), kStart + minutes(3)));
  EXPECT_FALSE(cache.is_paused(numbered(1), kStart + minutes(4)));
}

}  // namespace
}  // namespace transom::tcp
