#include "tests/support/scripted_peer.h"

#include <fmt/format.h>

#include "stack/link/segmentation.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::test {

const IpAddress HostUnderTest::kHost6 = *IpAddress::parse("fd00::1");
const IpAddress HostUnderTest::kPeer6 = *IpAddress::parse("fd00::2");

namespace {

constexpr Instant kStart = Instant(std::chrono::seconds(1000));

HostConfig with_start(HostConfig config) {
  config.start = kStart;
  return config;
}

}  // namespace

// ---------------------------------------------------------------- HostUnderTest

HostUnderTest::HostUnderTest(HostConfig config, std::uint32_t mtu)
    : now_(kStart), host_(pool_, with_start(config)) {
  link::InterfaceConfig interface;
  interface.name = "tun0";
  interface.type = link::LinkType::kPointToPoint;
  interface.mtu = mtu;
  interface.conflict_detection.enabled = false;
  link_ = host_.add_interface(interface);
  (void)host_.add_address(link_, {kHost, 24});
  (void)host_.add_address(link_, {kHost6, 64});
  (void)host_.add_route({IpAddress::v4(0), 0}, std::nullopt, link_);
}

HostUnderTest::~HostUnderTest() = default;

void HostUnderTest::advance(Duration duration) {
  const Instant end = now_ + duration;
  while (host_.next_deadline() <= end) {
    now_ = std::max(now_, host_.next_deadline());
    host_.advance(now_);
  }
  now_ = end;
  host_.advance(now_);
}

void HostUnderTest::deliver(Bytes packet) {
  if (is_batch_) {
    batch_.push(pool_.copy_of(packet));
  } else {
    host_.receive(link_, pool_.copy_of(packet), now_);
  }
}

std::vector<std::uint8_t> HostUnderTest::take() {
  Packet packet = host_.transmit_queue(link_).pop();
  if (!packet) return {};
  std::vector<std::uint8_t> octets(packet.size());
  packet.copy_out(0, octets);
  return octets;
}

tcp::Listener& HostUnderTest::listen(std::uint16_t port, const tcp::Options& options, std::size_t backlog,
                                     IpFamily family) {
  return with([&]() -> tcp::Listener& {
    auto hold = host_.tcp().bind({.local = {IpAddress::any(family), Port{port}}});
    EXPECT_TRUE(hold) << "bind";
    auto listener = host_.tcp().listen(*hold, backlog, options);
    EXPECT_TRUE(listener) << "listen";
    return **listener;
  });
}

// ---------------------------------------------------------------- ScriptedPeer

ScriptedPeer::ScriptedPeer(HostUnderTest& world, std::uint16_t peer_port, std::uint16_t host_port,
                           IpFamily family)
    : world_(world),
      peer_address_(family == IpFamily::kIpv4 ? HostUnderTest::kPeer : HostUnderTest::kPeer6),
      host_address_(family == IpFamily::kIpv4 ? HostUnderTest::kHost : HostUnderTest::kHost6),
      peer_port_{peer_port},
      host_port_{host_port} {}

ScriptedPeer::~ScriptedPeer() {
  if (!::testing::Test::HasFailure()) return;
  for (const std::string& line : transcript_) fmt::print("  {}\n", line);
}

void ScriptedPeer::note(std::string line) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(world_.now() - kStart).count();
  transcript_.push_back(fmt::format("{:>12.6f} {}", static_cast<double>(since) / 1e6, line));
}

std::string describe(const wire::TcpHeader& header, std::size_t payload) {
  std::string text =
      fmt::format("[{}] seq {} ack {} win {} len {}", Answer{.header = header}.flags(),
                  header.sequence.value(), header.acknowledgment.value(), header.window, payload);
  for (const auto& block : header.options.sacks())
    text += fmt::format(" sack {}:{}", block.left.value(), block.right.value());
  if (header.options.timestamps)
    text += fmt::format(" TS {} {}", header.options.timestamps->value, header.options.timestamps->echo);
  if (header.options.fast_open)
    text += fmt::format(" FO {:02x}", fmt::join(header.options.fast_open->bytes(), ""));
  return text;
}

std::string Answer::flags() const {
  std::string flags;
  if (header.flags.syn) flags += 'S';
  if (header.flags.fin) flags += 'F';
  if (header.flags.rst) flags += 'R';
  if (header.flags.psh) flags += 'P';
  if (header.flags.ack) flags += 'A';
  if (header.flags.urg) flags += 'U';
  if (header.flags.ece) flags += 'E';
  if (header.flags.cwr) flags += 'C';
  if (header.flags.ae) flags += 'N';
  return flags;
}

