#include "drivers/tap_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "drivers/pieces.h"
#include "drivers/spare_buffers.h"
#include "drivers/vnet_header.h"
#include "drivers/write_ring.h"

namespace transom::drivers {

namespace {

constexpr std::uint32_t kUsualMtu = 1500;

// The interface was deleted under an open descriptor.
bool is_gone(int error) { return error == EBADFD || error == EBADF || error == ENODEV; }

class TapDevice final : public Device {
 public:
  struct Setup {
    std::string name;
    bool tun = false;
    bool vnet_header = false;  // every frame has a VnetHeader in front
    bool offload = false;      // the kernel gives and takes partial checksums and super-frames
    MacAddress mac;
  };

  TapDevice(FileDescriptor descriptor, Setup setup)
      : descriptor_(std::move(descriptor)), setup_(std::move(setup)) {}

  DeviceProperties properties() const override;
  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override;
  void transmit(PacketQueue& frames, Instant now) override;
  int descriptor() const override { return descriptor_.get(); }
  DeviceStatistics statistics() const override { return statistics_; }
  const DeviceError* failure() const override { return failure_ ? &*failure_ : nullptr; }

 private:
  enum class Read : std::uint8_t { kFrame, kDropped, kNothing };
  enum class Write : std::uint8_t { kDone, kFull };

  link::LinkType type() const {
    return setup_.tun ? link::LinkType::kPointToPoint : link::LinkType::kEthernet;
  }
  Read read_frame(BufferPool& pool, Packet& frame);
  // A frame as it is written: in front of it what is left to the kernel.
  struct Written {
    VnetHeader header{};
    FramePieces pieces;
    std::size_t prepended = 0;  // octets of the header that the frame has in front of its own
  };
  std::size_t header_size() const { return setup_.vnet_header ? sizeof(VnetHeader) : 0; }
  bool reads_on() const;
  bool lay_out(Packet& frame, Written& written);
  Write conclude(int error);
  Write write_frame(Packet& frame);
  Write write_frames(PacketQueue& frames);
  void fail(int error);

  FileDescriptor descriptor_;
  Setup setup_;
  DeviceStatistics statistics_;
  std::optional<DeviceError> failure_;
  SpareBuffers spares_;
  // There may be frames that the head has no room for: super-frames, or those of a large MTU. Should the MTU
  // grow later, the first of them tells, and is lost.
  bool has_long_frames_ = setup_.offload || link_mtu(setup_.name).value_or(0) > kUsualMtu;
  std::unique_ptr<WriteRing> ring_ = WriteRing::open();
  std::uint32_t lone_frames_ = 0;  // calls of receive() in a row that found one frame alone
};

DeviceProperties TapDevice::properties() const {
  DeviceProperties properties;
  properties.type = type();
  properties.name = setup_.name;
  properties.mac = setup_.mac;
  if (const auto mtu = link_mtu(setup_.name))
    properties.mtu = *mtu;  // asked each time: the user may change it
  properties.offloads = {
      .checksum = setup_.offload, .segment_ipv4 = setup_.offload, .segment_ipv6 = setup_.offload};
  return properties;
}

void TapDevice::fail(int error) {
  failure_ = DeviceError{
      fmt::format("{} is gone: {}; start again to make a new one", setup_.name, std::strerror(error)), error};
  descriptor_.reset();
}

TapDevice::Read TapDevice::read_frame(BufferPool& pool, Packet& frame) {
  frame = pool.allocate();
  if (!frame) return Read::kNothing;  // frames wait in the kernel's bounded queue until memory is free
  if (has_long_frames_) spares_.refill(pool);

  // The offload header goes in front of the frame, into its head room: each piece costs.
  frame.prepend(header_size());
  frame.append(frame.tail_room());
  const auto spares = spares_.room();
  const std::array<iovec, 3> pieces{piece(frame.head()), piece(spares[0]), piece(spares[1])};
  ssize_t got = 0;
  do {
    got = readv(descriptor_.get(), pieces.data(), has_long_frames_ ? static_cast<int>(pieces.size()) : 1);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN) return Read::kNothing;
    if (is_gone(errno)) {
      fail(errno);
      return Read::kNothing;
    }
    return Read::kDropped;  // EINVAL: a kind of super-frame that the offload header has no name for
  }

