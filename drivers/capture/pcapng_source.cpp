// pcapng: blocks of  type 4 | length 4 | body | length 4,  in sections that each choose a byte order and
// number their interfaces from 0.
#include <array>

#include <fmt/format.h>

#include "drivers/capture/capture_source.h"
#include "drivers/capture/ordered_reader.h"
#include "drivers/capture/pcapng_format.h"

namespace transom::drivers {

namespace {

using namespace pcapng;

constexpr std::size_t kBlockHeader = 8;
constexpr std::size_t kBlockOverhead = 12;
constexpr std::uint32_t kMaxBlock = 16U << 20U;  // octets; what libpcap takes
constexpr std::size_t kMaxInterfaces = 4096;     // of a file
constexpr std::size_t kMaxName = 256;            // octets that are kept of an interface's name

// if_tsresol and if_tsoffset: what a tick is worth, and when they began.
struct TickScale {
  std::uint8_t resolution = 6;  // 10^-n s; 2^-n s with the highest bit set
  std::int64_t offset = 0;      // s

  // nullopt for a time that is further from 1970 than half of what 64 bits of nanoseconds hold: so that there
  // is room for the difference of any two.
  std::optional<Duration> time(std::uint64_t ticks) const {
    __extension__ using Wide = unsigned __int128;
    constexpr std::uint64_t kSecond = 1'000'000'000;
    constexpr std::uint8_t kBinary = 0x80;
    Wide nanoseconds = ticks;
    const unsigned exponent = resolution & 0x7fU;
    if ((resolution & kBinary) != 0) {
      nanoseconds = nanoseconds * kSecond >> exponent;
    } else if (exponent <= 9) {
      for (unsigned i = exponent; i < 9; ++i) nanoseconds *= 10;
    } else {
      for (unsigned i = 9; i < exponent && nanoseconds > 0; ++i) nanoseconds /= 10;
    }
    __extension__ using Signed = __int128;
    const Signed sum = static_cast<Signed>(nanoseconds) + Signed{offset} * kSecond;
    if (sum > Signed{Duration::max().count() / 2} || sum < Signed{Duration::min().count() / 2})
      return std::nullopt;
    return Duration(static_cast<std::int64_t>(sum));
  }
};

std::size_t padded(std::size_t length) { return (length + 3) / 4 * 4; }

class PcapngSource final : public CaptureSource {
 public:
  explicit PcapngSource(InputFile file) : CaptureSource(std::move(file)) {}

  std::expected<std::optional<CapturedPacket>, CaptureError> next() override {
    while (true) {
      const auto more = read_block();
      if (!more) return std::unexpected(more.error());
      if (!*more) return std::nullopt;
      switch (type_) {
        case kSectionHeader:
          if (auto begun = begin_section(); !begun) return std::unexpected(begun.error());
          break;
        case kInterfaceDescription:
          if (auto added = add_interface(); !added) return std::unexpected(added.error());
          break;
        case kEnhancedPacket:
        case kObsoletePacket:
        case kSimplePacket:
          return packet();
        case kInterfaceStatistics:
          count_drops();
          [[fallthrough]];
        default:
          if (other_block_)
            other_block_({type_, Bytes(body_), is_big_endian_, static_cast<std::uint32_t>(first_interface_)});
      }
    }
  }

  CaptureFormat format() const override { return CaptureFormat::kPcapng; }

  // Some count in statistics of interfaces, some at packets, some at both.
  std::uint64_t dropped() const override {
    std::uint64_t of_interfaces = 0;
    for (const std::uint64_t drops : interface_drops_) of_interfaces = sum(of_interfaces, drops);
    return std::max(of_interfaces, packet_drops_);
  }

  // The first block, so that a file that is none is refused when it is opened.
  std::expected<void, CaptureError> begin() {
    auto first = read_block();
    if (!first) return std::unexpected(first.error());
    return begin_section();
  }

 private:
  OrderedReader body() const { return {body_, is_big_endian_}; }