void ScriptedPeer::send(const Script& script) {
  wire::TcpHeader header;
  header.source_port = peer_port_;
  header.destination_port = host_port_;
  header.sequence = SeqNum(script.sequence);
  header.acknowledgment = SeqNum(script.acknowledgment);
  header.window = static_cast<std::uint16_t>(script.window);
  header.urgent_pointer = script.urgent_pointer;
  header.options = script.options;
  for (const char flag : script.flags) {
    header.flags.syn |= flag == 'S';
    header.flags.fin |= flag == 'F';
    header.flags.rst |= flag == 'R';
    header.flags.psh |= flag == 'P';
    header.flags.ack |= flag == 'A' || flag == '.';
    header.flags.urg |= flag == 'U';
    header.flags.ece |= flag == 'E';
    header.flags.cwr |= flag == 'C';
    header.flags.ae |= flag == 'N';
  }
  note("peer > " + describe(header, script.payload.size()));

  const bool raw = !script.raw_options.empty();
  const std::size_t header_size = raw ? wire::TcpHeader::kMinSize + script.raw_options.size() : header.size();
  if (raw) header.options = {};
  const std::size_t length = header_size + script.payload.size();
  const IpAddress source = script.source.value_or(peer_address_);
  const IpAddress destination = script.destination.value_or(host_address_);
  const bool v4 = source.is_v4();
  std::vector<std::uint8_t> octets((v4 ? 20 + script.ip_options.size() : 40) + length);
  wire::Writer writer(octets);
  if (v4) {
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(octets.size());
    ip.protocol = IpProtocol::kTcp;
    ip.source = source;
    ip.destination = destination;
    ip.dont_fragment = true;
    ip.traffic_class = script.traffic_class;
    ip.options = script.ip_options;
    ip.write(writer);
  } else {
    wire::Ipv6Header ip;
    ip.payload_length = static_cast<std::uint16_t>(length);
    ip.next_header = IpProtocol::kTcp;
    ip.traffic_class = script.traffic_class;
    ip.source = source;
    ip.destination = destination;
    ip.write(writer);
  }
  const std::size_t start = writer.position();
  header.write(writer);
  if (raw) {
    writer.bytes(script.raw_options);
    octets[start + 12] = static_cast<std::uint8_t>((header_size / 4) << 4 | (octets[start + 12] & 0x0f));
  }
  writer.bytes({reinterpret_cast<const std::uint8_t*>(script.payload.data()), script.payload.size()});
  auto sum =
      wire::pseudo_header_sum(source, destination, IpProtocol::kTcp, static_cast<std::uint32_t>(length));
  sum.add(Bytes(octets).subspan(start));
  const auto checksum = static_cast<std::uint16_t>(sum.checksum() ^ (script.corrupt_checksum ? 0x0101 : 0));
  octets[start + 16] = static_cast<std::uint8_t>(checksum >> 8);
  octets[start + 17] = static_cast<std::uint8_t>(checksum);
  world_.deliver(octets);
}

std::optional<Answer> ScriptedPeer::receive() {
  for (;;) {
    const auto octets = world_.take();
    if (octets.empty()) return std::nullopt;
    wire::Reader reader(octets);
    Answer answer;
    IpAddress source;
    IpAddress destination;
    IpProtocol protocol{};
    std::size_t payload_end = octets.size();
    if (octets[0] >> 4 == 4) {
      const auto ip = wire::Ipv4Header::parse(reader);
      if (!ip) {
        ADD_FAILURE() << "the host sent a malformed IPv4 header";
        continue;
      }
      source = ip->source;
      destination = ip->destination;
      protocol = ip->protocol;
      answer.traffic_class = ip->traffic_class;
      answer.ttl = ip->ttl;
      answer.dont_fragment = ip->dont_fragment;
      payload_end = ip->total_length;
    } else {
      const auto ip = wire::Ipv6Header::parse(reader);
      if (!ip) {
        ADD_FAILURE() << "the host sent a malformed IPv6 header";
        continue;
      }
      source = ip->source;
      destination = ip->destination;
      protocol = ip->next_header;
      answer.traffic_class = ip->traffic_class;
      answer.ttl = ip->hop_limit;
    }
    if (protocol != IpProtocol::kTcp || source != host_address_ || destination != peer_address_) continue;
    const Bytes segment = Bytes(octets).subspan(reader.position(), payload_end - reader.position());
    auto sum = wire::pseudo_header_sum(source, destination, IpProtocol::kTcp,
                                       static_cast<std::uint32_t>(segment.size()));
    sum.add(segment);
    EXPECT_EQ(sum.checksum(), 0) << "RFC 9293 MUST-2: checksum of a segment sent";
    wire::Reader tcp(segment);
    const auto header = wire::TcpHeader::parse(tcp);
    if (!header) {
      ADD_FAILURE() << "the host sent a malformed TCP header";
      continue;
    }
    if (header->source_port != host_port_ || header->destination_port != peer_port_) continue;
    answer.header = *header;
    const Bytes options =
        segment.subspan(wire::TcpHeader::kMinSize, tcp.position() - wire::TcpHeader::kMinSize);
    answer.raw_options.assign(options.begin(), options.end());
    const Bytes payload = tcp.rest();
    answer.payload.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
    answer.time = world_.now();
    note("host > " + describe(*header, payload.size()));
    if (header->options.timestamps) timestamp_echo = header->options.timestamps->value;
    return answer;
  }
}