  const std::size_t room = frame.size() + spares_.size();
  const auto octets = static_cast<std::size_t>(got);
  // The kernel cuts silently what does not fit, so that a read which fills everything may have lost its end.
  const bool is_cut = octets >= room;
  has_long_frames_ |= is_cut;
  if (is_cut || octets < header_size()) return Read::kDropped;
  if (!spares_.take(frame, octets)) return Read::kDropped;
  if (setup_.vnet_header) {
    VnetHeader header{};
    std::memcpy(&header, frame.head().data(), sizeof header);
    frame.trim_front(sizeof header);
    if (!apply_vnet_header(header, type(), frame)) return Read::kDropped;
  }
  return Read::kFrame;
}

// To read where nothing is costs as much as to read a frame. Who asks and is answered gets frames one by one:
// then it is left to poll() to tell of another, with a look now and then.
bool TapDevice::reads_on() const { return lone_frames_ < 4 || lone_frames_ % 16 == 0; }

std::size_t TapDevice::receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant) {
  std::size_t count = 0;
  std::size_t octets = 0;
  for (std::size_t reads = 0; reads < limit && octets < kBatchOctets && descriptor_; ++reads) {
    if (count == 1 && !reads_on()) {
      ++lone_frames_;
      return count;
    }
    Packet frame;
    switch (read_frame(pool, frame)) {
      case Read::kNothing:
        if (count == 1) ++lone_frames_;
        return count;
      case Read::kDropped:
        ++statistics_.receive_drops;
        break;
      case Read::kFrame:
        ++statistics_.received;
        octets += frame.size();
        frames.push(std::move(frame));
        if (++count > 1) lone_frames_ = 0;
        break;
    }
  }
  return count;
}

// False when there is no such frame for the kernel.
bool TapDevice::lay_out(Packet& frame, Written& written) {
  written.pieces.count = 0;
  written.prepended = 0;
  if (setup_.vnet_header) {
    if (!make_vnet_header(frame, type(), written.header)) {
      ++statistics_.transmit_drops;
      return false;
    }
    if (frame.head_room() >= sizeof written.header) {
      std::memcpy(frame.prepend(sizeof written.header).data(), &written.header, sizeof written.header);
      written.prepended = sizeof written.header;
    } else {
      written.pieces.add({&written.header, sizeof written.header});
    }
  }
  written.pieces.add(frame);
  return true;
}

// `error`: errno, 0 for none.
TapDevice::Write TapDevice::conclude(int error) {
  if (error == 0) {
    ++statistics_.transmitted;
    return Write::kDone;
  }
  if (error == EAGAIN) return Write::kFull;
  // EIO: the interface is down. EINVAL: not a frame. ENOMEM, ENOBUFS: as good as lost on the wire. None of
  // them gets better by sending the same frame again.
  if (is_gone(error)) fail(error);
  ++statistics_.transmit_drops;
  return Write::kDone;
}

// A frame that finds the device full is as it was.
TapDevice::Write TapDevice::write_frame(Packet& frame) {
  Written written;
  if (!lay_out(frame, written)) return Write::kDone;
  ssize_t octets = 0;
  do {
    octets = writev(descriptor_.get(), written.pieces.all.data(), static_cast<int>(written.pieces.count));
  } while (octets < 0 && errno == EINTR);
  const Write result = conclude(octets < 0 ? errno : 0);
  if (result == Write::kFull) frame.trim_front(written.prepended);
  return result;
}

// As many as the ring takes at once.
TapDevice::Write TapDevice::write_frames(PacketQueue& frames) {
  std::array<Packet, WriteRing::kMaxWrites> batch;
  std::array<Written, WriteRing::kMaxWrites> written;
  std::array<WriteRing::Write, WriteRing::kMaxWrites> writes;
  std::size_t count = 0;
  while (count < batch.size() && !frames.empty()) {
    batch[count] = frames.pop();
    if (!lay_out(batch[count], written[count])) continue;
    writes[count].pieces = std::span(written[count].pieces.all).first(written[count].pieces.count);
    ++count;
  }
  if (!ring_->write(descriptor_.get(), std::span(writes).first(count))) ring_.reset();
  std::size_t left = 0;  // what found the device full
  for (std::size_t i = 0; i < count; ++i) {
    if (conclude(std::max(-writes[i].result, 0)) != Write::kFull) continue;
    batch[i].trim_front(written[i].prepended);
    batch[left++] = std::move(batch[i]);
  }
  for (std::size_t i = left; i > 0; --i) frames.push_front(std::move(batch[i - 1]));
  return left == 0 ? Write::kDone : Write::kFull;
}

