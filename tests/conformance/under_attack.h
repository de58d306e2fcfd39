// A Host that is attacked by other stations on its Ethernet, while one keeps an honest TCP connection with
// it.
//
// Whatever a test does, at its end the honest connection still works, and when all timers have run out the
// Host holds no more buffers than before. While it lasts, buffers must stay below what the limits of the
// stack allow.
#pragma once

#include "tests/support/host_on_ethernet.h"

namespace transom::test {

inline const IpAddress kAttacker = IpAddress::v4(10, 0, 0, 66);
inline constexpr Port kOpenPort{5000};
inline constexpr Port kClosedPort{9};

class UnderAttack : public HostOnEthernet {
 protected:
  explicit UnderAttack(HostConfig config = {}, bool reports_groups = false)
      : HostOnEthernet(std::move(config), off(), reports_groups),
        open_(open_udp({IpAddress::any(IpFamily::kIpv4), kOpenPort})),
        open6_(open_udp({IpAddress::any(IpFamily::kIpv6), kOpenPort})),
        bystander_(host_, eth_, pool_, now_),
        frames_before_(pool_.in_use(BufferSize::kFrame)),
        super_frames_before_(pool_.in_use(BufferSize::kSuperFrame)) {
    for (const IpAddress& station : {kAttacker, attacker6()}) know(station);
  }
  static IpAddress attacker6() { return address("2001:db8:a::66"); }
  static IpAddress attacker(IpFamily family) { return is_v4(family) ? kAttacker : attacker6(); }
  static IpAddress self4() { return self(IpFamily::kIpv4); }
  static IpAddress self6() { return self(IpFamily::kIpv6); }

  void TearDown() override {
    sent();
    EXPECT_TRUE(bystander_.is_served(now_)) << "the honest connection suffers";
    advance(10min);
    sent();
    received(*open_);
    received(*open6_);
    EXPECT_LE(pool_.in_use(BufferSize::kFrame), frames_before_) << "buffers are lost";
    EXPECT_LE(pool_.in_use(BufferSize::kSuperFrame), super_frames_before_) << "buffers are lost";
    EXPECT_TRUE(bystander_.is_served(now_)) << "the honest connection suffers later";
  }

  // Buffers that the attack holds now, in octets.
  std::size_t held_octets() const {
    return (pool_.in_use(BufferSize::kFrame) - frames_before_) * BufferPool::capacity(BufferSize::kFrame) +
           (pool_.in_use(BufferSize::kSuperFrame) - super_frames_before_) *
               BufferPool::capacity(BufferSize::kSuperFrame);
  }
  // Nothing was sent, and nothing has reached a socket.
  void expect_ignored(const char* what = "") {
    EXPECT_TRUE(nothing_sent()) << what;
    EXPECT_TRUE(received(*open_).empty()) << what;
    EXPECT_TRUE(received(*open6_).empty()) << what;
  }
  std::size_t connections() { return host_.tcp().connection_count() + host_.tcp().half_open_count(); }

  // A TCP segment with its checksum, for either family.
  struct Tcp {
    wire::TcpFlags flags = {.syn = true};
    Port source{4000};
    Port destination{80};
    std::uint32_t sequence = 1000;
    std::uint32_t acknowledgment = 0;
    Octets payload = {};
  };
  static Octets tcp(const IpAddress& from, const IpAddress& to, const Tcp& fields);

  UdpSocket open_;  // port 5000
  UdpSocket open6_;
  Bystander bystander_;

 private:
  std::size_t frames_before_;
  std::size_t super_frames_before_;
};

inline Octets UnderAttack::tcp(const IpAddress& from, const IpAddress& to, const Tcp& fields) {
  wire::TcpHeader header;
  header.source_port = fields.source;
  header.destination_port = fields.destination;
  header.sequence = SeqNum(fields.sequence);
  header.acknowledgment = SeqNum(fields.acknowledgment);
  header.flags = fields.flags;
  header.window = 65535;
  Octets segment(header.size());
  wire::Writer writer(segment);
  header.write(writer);
  segment = segment + fields.payload;
  wire::ChecksumSum sum =
      wire::pseudo_header_sum(from, to, IpProtocol::kTcp, static_cast<std::uint32_t>(segment.size()));
  sum.add(segment);
  wire::Writer(MutableBytes(segment).subspan(wire::TcpHeader::kChecksumOffset, 2)).u16(sum.checksum());
  return segment;
}

}  // namespace transom::test
