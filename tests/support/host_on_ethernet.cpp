#include "tests/support/host_on_ethernet.h"

namespace transom::test {

namespace {

constexpr Instant kStart = Instant(std::chrono::seconds(1000));
const IpAddress kBystander = IpAddress::v4(10, 0, 0, 9);

HostConfig started(HostConfig config, bool reports_groups) {
  config.ip.report_groups = reports_groups;
  config.start = kStart;
  return config;
}

bool is_on_link(const IpAddress& station) {
  return station.is_link_local() || IpPrefix{IpAddress::v4(10, 0, 0, 0), 24}.contains(station) ||
         IpPrefix{address("2001:db8:a::"), 64}.contains(station);
}

MacAddress mac_towards(const IpAddress& to) {
  if (to.is_multicast()) return wire::multicast_mac(to);
  if (to.is_limited_broadcast() || to == address("10.0.0.255")) return MacAddress::broadcast();
  return kHostMac;
}

}  // namespace

Octets ethernet_frame(const MacAddress& destination, const MacAddress& source, wire::EtherType type,
                      const Octets& payload) {
  wire::EthernetHeader header;
  header.destination = destination;
  header.source = source;
  header.type = type;
  Octets octets(header.size());
  wire::Writer writer(octets);
  header.write(writer);
  octets = octets + payload;
  constexpr std::size_t kMinFrame = 60;
  if (octets.size() < kMinFrame) octets.resize(kMinFrame, 0xee);  // as a card that does not clear its padding
  return octets;
}

MacAddress mac_of(const IpAddress& station) {
  const auto& octets = station.octets();
  return MacAddress({0x02, static_cast<std::uint8_t>(station.is_v4() ? 4 : 6), octets[12], octets[13],
                     octets[14], octets[15]});
}

Parsed SentFrame::ip() const {
  if (payload.size() < 20) return {};
  const bool is_v4 = payload[0] >> 4 == 4;
  const std::size_t size = is_v4 ? payload[2] * 256U + payload[3] : 40U + payload[4] * 256U + payload[5];
  return parse(size <= payload.size() ? part(payload, 0, size) : payload);
}

IpAddress HostOnEthernet::remote(IpFamily family, int number) {
  return address(is_v4(family) ? fmt::format("198.51.{}.{}", 100 + number / 250, 1 + number % 250)
                               : fmt::format("2001:db8:ffff::{:x}", number));
}

HostOnEthernet::HostOnEthernet(HostConfig config, const link::ConflictDetection& detection,
                               bool reports_groups)
    : now_(kStart), host_(pool_, started(std::move(config), reports_groups)) {
  link::InterfaceConfig interface;
  interface.name = "eth0";
  interface.mac = kHostMac;
  interface.conflict_detection = detection;
  interface.transmit_limit = 1 << 17;
  eth_ = host_.add_interface(interface);
  for (const char* own : {"10.0.0.2/24", "10.0.0.3/24", "2001:db8:a::2/64"})
    EXPECT_TRUE(host_.add_address(eth_, *IpPrefix::parse(own)));
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6}) {
    EXPECT_TRUE(host_.add_route({IpAddress::any(family), 0}, router(family), eth_));
    for (const IpAddress& station : {peer(family), router(family), other_router(family)}) know(station);
  }
  sent();  // what it says of its new addresses
}

HostOnEthernet::~HostOnEthernet() = default;

void HostOnEthernet::know(const IpAddress& station) {
  EXPECT_TRUE(host_.link().set_permanent(interface(), station, mac_of(station)));
}

void HostOnEthernet::advance(Duration duration) {
  const Instant end = now_ + duration;
  while (host_.next_deadline() <= end) {
    now_ = std::max(now_, host_.next_deadline());
    host_.advance(now_);
  }
  now_ = end;
  host_.advance(now_);
}

void HostOnEthernet::receive_frame(const Octets& frame) {
  Packet packet = pool_.copy_of(frame);
  ASSERT_TRUE(packet);
  host_.receive(eth_, std::move(packet), now_);
}

