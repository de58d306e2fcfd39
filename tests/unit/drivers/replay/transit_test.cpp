// Both ends of recorded flows are played through devices that do this and that, in virtual time.
#include <gtest/gtest.h>

#include <map>

#include "drivers/capture/edit/octets_in_place.h"
#include "drivers/replay/transit_replay.h"
#include "drivers/replay/transit_report.h"
#include "tests/unit/drivers/replay/collection.h"

namespace transom::drivers::replay {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;

struct Out {
  std::size_t port;
  Octets packet;
};
// What comes out of it, of a packet that is put in at a port.
using Box = std::function<std::vector<Out>(std::size_t port, Octets packet)>;

CapturedPacket captured(Bytes octets) {
  CapturedPacket packet;
  packet.link_type = LinkType::kRaw;
  packet.octets = octets;
  packet.original_length = static_cast<std::uint32_t>(octets.size());
  return packet;
}

PacketView view_of(Bytes octets) { return *PacketView::parse(captured(octets)); }

// What a router does.
Octets forwarded(Octets packet) {
  packet[packet[0] >> 4 == 4 ? 8 : 7] -= 1;
  fill_in_checksums(captured(Octets(packet)), packet);
  return packet;
}

std::vector<Out> route(std::size_t port, Octets packet) { return {{1 - port, forwarded(std::move(packet))}}; }

// Port translation of the ends at the first port.
class Nat final : public PacketChanges {
 public:
  explicit Nat(std::uint16_t outside = 40000) : outside_(outside) {}

  std::vector<Out> operator()(std::size_t port, Octets packet) {
    is_out_ = port == 0;
    calls_ = 0;
    const Octets before = packet;
    PacketEditor(*this).edit(captured(before), packet);
    return {{1 - port, forwarded(std::move(packet))}};
  }

 private:
  IpAddress source(const IpAddress& address) override {
    if (!is_out_) return address;
    inside_ = address;
    return kOutside;
  }
  IpAddress destination(const IpAddress& address) override {
    return !is_out_ && address == kOutside ? inside_ : address;
  }
  std::uint16_t port(std::uint16_t port) override {
    const bool is_source = calls_++ % 2 == 0;
    if (is_out_ && is_source) {
      inside_port_ = port;
      return outside_;
    }
    return !is_out_ && !is_source && port == outside_ ? inside_port_ : port;
  }

  const IpAddress kOutside = *IpAddress::parse("203.0.113.7");
  std::uint16_t outside_;
  IpAddress inside_ = IpAddress::v4(0);
  std::uint16_t inside_port_ = 0;
  bool is_out_ = false;
  int calls_ = 0;
};

// Adds to the sequence numbers of each port's packets, and takes it off what acknowledges them.
struct Randomiser {
  std::array<std::uint32_t, 2> added{0x12345678, 0xfedcba98};  // by port
  bool minds_acknowledgments = true, minds_sack = true;

  std::vector<Out> operator()(std::size_t port, Octets packet) const {
    const PacketView view = view_of(packet);
    if (!view.tcp) return route(port, std::move(packet));
    const auto add = [&](std::size_t at, std::uint32_t value) {
      const MutableBytes field = MutableBytes(packet).subspan(view.transport_offset + at, 4);
      const std::uint32_t before = wire::Reader(field).u32();
      wire::Writer(field).u32(before + value);
    };
    add(4, added[port]);
    const std::uint32_t back = 0 - added[1 - port];
    if (view.tcp->flags.ack && minds_acknowledgments) add(8, back);
    for (std::size_t at = 20; minds_sack && at + 2 < view.payload_offset - view.transport_offset;) {
      const std::uint8_t kind = packet[view.transport_offset + at];
      const std::size_t length = kind <= 1 ? 1 : packet[view.transport_offset + at + 1];
      for (std::size_t edge = at + 2; kind == 5 && edge < at + length; edge += 4) add(edge, back);
      at += length;
    }
    return route(port, std::move(packet));
  }
};

class Transit : public testing::Test {
 protected:
  Transit() {
    for (InterfaceId& interface : interfaces_) {
      link::InterfaceConfig config;
      config.name = "port";
      config.type = link::LinkType::kPointToPoint;
      config.link_local = false;
      config.transmit_limit = 1 << 16;
      interface = host_.add_interface(config);
    }
  }

