// SYN cookies (RFC 4987 §3.6): what goes out in two numbers comes back from them, and nothing else does.
#include "stack/tcp/syn_cookies.h"

#include "tests/support/scripted_peer.h"

namespace transom::tcp {
namespace {

using std::chrono::seconds;

constexpr Instant kStart = Instant(seconds(100000));
constexpr SeqNum kIrs(0xfffffff0);

class Cookies : public ::testing::Test {
 protected:
  // The final ACK of the handshake, from a peer that echoes `echo`.
  std::optional<Negotiated> finish(SeqNum cookie, std::optional<std::uint32_t> echo, Instant now = kStart) {
    ack_.acknowledgment = cookie + 1;
    ack_.options.timestamps.reset();
    if (echo) ack_.options.timestamps = wire::TcpTimestamps{555, *echo};
    return cookies_.check(Segment{received_, ack_, Packet(), 0, 0}, ours_, now);
  }
  std::optional<Negotiated> finish(SeqNum cookie, const Negotiated& negotiated) {
    return finish(cookie, cookies_.timestamp(tuple_, negotiated, kStart));
  }
  wire::TcpHeader final_ack() const {
    wire::TcpHeader ack;
    ack.source_port = tuple_.remote.port;
    ack.destination_port = tuple_.local.port;
    ack.sequence = kIrs + 1;
    ack.flags.ack = true;
    return ack;
  }
  SeqNum make(std::uint16_t mss = 1460) { return cookies_.make(tuple_, kIrs, mss, kStart); }