void HostOnEthernet::receive_frame(const MacAddress& destination, const MacAddress& source,
                                   wire::EtherType type, const Octets& payload) {
  receive_frame(ethernet_frame(destination, source, type, payload));
}

void HostOnEthernet::receive(const Octets& packet, const FrameAddresses& addressing) {
  const bool is_v4 = packet.empty() || packet[0] >> 4 != 6;
  MacAddress destination = kHostMac;
  MacAddress source = mac_of(peer(IpFamily::kIpv4));
  wire::Reader reader(packet);
  const auto take_addresses = [&](const auto& header) {
    if (!header) return;
    destination = mac_towards(header->destination);
    const IpAddress& from = header->source;
    source = mac_of(is_on_link(from) ? from : router(from.family()));
  };
  if (is_v4) {
    take_addresses(wire::Ipv4Header::parse_quoted(reader));
  } else {
    take_addresses(wire::Ipv6Header::parse_quoted(reader));
  }
  receive_frame(addressing.destination.value_or(destination), addressing.source.value_or(source),
                is_v4 ? wire::EtherType::kIpv4 : wire::EtherType::kIpv6, packet);
}

void HostOnEthernet::receive_udp(const Endpoint& from, const Endpoint& to, const Octets& payload,
                                 const FrameAddresses& addressing) {
  receive(ip_packet(from.address, to.address, IpProtocol::kUdp, udp(from, to, payload)), addressing);
}

void HostOnEthernet::receive_icmp(const IpAddress& from, const IpAddress& to, std::uint8_t type,
                                  std::uint8_t code, std::uint32_t rest, const Octets& data,
                                  std::uint8_t hop_limit) {
  const Octets message = icmp(from, to, type, code, rest, data);
  if (from.is_v4()) {
    receive(
        ipv4({.source = from, .destination = to, .protocol = IpProtocol::kIcmp, .ttl = hop_limit}, message));
  } else {
    receive(ipv6({.source = from, .destination = to, .next = IpProtocol::kIcmpv6, .hop_limit = hop_limit},
                 message));
  }
}

std::vector<SentFrame> HostOnEthernet::sent() {
  std::vector<SentFrame> frames;
  while (Packet packet = host_.transmit_queue(eth_).pop()) {
    Octets octets(packet.size());
    packet.copy_out(0, octets);
    wire::Reader reader(octets);
    const auto header = wire::EthernetHeader::parse(reader);
    EXPECT_TRUE(header);
    if (!header) continue;
    const Bytes rest = reader.rest();
    frames.push_back({now_, *header, Octets(rest.begin(), rest.end())});
  }
  return frames;
}

Parsed HostOnEthernet::sent_one() {
  const auto frames = sent();
  EXPECT_EQ(frames.size(), 1U);
  if (frames.empty()) return {};
  const Parsed parsed = frames.front().ip();
  EXPECT_TRUE(parsed.ok);
  return parsed;
}

bool HostOnEthernet::nothing_sent() { return sent().empty(); }

HostOnEthernet::UdpSocket HostOnEthernet::open_udp(const Endpoint& local,
                                                   const std::optional<Endpoint>& remote) {
  return with([&] {
    UdpSocket socket = host_.udp().open(local.address.family());
    EXPECT_TRUE(socket->bind({.local = local}));
    if (remote) {
      EXPECT_TRUE(socket->connect(*remote));
    }
    return socket;
  });
}

Result<std::size_t> HostOnEthernet::send(udp::UdpSocket& socket, const Octets& payload,
                                         const udp::SendTo& to) {
  const Bytes piece = payload;
  return with([&] { return socket.send({&piece, 1}, to); });
}

std::vector<Octets> HostOnEthernet::received(udp::UdpSocket& socket) {
  return with([&] {
    std::vector<Octets> payloads;
    while (const auto datagram = socket.receive()) {
      Octets octets(datagram->payload.size());
      datagram->payload.copy_out(0, octets);
      payloads.push_back(std::move(octets));
    }
    return payloads;
  });
}