  // Plays the capture through the box. The flows stay in `replay_`.
  void play(std::string_view capture, Box box, LiveSetup setup = {}) {
    const std::string path = input_of(capture);
    auto first = CaptureReader::open(path);
    const auto scene = survey(*first);
    ASSERT_TRUE(scene);
    const Cast cast(*scene, *Role::parse("client"));
    auto reader = CaptureReader::open(path);
    auto scripts = make_transit_scripts(*reader, *scene, cast, 1500);
    ASSERT_TRUE(scripts);
    ASSERT_FALSE(scripts->empty());
    host_.enter(now_);
    replay_.reset();
    scripts_ = std::move(*scripts);
    on_the_way_.clear();
    replay_ = std::make_unique<TransitReplay>(
        host_, std::array{TransitPort{interfaces_[0], {}}, TransitPort{interfaces_[1], {}}}, scripts_,
        std::map<IpAddress, IpAddress>{}, setup);
    host_.leave();
    Instant end = now_ + 120s;
    while (now_ < end) {
      if (replay_->is_over()) end = std::min(end, now_ + 10ms);  // what is on its way comes out
      carry(box);
      Instant next = host_.next_deadline();
      if (!on_the_way_.empty()) next = std::min(next, on_the_way_.begin()->first);
      if (next > end) break;
      now_ = std::max(now_, next);
      while (!on_the_way_.empty() && on_the_way_.begin()->first <= now_) {
        const Out out = std::move(on_the_way_.extract(on_the_way_.begin()).mapped());
        host_.receive(interfaces_[out.port], pool_.copy_of(out.packet), now_);
      }
      host_.advance(now_);
    }
  }
  ~Transit() override {
    host_.enter(now_);
    replay_.reset();
    host_.leave();
  }

  void expect_all(Likeness likeness) const {
    for (const auto& flow : replay_->flows()) {
      EXPECT_EQ(flow->state(), LiveState::kDone) << flow->awaited();
      EXPECT_EQ(flow->likeness(), likeness);
      EXPECT_EQ(flow->left(), 0U);
      for (const std::string& line : flow->lines()) ADD_FAILURE() << line;
    }
  }
  std::uint64_t count(std::string_view id) const {
    std::uint64_t count = 0;
    for (const auto& flow : replay_->flows())
      for (const auto& [difference, number] : flow->counts())
        if (difference->id == id) count += number;
    return count;
  }

  std::unique_ptr<TransitReplay> replay_;

 private:
  void carry(const Box& box) {
    for (std::size_t port = 0; port < 2; ++port) {
      PacketQueue& queue = host_.transmit_queue(interfaces_[port]);
      while (!queue.empty()) {
        const Packet packet = queue.pop();
        Octets octets(packet.size());
        packet.copy_out(0, octets);
        for (Out& out : box(port, std::move(octets))) on_the_way_.emplace(now_ + 1ms, std::move(out));
      }
    }
  }

