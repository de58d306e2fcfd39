// A link layer with one Ethernet interface in virtual time, whose other end is the test: frames go in as
// octets and come out with the instant at which they were sent.
//
//   peer 02:00:00:00:00:aa, 10.0.0.2, 2001:db8::2 ── us: 02:11:22:33:44:55, 10.0.0.1/24, 2001:db8::1/64
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include "stack/link/link_layer.h"
#include "stack/wire/arp.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ethernet.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "stack/wire/ndp.h"

namespace transom::test {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;
using link::NeighbourState;
using wire::EtherType;
using Operation = wire::ArpPacket::Operation;

inline IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

inline constexpr MacAddress kOwnMac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
inline constexpr MacAddress kPeerMac({0x02, 0, 0, 0, 0, 0xaa});
inline constexpr MacAddress kEvilMac({0x02, 0, 0, 0, 0, 0x66});
inline constexpr MacAddress kNoMac;

inline Octets octets_of(const Packet& packet) {
  Octets octets(packet.size());
  packet.copy_out(0, octets);
  return octets;
}

template <typename Header>
Octets written(const Header& header, std::size_t size) {
  Octets octets(size);
  wire::Writer writer(octets);
  header.write(writer);
  return octets;
}

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A UDP-like IP packet with `size` octets of payload; right as far as the link layer looks.
inline Octets ip_packet(const IpAddress& source, const IpAddress& destination, std::size_t size = 100) {
  if (source.is_v4()) {
    wire::Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(20 + size);
    header.protocol = IpProtocol::kUdp;
    header.source = source;
    header.destination = destination;
    return written(header, 20) + Octets(size, 0x5a);
  }
  wire::Ipv6Header header;
  header.payload_length = static_cast<std::uint16_t>(size);
  header.next_header = IpProtocol::kUdp;
  header.source = source;
  header.destination = destination;
  return written(header, 40) + Octets(size, 0x5a);
}

inline Octets ethernet(const MacAddress& destination, const MacAddress& source, EtherType type,
                       const Octets& payload, std::optional<wire::VlanTag> tag = std::nullopt) {
  wire::EthernetHeader header;
  header.destination = destination;
  header.source = source;
  header.tag = tag;
  header.type = type;
  return written(header, header.size()) + payload;
}

// A frame that was sent, taken apart.
struct Sent {
  Instant time;
  Octets octets;
  wire::EthernetHeader ethernet;

  Bytes payload() const { return Bytes(octets).subspan(ethernet.size()); }
  bool is(EtherType type) const { return ethernet.type == type; }
  wire::ArpPacket arp() const {
    wire::Reader reader(payload());
    const auto packet = wire::ArpPacket::parse(reader);
    EXPECT_TRUE(is(EtherType::kArp) && packet);
    return packet.value_or(wire::ArpPacket{});
  }
  wire::Ipv6Header ipv6() const {
    wire::Reader reader(payload());
    const auto header = wire::Ipv6Header::parse(reader);
    EXPECT_TRUE(is(EtherType::kIpv6) && header);
    return header.value_or(wire::Ipv6Header{});
  }
  // The ICMPv6 message, with its checksum and hop limit checked, as every NDP message must have them.
  Bytes ndp() const {
    const wire::Ipv6Header header = ipv6();
    EXPECT_EQ(header.next_header, IpProtocol::kIcmpv6);  // R6980-02: no fragment header
    EXPECT_EQ(header.hop_limit, 255);
    const Bytes message = payload().subspan(wire::Ipv6Header::kSize, header.payload_length);
    auto sum = wire::pseudo_header_sum(header.source, header.destination, IpProtocol::kIcmpv6,
                                       header.payload_length);
    sum.add(message);
    EXPECT_EQ(sum.fold(), 0xffff);
    return message;
  }
  wire::NeighborSolicitation solicitation() const {
    const auto message = wire::NeighborSolicitation::parse(ndp());
    EXPECT_TRUE(message);
    return message.value_or(wire::NeighborSolicitation{});
  }
  wire::NeighborAdvertisement advertisement() const {
    const auto message = wire::NeighborAdvertisement::parse(ndp());
    EXPECT_TRUE(message);
    return message.value_or(wire::NeighborAdvertisement{});
  }
  bool is_solicitation() const { return is(EtherType::kIpv6) && octets[54] == 135; }
  bool is_advertisement() const { return is(EtherType::kIpv6) && octets[54] == 136; }
};

// The IP layer's place. Keeps what it is given.
class RecordingNetwork final : public link::NetworkReceiver {
 public:
  struct Arrival {
    Octets octets;
    PacketInfo info;
  };
  void receive(link::Interface&, Packet packet) override {
    arrivals.push_back({octets_of(packet), packet.info()});
  }
  void neighbour_failed(link::Interface&, Packet packet) override { failures.push_back(octets_of(packet)); }
  bool router_advertised(link::Interface&, const IpAddress& router,
                         const wire::RouterAdvertisement& advertisement) override {
    advertisements.emplace_back(router, advertisement);
    return heeds_routers;
  }
  bool redirected(link::Interface&, const IpAddress& router, const IpAddress& destination,
                  const IpAddress& target) override {
    redirects.push_back({router, destination, target});
    return follows_redirects;
  }