std::vector<Answer> ScriptedPeer::receive_all() {
  std::vector<Answer> all;
  while (auto answer = receive()) all.push_back(std::move(*answer));
  return all;
}

Answer ScriptedPeer::expect(std::string_view flags) {
  auto answer = receive();
  if (!answer) {
    ADD_FAILURE() << "expected a segment [" << flags << "], the host sent nothing";
    return {};
  }
  EXPECT_EQ(answer->flags(), flags) << describe(answer->header, answer->payload.size());
  return *answer;
}

void ScriptedPeer::expect_silence() {
  if (const auto answer = receive())
    ADD_FAILURE() << "expected silence, got " << describe(answer->header, answer->payload.size());
}

void ScriptedPeer::send_next(std::string_view flags, std::string_view payload, std::uint32_t window) {
  Script script{
      .flags = flags, .sequence = next, .acknowledgment = expected, .window = window, .payload = payload};
  if (timestamps) script.options.timestamps = wire::TcpTimestamps{timestamp_value, timestamp_echo};
  send(script);
  next += static_cast<std::uint32_t>(payload.size());
  if (flags.find_first_of("SF") != std::string_view::npos) ++next;
}

tcp::Connection& ScriptedPeer::connect_to(tcp::Listener& listener, const wire::TcpOptions& options,
                                          std::uint32_t window, Duration rtt) {
  timestamps = options.timestamps.has_value();
  if (timestamps) timestamp_value = options.timestamps->value;
  send({.flags = "S", .sequence = next, .window = window, .options = options});
  const Answer answer = expect("SA");
  EXPECT_EQ(answer.acknowledgment(), next + 1);
  ++next;
  expected = answer.sequence() + 1;
  if (rtt > Duration::zero()) world_.advance(rtt);
  send_next(".", {}, window);
  auto connection = world_.with([&] { return listener.accept(); });
  EXPECT_TRUE(connection) << "the handshake did not finish";
  return **connection;
}

tcp::Connection& ScriptedPeer::accept_from_host(const tcp::Options& options,
                                                const wire::TcpOptions& answer_options,
                                                std::uint32_t window) {
  tcp::Connection& connection = world_.with([&]() -> tcp::Connection& {
    auto hold = world_.host().tcp().bind({.local = {host_address_, host_port_}});
    EXPECT_TRUE(hold);
    return **world_.host().tcp().connect(*hold, {peer_address_, peer_port_}, options);
  });
  const Answer syn = expect("S");
  expected = syn.sequence() + 1;
  timestamps = answer_options.timestamps.has_value();
  wire::TcpOptions echo = answer_options;
  if (timestamps) echo.timestamps = wire::TcpTimestamps{timestamp_value, timestamp_echo};
  send({.flags = "SA", .sequence = next, .acknowledgment = expected, .window = window, .options = echo});
  ++next;
  expect("A");
  return connection;
}

// ---------------------------------------------------------------- text

tcp::Connection& begin_to_connect(HostUnderTest& world, ScriptedPeer& peer, const tcp::Options& options) {
  return world.with([&]() -> tcp::Connection& {
    auto hold = world.host().tcp().bind({.local = peer.remote()});
    return **world.host().tcp().connect(*hold, peer.local(), options);
  });
}

std::string letters(std::size_t octets) {
  std::string text(octets, '\0');
  for (std::size_t i = 0; i < octets; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

std::string read_all(HostUnderTest& world, tcp::Connection& connection) {
  std::string text;
  std::array<std::uint8_t, 4096> buffer;
  for (;;) {
    const auto count = world.with([&] { return connection.receive(buffer); });
    if (!count || *count == 0) return text;
    text.append(reinterpret_cast<const char*>(buffer.data()), *count);
  }
}

std::size_t write(HostUnderTest& world, tcp::Connection& connection, std::string_view text,
                  tcp::SendFlags flags) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return world.with([&] { return connection.send({&bytes, 1}, flags); }).value_or(0);
}

}  // namespace transom::test
