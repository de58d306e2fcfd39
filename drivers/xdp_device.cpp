#include "drivers/xdp_device.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "drivers/ethernet_interface.h"
#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "drivers/xdp_memory.h"

namespace transom::drivers {

namespace {

constexpr std::uint32_t kRing = XdpMemory::kFrames / 2;
constexpr std::size_t kLinkHeader = 18;  // octets, with a tag
constexpr Duration kKickInterval = std::chrono::milliseconds(1);
constexpr int kAttempts = 50;
constexpr Duration kBetweenAttempts = std::chrono::milliseconds(20);

class XdpDevice final : public Device {
 public:
  XdpDevice(std::string name, unsigned index, const MacAddress& mac, std::uint32_t frame_size)
      : name_(std::move(name)), index_(index), mac_(mac), frame_size_(frame_size) {}
  ~XdpDevice() override { close(); }

  // A negative errno, or 0.
  int open();

  DeviceProperties properties() const override;
  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override;
  void transmit(PacketQueue& frames, Instant now) override;
  int descriptor() const override { return socket_ == nullptr ? -1 : xsk_socket__fd(socket_); }
  Instant next_deadline() const override { return next_kick_; }
  DeviceStatistics statistics() const override;
  const DeviceError* failure() const override { return failure_ ? &*failure_ : nullptr; }

 private:
  void close();
  void kick(Instant now);
  void notice_end();

  std::string name_;
  unsigned index_;
  MacAddress mac_;
  std::uint32_t frame_size_;
  std::unique_ptr<XdpMemory> memory_;
  xsk_socket* socket_ = nullptr;
  xsk_ring_cons received_{};
  xsk_ring_prod to_send_{};
  Instant next_kick_ = kNever;  // the kernel has not taken all that is to be sent
  DeviceStatistics statistics_;
  std::optional<DeviceError> failure_;
};

int XdpDevice::open() {
  auto memory = XdpMemory::make(frame_size_);
  if (!memory) return memory.error();
  memory_ = std::move(*memory);
  const xsk_socket_config config{.rx_size = kRing,
                                 .tx_size = kRing,
                                 .libxdp_flags = 0,
                                 .xdp_flags = XDP_FLAGS_UPDATE_IF_NOEXIST,
                                 .bind_flags = XDP_COPY};
  const int error =
      xsk_socket__create(&socket_, name_.c_str(), 0, memory_->get(), &received_, &to_send_, &config);
  if (error != 0) {
    socket_ = nullptr;
    return error;
  }
  memory_->give_first_half();
  return 0;
}

void XdpDevice::close() {
  if (socket_ != nullptr) xsk_socket__delete(std::exchange(socket_, nullptr));
  memory_.reset();
  next_kick_ = kNever;
}

DeviceProperties XdpDevice::properties() const {
  DeviceProperties properties;
  properties.name = name_;
  properties.mac = mac_;
  const std::uint32_t most = static_cast<std::uint32_t>(XdpMemory::room(frame_size_) - kLinkHeader);
  properties.mtu = std::min(link_mtu(name_).value_or(most), most);
  return properties;
}

DeviceStatistics XdpDevice::statistics() const {
  DeviceStatistics all = statistics_;
  xdp_statistics lost{};
  socklen_t size = sizeof lost;
  if (socket_ != nullptr && getsockopt(descriptor(), SOL_XDP, XDP_STATISTICS, &lost, &size) == 0)
    all.receive_drops += lost.rx_dropped + lost.rx_ring_full;
  return all;
}

std::size_t XdpDevice::receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) {
  if (socket_ == nullptr) return 0;
  std::uint32_t index = 0;
  const std::uint32_t arrived = xsk_ring_cons__peek(
      &received_, static_cast<std::uint32_t>(std::min<std::size_t>(limit, kRing)), &index);
  std::uint32_t count = 0;
  for (; count < arrived; ++count) {
    const xdp_desc& frame = *xsk_ring_cons__rx_desc(&received_, index + count);
    Packet packet = pool.copy_of(memory_->at(frame.addr, frame.len));
    if (!packet) break;  // the rest waits in the ring until memory is free
    memory_->give(frame.addr);
    frames.push(std::move(packet));
  }
  xsk_ring_cons__cancel(&received_, arrived - count);
  xsk_ring_cons__release(&received_, count);
  statistics_.received += count;
  if (arrived == 0) notice_end();
  if (now >= next_kick_) kick(now);
  return count;
}

// Readable without a frame: the interface may be no more.
void XdpDevice::notice_end() {
  failure_ = end_of_interface(name_, index_);
  if (failure_) close();
}

// The kernel takes what is in the ring when it is told to, some 32 frames at a time.
void XdpDevice::kick(Instant now) {
  next_kick_ = kNever;
  for (std::uint32_t before = UINT32_MAX;;) {
    if (sendto(descriptor(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) return;
    if (errno == ENXIO || errno == ENODEV) return notice_end();
    memory_->reclaim_sent();
    const std::uint32_t left = kRing - xsk_prod_nb_free(&to_send_, kRing);
    if (errno != EAGAIN || left >= before) break;  // the interface is busy, or down
    before = left;
  }
  next_kick_ = now + kKickInterval;
}

void XdpDevice::transmit(PacketQueue& frames, Instant now) {
  std::uint32_t count = 0;
  if (socket_ != nullptr) memory_->reclaim_sent();
  while (!frames.empty() && socket_ != nullptr) {
    std::uint32_t index = 0;
    const auto place = memory_->take();
    if (!place) break;
    if (xsk_ring_prod__reserve(&to_send_, 1, &index) != 1) {
      memory_->put_back(*place);
      break;
    }
    const Packet frame = frames.pop();
    const std::size_t octets = std::min<std::size_t>(frame.size(), frame_size_);
    // A frame that is longer than the memory has room for is longer than the MTU that we told: it is cut, and
    // whoever gets it throws it away.
    frame.copy_out(0, memory_->at(*place, octets));
    *xsk_ring_prod__tx_desc(&to_send_, index) = {
        .addr = *place, .len = static_cast<std::uint32_t>(octets), .options = 0};
    ++count;
  }
  if (count > 0) xsk_ring_prod__submit(&to_send_, count);
  statistics_.transmitted += count;
  if (socket_ != nullptr && (count > 0 || now >= next_kick_)) kick(now);
  if (socket_ != nullptr) return;
  statistics_.transmit_drops += frames.size();  // the device is gone
  frames.clear();
}

// ---------------------------------------------------------------- opening

std::unexpected<DeviceError> unusable(const std::string& interface, const std::string& why,
                                      int error = EINVAL) {
  return std::unexpected(DeviceError{fmt::format("{} {}", interface, why), error});
}

std::string advice_for(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOBUFS:  // the memory may not be locked
      return "run as root, outside of user namespaces; --packet needs less";
    case EBUSY:
    case EEXIST:
      return "it has an XDP program already, or a socket on its queue; `ip link` shows it";
    default:
      return "the kernel or the driver of the interface has no AF_XDP; --packet needs less";
  }
}

// How many queues frames may arrive at. 1 where the driver does not say.
std::uint32_t receive_queues(const std::string& interface) {
  const FileDescriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(any.get(), SIOCETHTOOL, &request) != 0) return 1;
  return channels.combined_count + channels.rx_count;
}

}  // namespace

