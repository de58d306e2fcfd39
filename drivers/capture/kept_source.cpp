// Packets in memory, read as a capture is.
#include "drivers/capture/capture_source.h"
#include "drivers/capture/kept_packet.h"

namespace transom::drivers {

namespace {

class KeptSource final : public CaptureSource {
 public:
  explicit KeptSource(std::span<const KeptPacket> packets)
      : CaptureSource(InputFile::of({})), packets_(packets) {
    // The packets name few interfaces, but they may name any.
    constexpr std::uint32_t kMost = 65536;
    for (const KeptPacket& kept : packets) {
      const CapturedPacket& packet = kept.packet();
      if (packet.interface >= kMost) continue;
      if (packet.interface >= interfaces_.size()) interfaces_.resize(packet.interface + 1);
      interfaces_[packet.interface].link_type = packet.link_type;
    }
  }

  std::expected<std::optional<CapturedPacket>, CaptureError> next() override {
    if (next_ == packets_.size()) return std::nullopt;
    return packets_[next_++].packet();
  }
  CaptureFormat format() const override { return CaptureFormat::kPcapng; }

 private:
  std::span<const KeptPacket> packets_;
  std::size_t next_ = 0;
};

}  // namespace

CaptureReader CaptureReader::of(std::span<const KeptPacket> packets) {
  return CaptureReader(std::make_unique<KeptSource>(packets));
}

}  // namespace transom::drivers
