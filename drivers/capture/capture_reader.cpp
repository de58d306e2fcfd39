#include "drivers/capture/capture_reader.h"

#include <fmt/format.h>

#include <limits>

#include "drivers/capture/capture_source.h"

namespace transom::drivers {

namespace {
constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();  // it could not be opened
}  // namespace

std::string to_string(const CaptureError& error) {
  if (error.offset == kNowhere) return error.message;
  return fmt::format("{}, at octet {}", error.message, error.offset);
}

std::optional<bool> CaptureSource::cooked_direction(LinkType type, Bytes octets) {
  constexpr std::uint8_t kOutgoing = 4;  // of <linux/if_packet.h>: PACKET_OUTGOING
  const std::size_t offset = type == LinkType::kLinuxSll ? 1 : 10;
  if ((type != LinkType::kLinuxSll && type != LinkType::kLinuxSll2) || octets.size() <= offset)
    return std::nullopt;
  return octets[offset] == kOutgoing;
}

CaptureReader::CaptureReader(std::unique_ptr<CaptureSource> source) : source_(std::move(source)) {}
CaptureReader::CaptureReader(CaptureReader&&) noexcept = default;
CaptureReader& CaptureReader::operator=(CaptureReader&&) noexcept = default;
CaptureReader::~CaptureReader() = default;

std::expected<CaptureReader, CaptureError> CaptureReader::read(InputFile file) {
  const Bytes magic = file.peek(4);
  if (magic.size() < 4) {
    const std::string& trouble = file.trouble();
    return std::unexpected(CaptureError{
        trouble.empty() ? "no capture: it ends before it has said what it is" : trouble, magic.size()});
  }
  const std::uint32_t value = std::uint32_t{magic[0]} << 24U | std::uint32_t{magic[1]} << 16U |
                              std::uint32_t{magic[2]} << 8U | magic[3];
  if (magic[0] == '{') return CaptureReader(open_json_trace(std::move(file)));
  constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
  auto source = value == kSectionHeader ? open_pcapng(std::move(file)) : open_pcap(std::move(file));
  if (!source) return std::unexpected(std::move(source.error()));
  return CaptureReader(std::move(*source));
}

std::expected<CaptureReader, CaptureError> CaptureReader::open(const std::string& path) {
  auto file = InputFile::open(path);
  if (!file) return std::unexpected(CaptureError{file.error(), kNowhere});
  return read(std::move(*file));
}

std::expected<CaptureReader, CaptureError> CaptureReader::of(Bytes file) { return read(InputFile::of(file)); }

std::expected<std::optional<CapturedPacket>, CaptureError> CaptureReader::next() { return source_->next(); }
const std::vector<CaptureInterface>& CaptureReader::interfaces() const { return source_->interfaces(); }
CaptureFormat CaptureReader::format() const { return source_->format(); }
std::uint64_t CaptureReader::dropped() const { return source_->dropped(); }
void CaptureReader::keep_other_blocks(OtherBlockHandler handler) {
  source_->keep_other_blocks(std::move(handler));
}

}  // namespace transom::drivers
