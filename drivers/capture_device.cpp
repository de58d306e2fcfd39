#include "drivers/capture_device.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <cerrno>
#include <cstring>
#include <vector>

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

// The pcap file. Complains once, then keeps quiet.
class CaptureFile {
 public:
  explicit CaptureFile(CaptureOptions options) : options_(std::move(options)) {}
  ~CaptureFile() { flush(); }
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;

  std::expected<void, DeviceError> open(link::LinkType type) {
    const int data_link = type == link::LinkType::kEthernet ? DLT_EN10MB : DLT_RAW;
    pcap_.reset(pcap_open_dead_with_tstamp_precision(data_link, static_cast<int>(options_.snap_length),
                                                     PCAP_TSTAMP_PRECISION_NANO));
    if (!pcap_) return std::unexpected(DeviceError{"cannot start a capture: out of memory", ENOMEM});
    errno = 0;
    dumper_.reset(pcap_dump_open(pcap_.get(), options_.path.c_str()));
    if (dumper_) return {};
    const int error = errno;
    return std::unexpected(DeviceError{
        fmt::format("cannot write the capture {}; choose a file in a directory that can be written to",
                    pcap_geterr(pcap_.get())),
        error});
  }

  void write(const Packet& frame, Instant now) {
    scratch_.resize(std::min<std::size_t>(frame.size(), options_.snap_length));
    frame.copy_out(0, scratch_);
    const Duration time = options_.wall_clock(now);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    pcap_pkthdr header{};
    header.ts.tv_sec = seconds.count();
    header.ts.tv_usec = (time - seconds).count();  // nanoseconds, as the file's precision says
    header.caplen = static_cast<bpf_u_int32>(scratch_.size());
    header.len = static_cast<bpf_u_int32>(frame.size());
    pcap_dump(reinterpret_cast<u_char*>(dumper_.get()), &header, scratch_.data());
    if (flush_at_ == kNever) flush_at_ = now + kFlushInterval;
  }

  Instant flush_at() const { return flush_at_; }
  void flush() {
    flush_at_ = kNever;
    if (!dumper_) return;
    errno = 0;
    // pcap_dump() itself does not say whether it wrote; the stream remembers.
    if (pcap_dump_flush(dumper_.get()) != 0 || std::ferror(pcap_dump_file(dumper_.get())) != 0) {
      complain(std::strerror(errno != 0 ? errno : EIO), "make room on the disk and start again", errno);
    }
  }

  void complain(const std::string& what, const std::string& advice, int error) {
    if (std::exchange(has_complained_, true) || !options_.on_error) return;
    options_.on_error(
        {fmt::format("the capture {} is incomplete from here on: {}; {}", options_.path, what, advice),
         error});
  }

 private:
  struct Close {
    void operator()(pcap_t* pcap) const { pcap_close(pcap); }
    void operator()(pcap_dumper_t* dumper) const { pcap_dump_close(dumper); }
  };

  CaptureOptions options_;
  std::unique_ptr<pcap_t, Close> pcap_;
  std::unique_ptr<pcap_dumper_t, Close> dumper_;
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
      record(share(frame), now);
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
      record(shared.pop(), now);
    }
    flush_if_due(now);
  }

 private:
  void record(Packet frame, Instant now) {
    if (!frame) return out_of_buffers();
    const bool is_on_wire =
        frame.info().segment_size == 0 && frame.info().checksum != ChecksumState::kPartial;
    const auto ip_offset = ip_offset_of(frame.head(), type_);
    if (is_on_wire || !ip_offset) return file_->write(frame, now);
    PacketQueue segments;
    BufferPool& pool = frame.pool();
    if (!link::segment(pool, std::move(frame), *ip_offset, true, segments)) return out_of_buffers();
    while (!segments.empty()) file_->write(segments.pop(), now);
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
  auto file = std::make_unique<CaptureFile>(std::move(options));
  if (auto opened = file->open(device->properties().type); !opened) return std::unexpected(opened.error());
  return std::make_unique<CaptureDevice>(std::move(device), std::move(file));
}

}  // namespace transom::drivers