std::optional<link::NeighbourInfo> HostOnEthernet::neighbour(const IpAddress& address) {
  for (const link::NeighbourInfo& info : host_.link().neighbours()) {
    if (info.address == address) return info;
  }
  return std::nullopt;
}

std::string family_of_test(const ::testing::TestParamInfo<IpFamily>& info) {
  return info.param == IpFamily::kIpv4 ? "Ipv4" : "Ipv6";
}

// ---------------------------------------------------------------- Bystander

Bystander::Bystander(Host& host, InterfaceId link, BufferPool& pool, Instant now, Port port)
    : host_(host),
      link_(link),
      pool_(pool),
      local_{kBystander, Port{4000}},
      remote_{HostOnEthernet::self(IpFamily::kIpv4), port} {
  EXPECT_TRUE(host.link().set_permanent(*host.link().interface(link), kBystander, mac_of(kBystander)));
  host.enter(now);
  auto hold = host.tcp().bind({.local = remote_});
  EXPECT_TRUE(hold);
  const auto listener = host.tcp().listen(*hold, 1, {});
  EXPECT_TRUE(listener);
  host.leave();
  send({.flags = {.syn = true}}, now);
  ++next_;
  const auto answered = answer();
  EXPECT_TRUE(answered && answered->flags.syn && answered->flags.ack);
  if (answered) expected_ = answered->sequence.value() + 1;
  send({.flags = {.ack = true}}, now);
  const auto accepted = (*listener)->accept();
  EXPECT_TRUE(accepted);
  if (accepted) connection_ = *accepted;
}

bool Bystander::is_served(Instant now) {
  const Octets octets = test::pattern(100, static_cast<std::uint8_t>(next_));
  while (host_.transmit_queue(link_).pop()) {
  }
  send({.flags = {.psh = true, .ack = true}, .payload = octets}, now);
  next_ += static_cast<std::uint32_t>(octets.size());
  Octets read(200);
  host_.enter(now);
  const auto count = connection_->receive(read);
  host_.leave();
  // A delayed acknowledgment is one too.
  for (int i = 0; i < 100 && host_.transmit_queue(link_).empty(); ++i) {
    now += 10ms;
    host_.advance(now);
  }
  const auto answered = answer();
  return count && *count == octets.size() && part(read, 0, *count) == octets && answered &&
         answered->acknowledgment.value() == next_;
}

void Bystander::send(const Fields& fields, Instant now) {
  wire::TcpHeader header;
  header.source_port = local_.port;
  header.destination_port = remote_.port;
  header.sequence = SeqNum(next_);
  header.acknowledgment = SeqNum(expected_);
  header.flags = fields.flags;
  header.window = 65535;
  Octets segment(header.size());
  wire::Writer writer(segment);
  header.write(writer);
  segment = segment + fields.payload;
  wire::ChecksumSum sum = wire::pseudo_header_sum(local_.address, remote_.address, IpProtocol::kTcp,
                                                  static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  wire::Writer(MutableBytes(segment).subspan(16, 2)).u16(sum.checksum());
  const Octets packet = ip_packet(local_.address, remote_.address, IpProtocol::kTcp, segment);
  host_.receive(link_,
                pool_.copy_of(ethernet_frame(kHostMac, mac_of(kBystander), wire::EtherType::kIpv4, packet)),
                now);
}

std::optional<wire::TcpHeader> Bystander::answer() {
  std::optional<wire::TcpHeader> last;
  while (Packet packet = host_.transmit_queue(link_).pop()) {
    Octets octets(packet.size());
    packet.copy_out(0, octets);
    wire::Reader reader(octets);
    if (!wire::EthernetHeader::parse(reader)) continue;
    const auto ip = wire::Ipv4Header::parse_quoted(reader);
    if (!ip || ip->protocol != IpProtocol::kTcp || ip->destination != local_.address) continue;
    if (const auto header = wire::TcpHeader::parse(reader)) last = *header;
  }
  return last;
}

}  // namespace transom::test
