// What a CaptureReader reads with: one implementation for each format of file.
#pragma once

#include <utility>

#include "drivers/capture/capture_reader.h"
#include "drivers/capture/input_file.h"

namespace transom::drivers {

class CaptureSource {
 public:
  // Octets of one packet: as much as libpcap takes (MAXIMUM_SNAPLEN). A file that claims more is refused.
  static constexpr std::uint32_t kMaxPacket = 262144;

  virtual ~CaptureSource() = default;
  virtual std::expected<std::optional<CapturedPacket>, CaptureError> next() = 0;
  virtual CaptureFormat format() const = 0;

  virtual std::uint64_t dropped() const { return 0; }

  const std::vector<CaptureInterface>& interfaces() const { return interfaces_; }
  void keep_other_blocks(OtherBlockHandler handler) { other_block_ = std::move(handler); }

 protected:
  explicit CaptureSource(InputFile file) : file_(std::move(file)) {}

  // What is wrong at `offset`; what the file itself had trouble with is the better reason.
  std::unexpected<CaptureError> refuse(std::uint64_t offset, std::string reason) const {
    if (!file_.trouble().empty()) return std::unexpected(CaptureError{file_.trouble(), file_.position()});
    return std::unexpected(CaptureError{std::move(reason), offset});
  }
  // Cooked headers tell the direction themselves (packet_type of LINKTYPE_LINUX_SLL and _SLL2).
  static std::optional<bool> cooked_direction(LinkType type, Bytes octets);

  InputFile file_;
  std::vector<CaptureInterface> interfaces_;
  OtherBlockHandler other_block_;
};

// The file is at its beginning, which has said what it is.
std::expected<std::unique_ptr<CaptureSource>, CaptureError> open_pcap(InputFile file);
std::expected<std::unique_ptr<CaptureSource>, CaptureError> open_pcapng(InputFile file);
std::unique_ptr<CaptureSource> open_json_trace(InputFile file);

}  // namespace transom::drivers