  test::HostUnderTest world_;
  Random random_{seed_from_number(3)};
  Secrets secrets_{random_};
  SynCookies cookies_{secrets_};
  wire::TcpOptions ours_{.window_scale = 9, .sack_permitted = true, .timestamps = wire::TcpTimestamps{}};
  FourTuple tuple_{{test::HostUnderTest::kHost, Port{80}}, {test::HostUnderTest::kPeer, Port{4000}}};
  ip::Received received_{.interface = *world_.host().link().interface(world_.link()),
                         .source = tuple_.remote.address,
                         .destination = tuple_.local.address,
                         .protocol = IpProtocol::kTcp};
  wire::TcpHeader ack_ = final_ack();
};

TEST_F(Cookies, KeepWindowScaleSackAndEcnInTheTimestamp) {
  for (int scale = -1; scale <= 14; ++scale) {
    for (const bool sack : {false, true}) {
      for (const EcnKind ecn : {EcnKind::kNone, EcnKind::kClassic}) {
        Negotiated offered;
        offered.timestamps = true;
        offered.window_scaling = scale >= 0;
        offered.send_scale = static_cast<std::uint8_t>(std::max(scale, 0));
        offered.sack = sack;
        offered.ecn.kind = ecn;
        const auto kept = finish(make(), offered);
        ASSERT_TRUE(kept) << scale;
        EXPECT_TRUE(kept->timestamps);
        EXPECT_EQ(kept->ts_recent, 555U);
        EXPECT_EQ(kept->window_scaling, offered.window_scaling) << scale;
        EXPECT_EQ(kept->send_scale, offered.send_scale) << scale;
        EXPECT_EQ(kept->receive_scale, scale >= 0 ? 9 : 0) << scale;
        EXPECT_EQ(kept->sack, sack) << scale;
        EXPECT_EQ(kept->ecn.kind, ecn) << scale;
      }
    }
  }
}

TEST_F(Cookies, KeepTheMssRoundedDown) {
  for (const auto& [peer, kept] :
       {std::pair{100, 216}, {536, 536}, {1219, 536}, {1460, 1460}, {8960, 8940}, {65535, 8940}}) {
    const auto negotiated = finish(make(static_cast<std::uint16_t>(peer)), std::nullopt);
    ASSERT_TRUE(negotiated) << peer;
    EXPECT_EQ(negotiated->peer_mss, kept) << peer;
  }
}

TEST_F(Cookies, WithoutTimestampsKeepTheMssAlone) {
  const auto negotiated = finish(make(), std::nullopt);
  ASSERT_TRUE(negotiated);
  EXPECT_FALSE(negotiated->timestamps);
  EXPECT_FALSE(negotiated->sack);
  EXPECT_FALSE(negotiated->window_scaling);
}

TEST_F(Cookies, AgreeToNothingThatWeDoNotOffer) {  // the echo is what the peer says it is
  const std::uint32_t everything = 0x17;           // scale 7, SACK
  ours_ = {.timestamps = wire::TcpTimestamps{}};
  auto negotiated = finish(make(), everything);
  ASSERT_TRUE(negotiated);
  EXPECT_TRUE(negotiated->timestamps);
  EXPECT_FALSE(negotiated->sack);
  EXPECT_FALSE(negotiated->window_scaling);
  ours_ = {.window_scale = 9, .sack_permitted = true};
  negotiated = finish(make(), everything);
  ASSERT_TRUE(negotiated);
  EXPECT_FALSE(negotiated->timestamps);
  EXPECT_FALSE(negotiated->sack);
  EXPECT_FALSE(negotiated->window_scaling);
}

TEST_F(Cookies, AreGoodForOneToTwoPeriodsOfSixtyFourSeconds) {
  const SeqNum cookie = make();
  EXPECT_TRUE(finish(cookie, std::nullopt, kStart + seconds(63)));
  EXPECT_FALSE(finish(cookie, std::nullopt, kStart + SynCookies::kLifetime));
  EXPECT_FALSE(finish(cookie, std::nullopt, kStart + seconds(64 * 32)))
      << "the counter of five bits comes round";
}

TEST_F(Cookies, WithAnyBitChangedAreNotOurs) {
  const SeqNum cookie = make();
  for (int bit = 0; bit < 32; ++bit)
    EXPECT_FALSE(finish(SeqNum(cookie.value() ^ 1U << bit), std::nullopt)) << bit;
}

TEST_F(Cookies, AreGoodForOneConnectionOnly) {
  const SeqNum cookie = make();
  ASSERT_TRUE(finish(cookie, std::nullopt));
  ack_.source_port = Port{4001};
  EXPECT_FALSE(finish(cookie, std::nullopt));
  ack_.source_port = tuple_.remote.port;
  ack_.destination_port = Port{81};
  EXPECT_FALSE(finish(cookie, std::nullopt));
  ack_.destination_port = tuple_.local.port;
  ack_.sequence = kIrs + 2;
  EXPECT_FALSE(finish(cookie, std::nullopt));
  ack_.sequence = kIrs + 1;
  received_.source = IpAddress::v4(10, 0, 0, 3);
  EXPECT_FALSE(finish(cookie, std::nullopt));
}

TEST_F(Cookies, SendTimestampsThatAreNeverAheadOfTheClock) {  // what follows must not look older (PAWS)
  Negotiated negotiated;
  negotiated.timestamps = negotiated.sack = negotiated.window_scaling = true;
  negotiated.send_scale = 14;
  for (int i = 0; i < 200; ++i) {
    const Instant now = kStart + std::chrono::milliseconds(i);
    const std::uint32_t clock = timestamp_ticks(now) + secrets_.timestamp_offset(tuple_);
    const std::uint32_t behind = clock - cookies_.timestamp(tuple_, negotiated, now);
    EXPECT_LT(behind, 128U) << i;
  }
}

// ---------------------------------------------------------------- in the host

TEST_F(Cookies, TakeNoRoundTripTimeFromTheirTimestamp) {  // its low bits are no time
  HostConfig config;
  config.tcp.max_half_open = 0;
  test::HostUnderTest world(config);
  auto& listener = world.listen(80);
  test::ScriptedPeer peer(world, 4000, 80);
  wire::TcpOptions options;
  options.maximum_segment_size = 1460;
  options.timestamps = wire::TcpTimestamps{100, 0};
  options.sack_permitted = true;
  options.window_scale = 7;
  auto& connection = peer.connect_to(listener, options);
  EXPECT_EQ(world.counter(Counter::kTcpExtSyncookiesRecv), 1U);
  EXPECT_EQ(connection.info().srtt, Duration::zero());
  EXPECT_EQ(connection.info().rto, seconds(1));
  EXPECT_TRUE(connection.info().sack);
  EXPECT_EQ(connection.info().send_scale, 7);
}

}  // namespace
}  // namespace transom::tcp
