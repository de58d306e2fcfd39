// A device over one end of an AF_UNIX socketpair: two stacks in one process, each with its own pool and
// threads, joined by something that has a descriptor to poll, as a TAP device has.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <utility>

#include "drivers/device.h"
#include "drivers/file_descriptor.h"

namespace transom::sockets {

class DatagramSocketDevice final : public drivers::Device {
 public:
  DatagramSocketDevice(drivers::FileDescriptor descriptor, std::uint8_t end)
      : descriptor_(std::move(descriptor)), end_(end) {}

  // Called by whoever has received frames.
  void on_receive(std::function<void()> observer) { observer_ = std::move(observer); }

  static std::pair<std::unique_ptr<Device>, std::unique_ptr<Device>> make_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
    return {std::make_unique<DatagramSocketDevice>(drivers::FileDescriptor(ends[0]), 1),
            std::make_unique<DatagramSocketDevice>(drivers::FileDescriptor(ends[1]), 2)};
  }

  drivers::DeviceProperties properties() const override {
    return {.type = link::LinkType::kEthernet,
            .name = "wire0",
            .mac = MacAddress({2, 0, 0, 0, 0, end_}),
            .mtu = 1500,
            .offloads = {}};
  }

  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant) override {
    std::array<std::uint8_t, 2000> octets;
    std::size_t count = 0;
    for (; count < limit; ++count) {
      const ssize_t size = recv(descriptor_.get(), octets.data(), octets.size(), 0);
      if (size <= 0) break;
      if (Packet frame = pool.copy_of(Bytes(octets).first(static_cast<std::size_t>(size))))
        frames.push(std::move(frame));
    }
    if (count > 0 && observer_) observer_();
    return count;
  }

  void transmit(PacketQueue& frames, Instant) override {
    std::array<std::uint8_t, 2000> octets;
    while (Packet frame = frames.pop()) {
      const std::size_t size = frame.size();
      if (size > octets.size() || !frame.copy_out(0, MutableBytes(octets).first(size))) continue;
      if (send(descriptor_.get(), octets.data(), size, MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
        frames.push_front(std::move(frame));
        return;
      }
    }
  }

  int descriptor() const override { return descriptor_.get(); }

 private:
  drivers::FileDescriptor descriptor_;
  std::uint8_t end_;
  std::function<void()> observer_;
};

}  // namespace transom::sockets