  BufferPool pool_;
  Host host_{pool_, {}};
  std::array<InterfaceId, 2> interfaces_{};
  Instant now_{};
  std::multimap<Instant, Out> on_the_way_;
  std::map<std::size_t, TransitScript> scripts_;
};

TEST_F(Transit, AWireChangesNothing) {
  for (const auto* capture : {"curl-http", "dns", "icmp-echo-fragments", "udp-fragments-ipv6",
                              "tcp-loss-sack", "tcp-fast-open", "udp-unreachable-ipv4"}) {
    SCOPED_TRACE(capture);
    for (const Fidelity fidelity : {Fidelity::kExact, Fidelity::kSegment, Fidelity::kStream}) {
      LiveSetup setup;
      setup.options.fidelity = fidelity;
      play(
          capture, [](std::size_t port, Octets packet) { return std::vector<Out>{{1 - port, packet}}; },
          setup);
      expect_all(Likeness::kSame);
    }
  }
}

TEST_F(Transit, WhatALoopHasPutInLastComesOutOfItAndNotOfTheNext) {
  LiveSetup setup;
  setup.loops = 3;
  play("curl-http", route, setup);
  EXPECT_EQ(replay_->flows().size(), 3U);
  expect_all(Likeness::kLegal);
}

TEST_F(Transit, ARouterLowersTheHopLimitAndThatIsLegal) {
  for (const auto* capture : {"curl-http", "dns", "icmp-echo-fragments", "ssh"}) {
    SCOPED_TRACE(capture);
    play(capture, route);
    expect_all(Likeness::kLegal);
    EXPECT_GT(count("hop-limit"), 0U);
  }
}

TEST_F(Transit, ATranslationIsFollowedAndIsLegal) {
  for (const auto* capture : {"tcp-handshake-ipv4", "udp-request-response-ipv4", "tcp-loss-sack"}) {
    SCOPED_TRACE(capture);
    play(capture, Nat());
    expect_all(Likeness::kLegal);
    EXPECT_GT(count("translated"), 0U);
    EXPECT_EQ(to_string(replay_->flows().front()->seen(0).ours), "203.0.113.7:40000");
  }
}

TEST_F(Transit, ATranslationThatBecomesAnotherIsAViolation) {
  Nat before(40000), after(40001);
  int packets = 0;
  play("tcp-handshake-ipv4", [&](std::size_t port, Octets packet) {
    return ++packets < 4 ? before(port, std::move(packet)) : after(port, std::move(packet));
  });
  EXPECT_GT(count("remapped"), 0U);
  EXPECT_EQ(replay_->flows().front()->likeness(), Likeness::kViolation);
}

TEST_F(Transit, AShiftOfSequenceNumbersIsFollowedAndIsLegal) {
  for (const auto* capture :
       {"curl-http", "tcp-loss-sack", "ssh", "tcp-half-close", "tcp-close-linger-zero"}) {
    SCOPED_TRACE(capture);
    for (const Fidelity fidelity : {Fidelity::kExact, Fidelity::kSegment, Fidelity::kStream}) {
      LiveSetup setup;
      setup.options.fidelity = fidelity;
      const Randomiser device;
      play(capture, device, setup);
      expect_all(Likeness::kLegal);
      EXPECT_GT(count("sequence-shift"), 0U);
      for (std::size_t side = 0; side < 2; ++side)
        EXPECT_EQ(replay_->flows().front()->shift(side), device.added[side]);
    }
  }
}

TEST_F(Transit, AShiftOfOneDirectionAndATranslationAreFollowedTogether) {
  Nat nat;
  const Randomiser device{.added = {77, 0}};
  play("tcp-loss-sack", [&](std::size_t port, Octets packet) {
    packet = device(port, std::move(packet)).front().packet;
    packet[8] += 1;  // one device, one hop
    return nat(port, std::move(packet));
  });
  expect_all(Likeness::kLegal);
  EXPECT_EQ(replay_->flows().front()->shift(0), 77U);
  EXPECT_EQ(replay_->flows().front()->shift(1), 0U);
  EXPECT_GT(count("translated"), 0U);
}

TEST_F(Transit, AShiftThatBecomesAnotherIsAViolation) {
  int packets = 0;
  play("curl-http", [&](std::size_t port, Octets packet) {
    const Randomiser before, after{.added = {0x12345679, 0xfedcba98}};
    return (++packets < 5 ? before : after)(port, std::move(packet));
  });
  EXPECT_GT(count("sequence-shift-changed"), 0U);
  EXPECT_EQ(replay_->flows().front()->likeness(), Likeness::kViolation);
}

TEST_F(Transit, AcknowledgmentsThatAreNotShiftedBackAreAViolation) {
  play("curl-http", Randomiser{.minds_acknowledgments = false});
  EXPECT_GT(count("acknowledgment-shift"), 0U);
  EXPECT_EQ(replay_->flows().front()->likeness(), Likeness::kViolation);
}

TEST_F(Transit, SackBlocksThatAreNotShiftedBackAreAViolation) {
  play("tcp-loss-sack", Randomiser{.minds_sack = false});
  EXPECT_GT(count("sack-shift"), 0U);
  EXPECT_EQ(count("acknowledgment-shift"), 0U);
  EXPECT_EQ(replay_->flows().front()->likeness(), Likeness::kViolation);
}

TEST_F(Transit, TheReportHasWhatWasPutInBesideWhatCameOut) {
  play("curl-http", Randomiser());
  const FlowReport good = report_of(*replay_->flows().front());
  EXPECT_EQ(good.likeness(), Likeness::kLegal);
  ASSERT_TRUE(good.peer);
  for (const auto* direction : {&good.comparison, &*good.peer}) {
    EXPECT_FALSE(direction->rungs.empty());
    for (const Rung& rung : direction->rungs) {
      ASSERT_TRUE(rung.recorded && rung.actual);
      EXPECT_EQ(describe(*rung.recorded), describe(*rung.actual));  // without what was added
      EXPECT_EQ(rung.likeness(), Likeness::kLegal);
    }
  }
  EXPECT_EQ(describe(*good.comparison.rungs[0].actual).substr(0, 6), "S 0:0(");
  EXPECT_NE(describe(*good.peer->rungs[0].actual).find("ack 1 "), std::string::npos);

  play("udp-request-response-ipv4", [](std::size_t, Octets) { return std::vector<Out>{}; });
  const FlowReport lost = report_of(*replay_->flows().front());
  ASSERT_EQ(lost.comparison.rungs.size(), 1U);
  EXPECT_FALSE(lost.comparison.rungs[0].actual);
  EXPECT_EQ(lost.comparison.rungs[0].differences, std::vector{&kTransitLost});
  EXPECT_TRUE(lost.peer->rungs.empty());  // never put in

  play("udp-request-response-ipv4", [](std::size_t port, Octets packet) {
    return std::vector<Out>{{1 - port, packet}, {1 - port, packet}};
  });
  const FlowReport twice = report_of(*replay_->flows().front());
  std::size_t added = 0;
  for (const Rung& rung : twice.comparison.rungs)
    if (!rung.recorded) ++added;
  EXPECT_GT(added, 0U);
}

TEST_F(Transit, OtherOctetsAreAViolation) {
  play("curl-http", [&](std::size_t port, Octets packet) {
    const PacketView view = view_of(packet);
    if (!view.payload.empty() && port == 1) packet[view.payload_offset] ^= 1U;
    return route(port, std::move(packet));
  });
  EXPECT_GT(count("payload"), 0U);
  EXPECT_EQ(replay_->flows().front()->likeness(), Likeness::kViolation);
}

TEST_F(Transit, AWrongChecksumIsAViolation) {
  play("udp-request-response-ipv4", [&](std::size_t port, Octets packet) {
    packet = forwarded(std::move(packet));
    packet[view_of(packet).transport_offset + 6] ^= 1U;
    return std::vector<Out>{{1 - port, packet}};
  });
  EXPECT_EQ(count("checksum"), 2U);
}

TEST_F(Transit, AFirewallThatDropsIsUnknownAndWhatWasAwaitedIsTold) {
  play("udp-request-response-ipv4", [](std::size_t, Octets) { return std::vector<Out>{}; });
  const TransitFlow& flow = *replay_->flows().front();
  EXPECT_EQ(flow.state(), LiveState::kStalled);
  EXPECT_EQ(flow.likeness(), Likeness::kUnknown);
  EXPECT_EQ(count("lost"), 1U);
  EXPECT_EQ(flow.left(), 1U);
  EXPECT_NE(flow.awaited().find("packet 3 at port 2"), std::string::npos) << flow.awaited();
  EXPECT_FALSE(flow.last_packets().empty());
}

TEST_F(Transit, AFirewallThatRefusesIsTold) {
  play("udp-request-response-ipv4", [](std::size_t port, Octets packet) {
    const PacketView view = view_of(packet);
    Octets error(28 + packet.size());
    error[0] = 0x45;
    put_u16(error, 2, static_cast<std::uint16_t>(error.size()));
    error[8] = 64;
    error[9] = 1;
    put_address(error, 12, 4, *IpAddress::parse("192.0.2.254"));
    put_address(error, 16, 4, view.source);
    error[20] = 3;
    error[21] = 13;
    std::ranges::copy(packet, error.begin() + 28);
    fill_in_checksums(captured(Octets(error)), error);
    return std::vector<Out>{{port, error}};
  });
  EXPECT_EQ(count("refused"), 1U);
  EXPECT_EQ(count("lost"), 1U);
}

TEST_F(Transit, LossIsMadeGoodButForExact) {
  for (const Fidelity fidelity : {Fidelity::kExact, Fidelity::kSegment, Fidelity::kStream}) {
    LiveSetup setup;
    setup.options.fidelity = fidelity;
    int packets = 0;
    play(
        "curl-http",
        [&](std::size_t port, Octets packet) {
          return ++packets % 5 == 4 ? std::vector<Out>{} : route(port, std::move(packet));
        },
        setup);
    const TransitFlow& flow = *replay_->flows().front();
    if (fidelity == Fidelity::kExact) {
      EXPECT_EQ(flow.state(), LiveState::kStalled);
      EXPECT_GT(count("lost"), 0U);
    } else {
      EXPECT_EQ(flow.state(), LiveState::kDone) << flow.awaited();
      EXPECT_EQ(flow.likeness(), Likeness::kLegal);
      EXPECT_GT(flow.again(), 0U);
    }
  }
}

TEST_F(Transit, TwoCopiesAreFound) {
  play("udp-request-response-ipv4", [](std::size_t port, Octets packet) {
    const Octets out = forwarded(std::move(packet));
    return std::vector<Out>{{1 - port, out}, {1 - port, out}};
  });
  EXPECT_GE(count("twice"), 1U);
}

TEST_F(Transit, AClampedSegmentSizeIsFound) {
  play("tcp-handshake-ipv4", [](std::size_t port, Octets packet) {
    const PacketView view = view_of(packet);
    constexpr std::size_t kFirstOption = 20;
    if (view.tcp && view.tcp->flags.syn) put_u16(packet, view.transport_offset + kFirstOption + 2, 1300);
    return route(port, std::move(packet));
  });
  EXPECT_EQ(count("maximum-segment-size"), 2U);
}

TEST_F(Transit, AStreamMayBeCutOtherwise) {
  // Each segment with text is cut in two, as by a proxy.
  const Box proxy = [](std::size_t port, Octets packet) {
    const PacketView view = view_of(packet);
    if (!view.tcp || view.payload.size() < 2) return route(port, std::move(packet));
    const auto half = static_cast<std::ptrdiff_t>(view.payload.size() / 2);
    Octets first(packet.begin(), packet.end() - (view.payload.end() - view.payload.begin()) + half);
    Octets second(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(view.payload_offset));
    second.insert(second.end(), packet.begin() + static_cast<std::ptrdiff_t>(view.payload_offset) + half,
                  packet.end());
    wire::Writer(MutableBytes(second).subspan(view.transport_offset + 4))
        .u32((view.tcp->sequence + static_cast<std::uint32_t>(half)).value());
    put_u16(first, 2, static_cast<std::uint16_t>(first.size()));
    put_u16(second, 2, static_cast<std::uint16_t>(second.size()));
    return std::vector<Out>{{1 - port, forwarded(first)}, {1 - port, forwarded(second)}};
  };
  LiveSetup setup;
  setup.options.fidelity = Fidelity::kStream;
  play("curl-http", proxy, setup);
  expect_all(Likeness::kLegal);
  play("curl-http", proxy);
  EXPECT_GT(count("added"), 0U);
}

}  // namespace
}  // namespace transom::drivers::replay
