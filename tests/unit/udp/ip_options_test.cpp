// The options of IPv4, from and to the application: RFC 1122 §3.2.1.8, §4.1.3.2; RFC 791 §3.1.

#include "tests/support/host_on_ethernet.h"

namespace transom::test {
namespace {

constexpr std::uint8_t kNop = 1;
const Octets kRecordRoute = {7, 7, 4, 0, 0, 0, 0, 0};  // with an end of the list behind it
const Octets kRouterAlert = {148, 4, 0, 0};

class IpOptions : public HostOnEthernet {
 protected:
  IpOptions() : socket_(open_udp({IpAddress::any(IpFamily::kIpv4), Port{5000}})) {}

  Result<std::size_t> send_with(const Octets& options, std::size_t size) {
    socket_->options().ip_options = options;
    return send(*socket_, pattern(size), {.to = Endpoint{peer_, Port{6000}}});
  }
  static wire::Ipv4Header header_of(const SentFrame& frame) {
    wire::Reader reader(frame.payload);
    const auto header = wire::Ipv4Header::parse(reader);
    EXPECT_TRUE(header);
    if (!header) return {};
    EXPECT_TRUE(wire::Ipv4Header::has_valid_checksum(Bytes(frame.payload).first(header->size())));
    return *header;
  }
  static Octets octets_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }
  void receive_with(const Octets& options, const IpAddress& to) {
    receive(ipv4({.source = peer_, .destination = to, .options = options},
                 udp({peer_, Port{6000}}, {to, Port{5000}}, pattern(20))));
  }
  std::optional<Octets> options_received(udp::UdpSocket& socket) {
    return with([&]() -> std::optional<Octets> {
      const auto datagram = socket.receive();
      return datagram ? std::optional(datagram->ip_options) : std::nullopt;
    });
  }

  const IpAddress peer_ = peer(IpFamily::kIpv4);
  const IpAddress self_ = self(IpFamily::kIpv4);
  UdpSocket socket_;
};

TEST_F(IpOptions, GoIntoTheHeaderOfWhatTheSocketSends) {  // R1122-18, R1122-51
  for (const Octets& options : {kRecordRoute, kRouterAlert, Octets(40, kNop)}) {
    ASSERT_TRUE(send_with(options, 30));
    const auto frames = sent();
    ASSERT_EQ(frames.size(), 1U);
    const wire::Ipv4Header header = header_of(frames[0]);
    EXPECT_EQ(header.size(), 20 + options.size());
    EXPECT_EQ(octets_of(header.options), options);
    EXPECT_EQ(frames[0].ip().payload, udp({self_, Port{5000}}, {peer_, Port{6000}}, pattern(30)));
  }
}

TEST_F(IpOptions, AreRepeatedInFragmentsWhereTheySaySo) {  // R791-05 and RFC 791 §3.1
  ASSERT_TRUE(send_with(kRouterAlert + kRecordRoute, 3000));
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(octets_of(header_of(frames[0]).options), kRouterAlert + kRecordRoute);
  Octets data;
  for (const SentFrame& frame : frames) {
    EXPECT_LE(frame.payload.size(), 1500U);
    const wire::Ipv4Header header = header_of(frame);
    EXPECT_EQ(part(octets_of(header.options), 0, 4), kRouterAlert);
    if (header.fragment_offset != 0) {
      EXPECT_EQ(part(octets_of(header.options), 4, 7), Octets(7, kNop));
    }
    data = data + frame.ip().payload;
  }
  EXPECT_EQ(data, udp({self_, Port{5000}}, {peer_, Port{6000}}, pattern(3000)));
}

TEST_F(IpOptions, CountAgainstThePathMtu) {
  socket_->options().dont_fragment = true;
  EXPECT_TRUE(send_with(kRecordRoute, 1500 - 28 - 8));
  EXPECT_EQ(send_with(kRecordRoute, 1500 - 28 - 8 + 1).error(), Error::kMessageTooLong);
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(IpOptions, ThatMayNotBeSentAreRefused) {  // R1122-28
  for (const Octets& options :
       {Octets{131, 7, 4, 10, 0, 0, 9, 0}, Octets{137, 7, 4, 10, 0, 0, 9, 0}, Octets{7, 7, 4, 0, 0},
        Octets{7, 40, 4, 0}, Octets{7, 0, 0, 0}, Octets(44, kNop), Octets{1}}) {
    EXPECT_EQ(send_with(options, 30).error(), Error::kInvalidArgument);
  }
  EXPECT_TRUE(nothing_sent());
}

TEST_F(IpOptions, AreGivenToTheSocket) {  // R1122-18
  receive_with(kRecordRoute, self_);
  EXPECT_EQ(options_received(*socket_), kRecordRoute);
  receive_with({}, self_);
  EXPECT_EQ(options_received(*socket_), Octets());
}

TEST_F(IpOptions, AreGivenToAllWhoHearABroadcast) {  // R1122-18
  UdpSocket other = with([&] { return host_.udp().open(IpFamily::kIpv4); });
  socket_ = with([&] { return host_.udp().open(IpFamily::kIpv4); });
  for (const UdpSocket* socket : {&socket_, &other}) {
    with([&] {
      EXPECT_TRUE(
          (*socket)->bind({.local = {IpAddress::any(IpFamily::kIpv4), Port{5000}}, .reuse_address = true}));
    });
  }
  receive_with(kRouterAlert, address("10.0.0.255"));
  EXPECT_EQ(options_received(*socket_), kRouterAlert);
  EXPECT_EQ(options_received(*other), kRouterAlert);
}

}  // namespace
}  // namespace transom::test
