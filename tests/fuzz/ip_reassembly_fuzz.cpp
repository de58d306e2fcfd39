// Feeds an internet layer with fragments of either family, their fields chosen by the input, mixed with raw
// packets and steps of time, and holds it to what it promises: only whole datagrams come out, memory stays
// within its limit, and all of it comes back.

#include <array>
#include <utility>

#include "stack/ip/ip_layer.h"
#include "stack/wire/cursor.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"
#include "tests/fuzz/require.h"

namespace transom {
namespace {

// The octet at `at` of every datagram that this fuzzer cuts, so that a reassembled one can be checked.
std::uint8_t octet_at(std::size_t at) { return static_cast<std::uint8_t>(at * 31 + at / 256); }

class CheckingTransport final : public ip::Transport {
 public:
  void receive(const ip::Received& received, Packet packet) override {
    // Raw packets may say anything; what comes from these sources was cut by us.
    if (received.ttl != kOurs) return;
    for (std::size_t at = 0; at < packet.size(); ++at) {
      std::uint8_t octet = 0;
      require(packet.copy_out(at, {&octet, 1}) && octet == octet_at(at));
    }
    packet.prepend(received.header_size);
  }
  bool icmp_error(const ip::IcmpError& error) override {
    require(error.transport.size() >= 8);
    return true;
  }

  static constexpr std::uint8_t kOurs = 77;
};

class Target {
 public:
  Target() : ip_(context_, link_, config_) {
    link::InterfaceConfig config;
    config.type = link::LinkType::kPointToPoint;
    config.conflict_detection.enabled = false;
    config.link_local = false;
    interface_ = &link_.add_interface(config);
    require(link_.add_address(*interface_, {kSelf4, 24}).has_value());
    require(link_.add_address(*interface_, {kSelf6, 64}).has_value());
    ip_.register_transport(IpProtocol::kUdp, transport_);
  }

  void run(wire::Reader& input) {
    while (input.ok() && input.remaining() > 0) {
      const std::uint8_t what = input.u8();
      switch (what & 7U) {
        case 0:
          advance(std::chrono::milliseconds(input.u16()));
          break;
        case 1:
          receive_raw(input);
          break;
        default:
          receive_fragment(input, what);
          break;
      }
      interface_->transmit_queue().clear();
      require(pool_.in_use(BufferSize::kFrame) * 2048 <= config_.max_reassembly_octets);
    }
    advance(std::chrono::minutes(5));
    interface_->transmit_queue().clear();
    require(pool_.in_use(BufferSize::kFrame) == 0 && pool_.in_use(BufferSize::kSuperFrame) == 0);
  }

 private:
  void advance(Duration duration) {
    context_.now += duration;
    context_.timers.advance(context_.now);
  }

  void receive_raw(wire::Reader& input) {
    const std::size_t size = std::min<std::size_t>(input.u8(), input.remaining());
    ip_.receive(*interface_, pool_.copy_of(input.bytes(size)));
  }

  void receive_fragment(wire::Reader& input, std::uint8_t what) {
    const std::size_t offset = (input.u16() & 0x1fffU) * std::size_t{8} >> (what >> 5);  // small ones often
    std::size_t size = input.u8();
    const bool more = (what & 8U) != 0;
    if (more && (what & 16U) == 0) size = size / 8 * 8;
    const std::uint8_t id = input.u8() & 3U;
    Packet packet = pool_.allocate();
    const MutableBytes payload = packet.append(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = octet_at(offset / 8 * 8 + i);
    (what & 1U) == 0 ? write_ipv4(packet, offset / 8 * 8, more, id)
                     : write_ipv6(packet, offset / 8 * 8, more, id);
    ip_.receive(*interface_, std::move(packet));
  }
  void write_ipv4(Packet& packet, std::size_t offset, bool more, std::uint8_t id) {
    wire::Ipv4Header header;
    header.source = kPeer4;
    header.destination = kSelf4;
    header.protocol = IpProtocol::kUdp;
    header.ttl = CheckingTransport::kOurs;
    header.identification = id;
    header.fragment_offset = static_cast<std::uint16_t>(offset);
    header.more_fragments = more;
    header.total_length = static_cast<std::uint16_t>(header.size() + packet.size());
    wire::Writer writer(packet.prepend(header.size()));
    header.write(writer);
  }
  void write_ipv6(Packet& packet, std::size_t offset, bool more, std::uint8_t id) {
    wire::Ipv6FragmentHeader fragment;
    fragment.next_header = IpProtocol::kUdp;
    fragment.offset = static_cast<std::uint16_t>(offset);
    fragment.more_fragments = more;
    fragment.identification = id;
    wire::Writer fragment_writer(packet.prepend(wire::Ipv6FragmentHeader::kSize));
    fragment.write(fragment_writer);
    wire::Ipv6Header header;
    header.source = kPeer6;
    header.destination = kSelf6;
    header.next_header = IpProtocol::kFragment;
    header.hop_limit = CheckingTransport::kOurs;
    header.payload_length = static_cast<std::uint16_t>(packet.size());
    wire::Writer writer(packet.prepend(wire::Ipv6Header::kSize));
    header.write(writer);
  }

  static constexpr IpAddress kSelf4 = IpAddress::v4(10, 0, 0, 2);
  static constexpr IpAddress kPeer4 = IpAddress::v4(10, 0, 0, 1);
  static constexpr IpAddress kSelf6 =
      IpAddress::v6({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
  static constexpr IpAddress kPeer6 =
      IpAddress::v6({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

  ip::IpConfig config_{.max_reassembly_octets = 1 << 18, .max_reassemblies = 16, .max_fragments = 32};
  BufferPool pool_;
  Context context_{pool_, seed_from_number(1), Instant{} + std::chrono::hours(1)};
  link::LinkLayer link_{context_, {}};
  CheckingTransport transport_;
  ip::IpLayer ip_;
  link::Interface* interface_ = nullptr;
};

}  // namespace
}  // namespace transom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  transom::wire::Reader input(transom::Bytes(data, size));
  transom::Target target;
  target.run(input);
  return 0;
}