  // The next block into type_ and body_; false at the end of the file.
  std::expected<bool, CaptureError> read_block() {
    start_ = file_.position();
    std::array<std::uint8_t, kBlockHeader> octets{};
    const std::size_t got = file_.read(octets);
    if (got == 0 && file_.trouble().empty()) return false;
    if (got < octets.size()) return refuse(start_, "the file ends in the header of a block");
    // The type of a section header reads the same in both byte orders, so that its own can be told after it.
    if (wire::Reader(octets).u32() == kSectionHeader) {
      const std::uint32_t magic = wire::Reader(file_.peek(4)).u32();
      is_big_endian_ = magic == kByteOrderMagic;
      if (!is_big_endian_ && std::byteswap(magic) != kByteOrderMagic)
        return refuse(start_ + kBlockHeader, "a section tells no byte order; the file is damaged here");
    }
    OrderedReader header(octets, is_big_endian_);
    type_ = header.u32();
    const std::uint32_t length = header.u32();
    if (length < kBlockOverhead || length % 4 != 0)
      return refuse(start_ + 4, fmt::format("a block has the length {}; the file is damaged here", length));
    if (length > kMaxBlock)
      return refuse(start_ + 4,
                    fmt::format("a block has the length {}, more than {}; the file is damaged here", length,
                                kMaxBlock));
    if (auto read = read_body(length - kBlockOverhead); !read) return std::unexpected(read.error());
    std::array<std::uint8_t, 4> trailer{};
    if (file_.read(trailer) < trailer.size())
      return refuse(start_, fmt::format("the file ends in a block of {} octets", length));
    if (OrderedReader(trailer, is_big_endian_).u32() != length)
      return refuse(start_, "a block ends with another length than it began with; the file is damaged here");
    return true;
  }

  // Piece by piece: a length is believed when the octets have come.
  std::expected<void, CaptureError> read_body(std::size_t length) {
    body_.clear();
    while (body_.size() < length) {
      const std::size_t done = body_.size();
      const std::size_t some = std::min(length - done, InputFile::kBuffer);
      body_.resize(done + some);
      if (file_.read(MutableBytes(body_).subspan(done)) < some)
        return refuse(start_, fmt::format("the file ends in a block of {} octets", length + kBlockOverhead));
    }
    return {};
  }

  std::expected<void, CaptureError> begin_section() {
    OrderedReader reader = body();
    reader.skip(4);
    const std::uint16_t major = reader.u16();
    if (!reader.ok() || major != 1)
      return refuse(start_, fmt::format("version {} of pcapng is not known", major));
    first_interface_ = interfaces_.size();
    return {};
  }

  std::expected<void, CaptureError> add_interface() {
    if (interfaces_.size() == kMaxInterfaces)
      return refuse(start_, fmt::format("more than {} interfaces", kMaxInterfaces));
    OrderedReader reader = body();
    CaptureInterface interface;
    TickScale scale;
    interface.link_type = LinkType{reader.u16()};
    reader.skip(2);
    interface.snap_length = reader.u32();
    const bool is_sound = for_each_option(reader, [&](std::uint16_t code, Bytes value) {
      if (code == kInterfaceName) {
        value = value.first(std::min(value.size(), kMaxName));
        interface.name.assign(reinterpret_cast<const char*>(value.data()), value.size());
      } else if (code == kTimeResolution && value.size() == 1) {
        scale.resolution = value[0];
      } else if (code == kTimeOffset && value.size() == 8) {
        scale.offset = static_cast<std::int64_t>(OrderedReader(value, is_big_endian_).u64());
      }
    });
    if (!is_sound) return refuse(start_, "the description of an interface ends before its fields do");
    interfaces_.push_back(std::move(interface));
    scales_.push_back(scale);
    interface_drops_.push_back(0);
    return {};
  }

  // Statistics count from the beginning; what makes no sense counts nothing.
  void count_drops() {
    OrderedReader reader = body();
    const std::size_t interface = first_interface_ + reader.u32();
    reader.skip(8);
    if (!reader.ok() || interface >= interfaces_.size()) return;
    std::uint64_t drops = 0;
    const bool is_sound = for_each_option(reader, [&](std::uint16_t code, Bytes value) {
      if ((code == kInterfaceDrops || code == kSystemDrops) && value.size() == 8)
        drops = sum(drops, OrderedReader(value, is_big_endian_).u64());
    });
    if (is_sound) interface_drops_[interface] = std::max(interface_drops_[interface], drops);
  }

  static std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
  }

