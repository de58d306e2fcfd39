#include "drivers/pair_device.h"

#include <deque>

namespace transom::drivers {

namespace {

// One direction.
class Wire {
 public:
  explicit Wire(std::size_t limit) : limit_(limit) {}

  bool is_full() const { return frames_.size() >= limit_; }
  void put(Packet frame, Instant arrival) {
    // Who the frame is for is decided by its receiver; the checksum's state crosses with it, as through a
    // virtual device.
    frame.info().link_broadcast = false;
    frame.info().link_multicast = false;
    frames_.push(std::move(frame));
    arrivals_.push_back(arrival);
  }
  Packet take(Instant now) {
    if (arrivals_.empty() || arrivals_.front() > now) return {};
    arrivals_.pop_front();
    return frames_.pop();
  }
  Instant next_arrival() const { return arrivals_.empty() ? kNever : arrivals_.front(); }
  void cut() {
    limit_ = 0;
    frames_.clear();
    arrivals_.clear();
  }

 private:
  std::size_t limit_;
  PacketQueue frames_;
  std::deque<Instant> arrivals_;
};

class WireDevice final : public Device {
 public:
  WireDevice(DeviceProperties properties, Duration delay, std::shared_ptr<Wire> in, std::shared_ptr<Wire> out)
      : properties_(std::move(properties)), delay_(delay), in_(std::move(in)), out_(std::move(out)) {}
  // Frames must not outlive the pool in the other end's wire, and nobody will read what is sent here any
  // more.
  ~WireDevice() override {
    in_->cut();
    out_->cut();
  }
  WireDevice(const WireDevice&) = delete;
  WireDevice& operator=(const WireDevice&) = delete;

  DeviceProperties properties() const override { return properties_; }

  std::size_t receive(BufferPool&, PacketQueue& frames, std::size_t limit, Instant now) override {
    std::size_t count = 0;
    while (count < limit) {
      Packet frame = in_->take(now);
      if (!frame) break;
      frames.push(std::move(frame));
      ++count;
    }
    statistics_.received += count;
    return count;
  }

  void transmit(PacketQueue& frames, Instant now) override {
    while (!frames.empty() && !out_->is_full()) {
      out_->put(frames.pop(), now + delay_);
      ++statistics_.transmitted;
    }
  }

  Instant next_deadline() const override { return in_->next_arrival(); }
  DeviceStatistics statistics() const override { return statistics_; }

 private:
  DeviceProperties properties_;
  Duration delay_;
  std::shared_ptr<Wire> in_;
  std::shared_ptr<Wire> out_;
  DeviceStatistics statistics_;
};

DeviceProperties properties_of(const PairOptions& options, std::uint8_t end) {
  DeviceProperties properties;
  properties.type = options.type;
  properties.name = options.name + std::to_string(end);
  properties.mac = MacAddress({0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(end + 1)});
  properties.mtu = options.mtu;
  properties.offloads = options.offloads;
  return properties;
}

}  // namespace

std::pair<std::unique_ptr<Device>, std::unique_ptr<Device>> make_pair(const PairOptions& options) {
  auto forth = std::make_shared<Wire>(options.queue_limit);
  auto back = std::make_shared<Wire>(options.queue_limit);
  return {std::make_unique<WireDevice>(properties_of(options, 0), options.delay, back, forth),
          std::make_unique<WireDevice>(properties_of(options, 1), options.delay, forth, back)};
}

std::unique_ptr<Device> make_loopback(const PairOptions& options) {
  auto wire = std::make_shared<Wire>(options.queue_limit);
  return std::make_unique<WireDevice>(properties_of(options, 0), options.delay, wire, wire);
}

}  // namespace transom::drivers