std::expected<std::unique_ptr<Device>, DeviceError> open_xdp(const XdpOptions& options) {
  const std::string& name = options.interface;
  const auto interface = find_ethernet_interface(name);
  if (!interface) return std::unexpected(interface.error());
  if (receive_queues(name) > 1)
    return unusable(name, fmt::format("has several queues; try: ethtool -L {} combined 1", name));
  const auto mtu = link_mtu(name);
  if (!mtu) return std::unexpected(mtu.error());
  const std::uint32_t frame_size = *mtu + kLinkHeader <= XdpMemory::room(2048) ? 2048 : 4096;
  if (*mtu + kLinkHeader > XdpMemory::room(frame_size))
    return unusable(name, fmt::format("has an MTU of {}; try: ip link set {} mtu 3500", *mtu, name));

  // What these libraries would print is said by the error.
  libbpf_set_print(nullptr);
  libxdp_set_print(nullptr);
  auto device =
      std::make_unique<XdpDevice>(name, interface->index, options.mac.value_or(interface->mac), frame_size);
  // The kernel gives the queue of a socket that was closed free a moment later.
  int error = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    error = -device->open();
    if (error != EBUSY) break;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
  if (error != 0) {
    return unusable(name,
                    fmt::format("cannot be used by AF_XDP: {}; {}", std::strerror(error), advice_for(error)),
                    error);
  }
  return device;
}

}  // namespace transom::drivers