  std::vector<Arrival> arrivals;
  std::vector<Octets> failures;
  std::vector<std::array<IpAddress, 3>> redirects;  // router, destination, target
  bool follows_redirects = true;
  std::vector<std::pair<IpAddress, wire::RouterAdvertisement>> advertisements;
  bool heeds_routers = false;
};

class RecordingObserver final : public Observer {
 public:
  void on_event(const Event& event) override {
    if (const auto* packet = std::get_if<PacketEvent>(&event.what)) {
      if (packet->direction == Direction::kIn) ++frames_in;
      if (packet->direction == Direction::kOut) out.push_back({event.time, octets_of(packet->packet), {}});
    } else if (const auto* conflict = std::get_if<AddressConflictEvent>(&event.what)) {
      conflicts.push_back(*conflict);
    }
  }

  std::size_t frames_in = 0;
  std::vector<Sent> out;
  std::vector<AddressConflictEvent> conflicts;
};

class LinkTest : public ::testing::Test {
 protected:
  // What a test may choose before the interface is made.
  struct Setup {
    link::LinkConfig link;
    link::InterfaceConfig interface;
    bool with_addresses = true;
  };
  static Setup plain() {
    Setup setup;
    setup.interface.name = "eth0";
    setup.interface.mac = kOwnMac;
    setup.interface.link_local = false;
    setup.interface.conflict_detection.enabled = false;
    return setup;
  }

  explicit LinkTest(const Setup& setup = plain()) : link_(context_, setup.link) {
    link_.set_network(network_);
    context_.observer = &observer_;
    eth_ = &link_.add_interface(setup.interface);
    if (!setup.with_addresses) return;
    add("10.0.0.1/24");
    add("2001:db8::1/64");
    add("fe80::1/64");
    sent();
    context_.counters = {};  // without the announcements of the addresses
  }
  ~LinkTest() override {
    for (const auto& interface : link_.interfaces()) interface->transmit_queue().clear();
  }

  void add(const char* prefix) { EXPECT_TRUE(link_.add_address(*eth_, *IpPrefix::parse(prefix))) << prefix; }
  link::AddressState state_of(const char* text) { return eth_->find_address(address(text))->state; }

  // Lets time pass as a driver would: every timer runs at its own instant.
  void advance(Duration duration) {
    const Instant end = context_.now + duration;
    while (context_.timers.next_deadline() <= end) {
      context_.now = std::max(context_.now, context_.timers.next_deadline());
      context_.timers.advance(context_.now);
    }
    context_.now = end;
  }

  // What was sent on the Ethernet interface since the last call. What the observer was told and what the
  // driver gets are the same.
  std::vector<Sent> sent() {
    std::size_t i = 0;
    for (; Packet frame = eth_->transmit_queue().pop(); ++i) {
      if (i >= observer_.out.size())
        ADD_FAILURE() << "a frame that the observer was not told of";
      else
        EXPECT_EQ(octets_of(frame), observer_.out[i].octets);
    }
    EXPECT_EQ(i, observer_.out.size());
    std::vector<Sent> frames = std::exchange(observer_.out, {});
    for (Sent& frame : frames) {
      wire::Reader reader(frame.octets);
      const auto header = wire::EthernetHeader::parse(reader);
      EXPECT_TRUE(header);
      if (header) frame.ethernet = *header;
      EXPECT_EQ(frame.ethernet.source, kOwnMac);
      EXPECT_GE(frame.octets.size(), 60U);  // R894-02
    }
    return frames;
  }
  // The one frame that must have been sent.
  Sent sent_one() {
    const auto frames = sent();
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? Sent{{}, Octets(60), {}} : frames.front();
  }