  // Calls take(code, value) for each; false when they run over the end of the block. A list may end without
  // saying so.
  template <typename Take>
  static bool for_each_option(OrderedReader& reader, Take take) {
    while (reader.ok() && reader.remaining() >= 4) {
      const std::uint16_t code = reader.u16();
      const std::uint16_t length = reader.u16();
      if (code == kEndOfOptions) return reader.ok();
      const Bytes value = reader.bytes(padded(length));
      if (!reader.ok()) return false;
      take(code, value.first(length));
    }
    return reader.ok();
  }

  std::expected<std::optional<CapturedPacket>, CaptureError> packet() {
    OrderedReader reader = body();
    CapturedPacket packet;
    std::size_t interface = 0;
    if (type_ == kEnhancedPacket) {
      interface = reader.u32();
    } else if (type_ == kObsoletePacket) {
      interface = reader.u16();
      constexpr std::uint16_t kNotKnown = 0xffff;
      const std::uint16_t drops = reader.u16();
      if (drops != kNotKnown) packet_drops_ = sum(packet_drops_, drops);
    }
    const std::size_t known = interfaces_.size() - first_interface_;
    if (interface >= known)
      return refuse(start_, fmt::format("a packet is of interface {}, of {} that its section has described",
                                        interface, known));
    packet.interface = static_cast<std::uint32_t>(first_interface_ + interface);
    const CaptureInterface& described = interfaces_[packet.interface];
    std::uint32_t captured = 0;
    if (type_ == kSimplePacket) {
      // It has no time: that of the packet before it is the best there is.
      packet.time = last_time_;
      packet.original_length = reader.u32();
      captured = described.snap_length == 0 ? packet.original_length
                                            : std::min(packet.original_length, described.snap_length);
    } else {
      const std::uint64_t high = reader.u32();
      const auto time = scales_[packet.interface].time(high << 32U | reader.u32());
      if (!time) return refuse(start_, "the time of a packet is not between the years 1824 and 2116");
      packet.time = last_time_ = *time;
      captured = reader.u32();
      packet.original_length = reader.u32();
    }
    if (captured > kMaxPacket)
      return refuse(start_, fmt::format("a packet of {} octets, more than {}; the file is damaged here",
                                        captured, kMaxPacket));
    packet.octets = reader.bytes(captured);
    reader.skip(padded(captured) - captured);
    if (!reader.ok())
      return refuse(start_, fmt::format("a packet of {} octets is longer than its block", captured));
    packet.original_length = std::max(packet.original_length, captured);
    packet.link_type = described.link_type;
    packet.is_outgoing = cooked_direction(packet.link_type, packet.octets);
    if (type_ != kSimplePacket &&
        !for_each_option(reader, [&](std::uint16_t code, Bytes value) { take_option(packet, code, value); }))
      return refuse(start_, "an option of a packet runs over the end of its block");
    packet.number = ++packets_;
    return packet;
  }

  void take_option(CapturedPacket& packet, std::uint16_t code, Bytes value) {
    if (code == kComment) {
      packet.comments.emplace_back(reinterpret_cast<const char*>(value.data()), value.size());
    } else if (code == kPacketFlags && value.size() == 4) {
      const std::uint32_t direction = OrderedReader(value, is_big_endian_).u32() & 3U;
      if (direction == kInbound || direction == kOutbound) packet.is_outgoing = direction == kOutbound;
    } else if (code == kPacketDrops && type_ == kEnhancedPacket && value.size() == 8) {
      packet_drops_ = sum(packet_drops_, OrderedReader(value, is_big_endian_).u64());
    }
  }

  std::uint64_t start_ = 0;  // of the block at hand
  std::uint32_t type_ = 0;
  std::vector<std::uint8_t> body_;
  bool is_big_endian_ = false;
  std::size_t first_interface_ = 0;             // of this section
  std::vector<TickScale> scales_;               // one for each of interfaces_
  std::vector<std::uint64_t> interface_drops_;  // the same
  std::uint64_t packet_drops_ = 0;
  std::uint64_t packets_ = 0;
  Duration last_time_{};
};

}  // namespace

std::expected<std::unique_ptr<CaptureSource>, CaptureError> open_pcapng(InputFile file) {
  auto source = std::make_unique<PcapngSource>(std::move(file));
  if (auto begun = source->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return source;
}

}  // namespace transom::drivers