void TapDevice::transmit(PacketQueue& frames, Instant) {
  constexpr std::size_t kWorthTheRing = 4;
  while (!frames.empty() && descriptor_) {
    if (ring_ && frames.size() >= kWorthTheRing) {
      if (write_frames(frames) == Write::kFull && ring_) return;
      continue;
    }
    Packet frame = frames.pop();
    if (write_frame(frame) == Write::kFull) {
      frames.push_front(std::move(frame));
      return;
    }
  }
  if (descriptor_) return;
  statistics_.transmit_drops += frames.size();  // the device is gone
  frames.clear();
}

// ---------------------------------------------------------------- opening

std::unexpected<DeviceError> cannot(const std::string& what, int error, const std::string& advice) {
  return std::unexpected(
      DeviceError{fmt::format("cannot {}: {}; {}", what, std::strerror(error), advice), error});
}

constexpr const char* kNoPermission =
    "run as root, or without --tap so that a private namespace is used; `transom doctor` tells what this "
    "machine allows";

std::unexpected<DeviceError> cannot_open(int error) {
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    return cannot("open /dev/net/tun", error,
                  "load the driver with `modprobe tun`, or give the container /dev/net/tun; `transom doctor` "
                  "tells more");
  }
  return cannot("open /dev/net/tun", error, kNoPermission);
}

std::unexpected<DeviceError> cannot_attach(const TapOptions& options, int error) {
  const char* const kind = options.tun ? "tun" : "tap";
  if (error == EBUSY) {
    return std::unexpected(DeviceError{
        fmt::format("{} is in use by another process; choose another --{} name", options.name, kind), error});
  }
  const std::string what =
      fmt::format("use {} as a {} device", options.name.empty() ? "a new interface" : options.name, kind);
  if (error == EINVAL) {
    return cannot(
        what, error,
        fmt::format(
            "an interface of another kind has this name, or it is not a legal one; choose another --{} name",
            kind));
  }
  return cannot(what, error, kNoPermission);
}

// True when the kernel will hand over partial checksums and TCP super-frames.
bool request_offloads(int descriptor) {
  // Older kernels know no TUN_F_TSO_ECN: they cut super-frames with CWR themselves.
  constexpr unsigned long kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  return ioctl(descriptor, TUNSETOFFLOAD, kTcp | TUN_F_TSO_ECN) == 0 ||
         ioctl(descriptor, TUNSETOFFLOAD, kTcp) == 0;
}

}  // namespace

std::expected<std::unique_ptr<Device>, DeviceError> open_tap(const TapOptions& options) {
  ifreq request{};
  if (options.name.size() >= sizeof request.ifr_name) {
    return std::unexpected(
        DeviceError{fmt::format("'{}' is too long for an interface name; use at most {} characters",
                                options.name, IFNAMSIZ - 1),
                    EINVAL});
  }
  FileDescriptor descriptor(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor) return cannot_open(errno);

  std::memcpy(request.ifr_name, options.name.data(), options.name.size());
  unsigned features = 0;
  const bool known = ioctl(descriptor.get(), TUNGETFEATURES, &features) == 0;
  const bool vnet_header = options.offload && known && (features & IFF_VNET_HDR) != 0;
  request.ifr_flags =
      static_cast<short>((options.tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | (vnet_header ? IFF_VNET_HDR : 0));
  if (ioctl(descriptor.get(), TUNSETIFF, &request) != 0) return cannot_attach(options, errno);

  TapDevice::Setup setup{
      .name = request.ifr_name, .tun = options.tun, .vnet_header = vnet_header, .offload = false, .mac = {}};
  if (vnet_header) {
    // A persistent device remembers what its last user has set.
    int header_size = sizeof(VnetHeader);
    if (ioctl(descriptor.get(), TUNSETVNETHDRSZ, &header_size) != 0) {
      return cannot(fmt::format("set the offload header size of {}", setup.name), errno,
                    "choose another --tap name");
    }
    setup.offload = request_offloads(descriptor.get());
  } else {
    ioctl(descriptor.get(), TUNSETOFFLOAD, 0UL);  // refused where there is nothing to turn off
  }
  if (options.mtu) {
    if (auto set = set_link_mtu(setup.name, *options.mtu); !set) return std::unexpected(set.error());
  }
  if (!options.tun) {
    const auto mac = link_mac(setup.name);
    if (!mac) return std::unexpected(mac.error());
    setup.mac = derived_mac(*mac);
  }
  return std::make_unique<TapDevice>(std::move(descriptor), std::move(setup));
}

}  // namespace transom::drivers