  void receive(const Octets& frame, PacketInfo info = {}) {
    Packet packet = pool_.copy_of(frame);
    ASSERT_TRUE(packet);
    packet.info() = info;
    link_.receive(*eth_, std::move(packet));
  }
  void receive_arp(Operation operation, const MacAddress& sender_mac, const char* sender,
                   const MacAddress& target_mac, const char* target,
                   const MacAddress& frame_destination = MacAddress::broadcast()) {
    const wire::ArpPacket packet{operation, sender_mac, address(sender), target_mac, address(target)};
    receive(ethernet(frame_destination, sender_mac.is_group() || sender_mac.is_zero() ? kPeerMac : sender_mac,
                     EtherType::kArp, written(packet, wire::ArpPacket::kSize) + Octets(18)));
  }
  void arp_request(const MacAddress& mac, const char* sender, const char* target) {
    receive_arp(Operation::kRequest, mac, sender, kNoMac, target);
  }
  void arp_reply(const MacAddress& mac, const char* sender, const char* target = "10.0.0.1") {
    receive_arp(Operation::kReply, mac, sender, kOwnMac, target, kOwnMac);
  }

  struct From {
    IpAddress source;
    IpAddress destination;
    std::uint8_t hop_limit = 255;
    bool fragmented = false;
  };
  void receive_ndp(const From& from, const Octets& message) {
    link_.receive_ndp(*eth_, {from.source, from.destination, from.hop_limit, from.fragmented}, message);
  }
  static Octets solicitation(const IpAddress& target, std::optional<MacAddress> mac = std::nullopt,
                             std::optional<std::array<std::uint8_t, 6>> nonce = std::nullopt) {
    wire::NeighborSolicitation message;
    message.target = target;
    message.options.source_link_address = mac;
    message.options.nonce = nonce;
    return written(message, message.size());
  }
  struct Flags {
    bool solicited = false;
    bool overrides = false;
  };
  static Octets advertisement(const IpAddress& target, std::optional<MacAddress> mac, const Flags& flags) {
    wire::NeighborAdvertisement message;
    message.target = target;
    message.solicited = flags.solicited;
    message.override_cache = flags.overrides;
    message.options.target_link_address = mac;
    return written(message, message.size());
  }
  void solicit(const char* source, const char* target, std::optional<MacAddress> mac) {
    receive_ndp({address(source), solicited_node_multicast(address(target))},
                solicitation(address(target), mac));
  }
  void advertise(const char* target, std::optional<MacAddress> mac, const Flags& flags) {
    receive_ndp({address(target), flags.solicited ? address("2001:db8::1") : kAllNodes},
                advertisement(address(target), mac, flags));
  }

  void send(const char* next_hop, std::size_t size = 100, link::NeighbourHandle* handle = nullptr) {
    const IpAddress to = address(next_hop);
    Packet packet = pool_.copy_of(ip_packet(address(to.is_v4() ? "10.0.0.1" : "2001:db8::1"), to, size));
    ASSERT_TRUE(packet);
    link_.send(*eth_, std::move(packet), to, handle);
  }

  std::optional<link::NeighbourInfo> neighbour(const char* text) {
    for (const link::NeighbourInfo& info : link_.neighbours()) {
      if (info.address == address(text)) return info;
    }
    return std::nullopt;
  }
  std::optional<NeighbourState> neighbour_state(const char* text) {
    const auto info = neighbour(text);
    return info ? std::optional(info->state) : std::nullopt;
  }
  std::optional<MacAddress> neighbour_mac(const char* text) {
    const auto info = neighbour(text);
    return info ? info->mac : std::nullopt;
  }
  // A neighbour that has answered, and the packet that asked for it sent.
  void make_reachable(const char* text, const MacAddress& mac = kPeerMac) {
    send(text);
    if (address(text).is_v4()) {
      arp_reply(mac, text);
    } else {
      advertise(text, mac, {.solicited = true, .overrides = true});
    }
    EXPECT_EQ(neighbour_state(text), NeighbourState::kReachable);
    sent();
  }

  std::uint64_t counted(Counter counter) const { return context_.counters[counter]; }
  std::uint64_t dropped(DropReason reason) const { return context_.drops[static_cast<std::size_t>(reason)]; }

  BufferPool pool_;
  Context context_{pool_, seed_from_number(7), Instant(100s)};
  RecordingNetwork network_;
  RecordingObserver observer_;
  link::LinkLayer link_;
  link::Interface* eth_ = nullptr;
};

}  // namespace transom::test

namespace transom {
// Names in the output of a failed test.
inline void PrintTo(const MacAddress& mac, std::ostream* out) { *out << to_string(mac); }
inline void PrintTo(const IpAddress& address, std::ostream* out) { *out << to_string(address); }
}  // namespace transom
