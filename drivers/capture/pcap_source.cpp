// The classic format (draft-ietf-opsawg-pcap):
//
//   magic 4 | major 2 | minor 2 | zone 4 | accuracy 4 | snap length 4 | link type 4
//   then for each packet:  seconds 4 | fraction 4 | captured 4 | original 4 | octets
#include <array>

#include <fmt/format.h>

#include "drivers/capture/capture_source.h"
#include "drivers/capture/ordered_reader.h"

namespace transom::drivers {

namespace {

constexpr std::size_t kFileHeader = 24;
constexpr std::size_t kPacketHeader = 16;
constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;

class PcapSource final : public CaptureSource {
 public:
  explicit PcapSource(InputFile file) : CaptureSource(std::move(file)) {}

  std::expected<void, CaptureError> begin() {
    std::array<std::uint8_t, kFileHeader> octets{};
    const std::size_t got = file_.read(octets);
    const std::uint32_t magic = wire::Reader(octets).u32();
    is_big_endian_ = magic == kMicroseconds || magic == kNanoseconds;
    OrderedReader header(octets, is_big_endian_);
    const std::uint32_t kind = header.u32();
    if (kind != kMicroseconds && kind != kNanoseconds)
      return refuse(0, fmt::format("neither pcap nor pcapng: it begins with 0x{:08x}; other formats are "
                                   "turned into pcapng by editcap",
                                   magic));
    if (got < octets.size()) return refuse(got, "the file ends in its header");
    is_nanoseconds_ = kind == kNanoseconds;
    const std::uint16_t major = header.u16(), minor = header.u16();
    if (major != 2 || minor != 4)
      return refuse(4, fmt::format("version {}.{} of pcap is not known; tcpdump -r FILE -w NEW writes 2.4",
                                   major, minor));
    header.skip(8);
    CaptureInterface interface;
    interface.snap_length = header.u32();
    // The upper half tells of frame check sequences.
    interface.link_type = LinkType{static_cast<std::uint16_t>(header.u32())};
    interfaces_.push_back(interface);
    return {};
  }

  std::expected<std::optional<CapturedPacket>, CaptureError> next() override {
    const std::uint64_t start = file_.position();
    std::array<std::uint8_t, kPacketHeader> octets{};
    const std::size_t got = file_.read(octets);
    if (got == 0 && file_.trouble().empty()) return std::nullopt;
    if (got < octets.size()) return refuse(start, "the file ends in the header of a packet");
    OrderedReader header(octets, is_big_endian_);
    CapturedPacket packet;
    packet.time = std::chrono::seconds(header.u32());
    packet.time += Duration(std::int64_t{header.u32()} * (is_nanoseconds_ ? 1 : 1000));
    const std::uint32_t captured = header.u32();
    packet.original_length = std::max(header.u32(), captured);
    if (captured > kMaxPacket)
      return refuse(start, fmt::format("a packet of {} octets is said to follow, more than {}; the file is "
                                       "damaged here",
                                       captured, kMaxPacket));
    if (octets_.size() < captured) octets_.resize(captured);
    const std::size_t kept = file_.read(MutableBytes(octets_).first(captured));
    if (kept < captured)
      return refuse(start,
                    fmt::format("the file ends in a packet: {} of its {} octets are there", kept, captured));
    packet.number = ++packets_;
    packet.link_type = interfaces_.front().link_type;
    packet.octets = Bytes(octets_).first(captured);
    packet.is_outgoing = cooked_direction(packet.link_type, packet.octets);
    return packet;
  }

  CaptureFormat format() const override {
    return is_nanoseconds_ ? CaptureFormat::kPcapNanoseconds : CaptureFormat::kPcapMicroseconds;
  }

 private:
  bool is_big_endian_ = false;
  bool is_nanoseconds_ = false;
  std::uint64_t packets_ = 0;
  std::vector<std::uint8_t> octets_;  // of the packet that was handed out last; kMaxPacket at most
};

}  // namespace

std::expected<std::unique_ptr<CaptureSource>, CaptureError> open_pcap(InputFile file) {
  auto source = std::make_unique<PcapSource>(std::move(file));
  if (auto begun = source->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return source;
}

}  // namespace transom::drivers
