#include "drivers/capture_device.h"

#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "drivers/capture/capture_writer.h"
#include "drivers/frame_layout.h"
#include "stack/link/segmentation.h"

namespace transom::drivers {

namespace {

// How long a frame may stay in the file's buffer.
constexpr Duration kFlushInterval = std::chrono::milliseconds(100);

// A packet with the same octets: the head is copied, the tail referenced. Empty when out of buffers.
Packet share(const Packet& packet) {
  Packet shared = packet.pool().copy_of(packet.head());
  if (!shared) return {};
  shared.info() = packet.info();
  for (const Slice& slice : packet.tail()) shared.append_slice(slice);
  return shared;
}

// The file. Complains once, then keeps quiet.
class CaptureFile {
 public:
  CaptureFile(CaptureOptions options, CaptureWriter writer, link::LinkType type)
      : options_(std::move(options)), writer_(std::move(writer)) {
    const bool is_ethernet = type == link::LinkType::kEthernet;
    writer_.add_interface({.name = {},
                           .link_type = is_ethernet ? LinkType::kEthernet : LinkType::kRaw,
                           .snap_length = options_.snap_length});
    packet_.link_type = is_ethernet ? LinkType::kEthernet : LinkType::kRaw;
  }
  ~CaptureFile() {
    if (const auto closed = writer_.close(); !closed) complain(closed.error(), kAdvice, EIO);
  }
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;

  void write(const Packet& frame, Instant now, bool is_outgoing) {
    scratch_.resize(std::min<std::size_t>(frame.size(), options_.snap_length));
    frame.copy_out(0, scratch_);
    ++packet_.number;
    packet_.time = options_.wall_clock(now);
    packet_.octets = scratch_;
    packet_.original_length = static_cast<std::uint32_t>(frame.size());
    packet_.is_outgoing = is_outgoing;
    if (const auto written = writer_.write(packet_); !written)
      complain(written.error(), "set the clock of this machine", EINVAL);
    if (flush_at_ == kNever) flush_at_ = now + kFlushInterval;
  }

  Instant flush_at() const { return flush_at_; }
  void flush() {
    flush_at_ = kNever;
    if (const auto flushed = writer_.flush(); !flushed) complain(flushed.error(), kAdvice, EIO);
  }

  void complain(const std::string& what, const std::string& advice, int error) {
    if (std::exchange(has_complained_, true) || !options_.on_error) return;
    options_.on_error(
        {fmt::format("the capture {} is incomplete from here on: {}; {}", options_.path, what, advice),
         error});
  }

 private:
  static constexpr const char* kAdvice = "make room on the disk and start again";

  CaptureOptions options_;
  CaptureWriter writer_;
  CapturedPacket packet_;
  std::vector<std::uint8_t> scratch_;
  Instant flush_at_ = kNever;
  bool has_complained_ = false;
};

class CaptureDevice final : public Device {
 public:
  CaptureDevice(std::unique_ptr<Device> device, std::unique_ptr<CaptureFile> file)
      : type_(device->properties().type), file_(std::move(file)), device_(std::move(device)) {}

  DeviceProperties properties() const override { return device_->properties(); }
  int descriptor() const override { return device_->descriptor(); }
  DeviceStatistics statistics() const override { return device_->statistics(); }
  const DeviceError* failure() const override { return device_->failure(); }
  Instant next_deadline() const override { return std::min(device_->next_deadline(), file_->flush_at()); }

  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override {
    PacketQueue arrived;
    const std::size_t count = device_->receive(pool, arrived, limit, now);
    while (!arrived.empty()) {
      Packet frame = arrived.pop();
      record(share(frame), now, false);
      frames.push(std::move(frame));
    }
    flush_if_due(now);
    return count;
  }

  // Which frames the device takes is known only afterwards, when they are gone. So references are kept of all
  // of them.
  void transmit(PacketQueue& frames, Instant now) override {
    PacketQueue offered;
    PacketQueue shared;
    offered.splice(frames);
    const std::size_t count = offered.size();
    while (!offered.empty()) {
      Packet frame = offered.pop();
      if (Packet copy = share(frame)) {
        shared.push(std::move(copy));
      } else {
        out_of_buffers();
      }
      frames.push(std::move(frame));
    }
    device_->transmit(frames, now);
    for (std::size_t taken = count - std::min(count, frames.size()); taken > 0 && !shared.empty(); --taken) {
      record(shared.pop(), now, true);
    }
    flush_if_due(now);
  }

 private:
  void record(Packet frame, Instant now, bool is_outgoing) {
    if (!frame) return out_of_buffers();
    const bool is_on_wire =
        frame.info().segment_size == 0 && frame.info().checksum != ChecksumState::kPartial;
    const auto ip_offset = ip_offset_of(frame.head(), type_);
    if (is_on_wire || !ip_offset) return file_->write(frame, now, is_outgoing);
    PacketQueue segments;
    BufferPool& pool = frame.pool();
    if (!link::segment(pool, std::move(frame), *ip_offset, true, segments)) return out_of_buffers();
    while (!segments.empty()) file_->write(segments.pop(), now, is_outgoing);
  }

  void out_of_buffers() {
    file_->complain("no packet buffer was free", "raise the limits of the buffer pool", ENOBUFS);
  }
  void flush_if_due(Instant now) {
    if (now >= file_->flush_at()) file_->flush();
  }

  link::LinkType type_;
  std::unique_ptr<CaptureFile> file_;
  std::unique_ptr<Device> device_;
};

}  // namespace

std::expected<std::unique_ptr<Device>, DeviceError> make_capture(std::unique_ptr<Device> device,
                                                                 CaptureOptions options) {
  auto writer = CaptureWriter::create(options.path);
  if (!writer) return std::unexpected(std::move(writer.error()));
  auto file =
      std::make_unique<CaptureFile>(std::move(options), std::move(*writer), device->properties().type);
  return std::make_unique<CaptureDevice>(std::move(device), std::move(file));
}

}  // namespace transom::drivers
