#include "tests/support/two_hosts.h"

#include <algorithm>

namespace transom::test {

TwoHosts::TwoHosts(Options options) : options_(std::move(options)) {
  const auto make = [&](std::uint64_t number, IpAddress address, const char* address6) {
    HostConfig config = options_.config;
    config.seed = seed_from_number(options_.seed * 2 + number);
    config.start = now_;
    auto host = std::make_unique<Host>(pool_, config);
    link::InterfaceConfig interface;
    interface.name = "eth0";
    interface.mac = MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(number + 1)});
    interface.mtu = options_.mtu;
    interface.offloads = options_.offloads;
    interface.conflict_detection.enabled = false;
    interface.transmit_limit = 1 << 16;
    const InterfaceId id = host->add_interface(interface);
    (void)host->add_address(id, {address, 24});
    (void)host->add_address(id, {*IpAddress::parse(address6), 64});
    return host;
  };
  left_ = make(0, kLeft, "fd00::1");
  right_ = make(1, kRight, "fd00::2");
}

void TwoHosts::collect(Host& from, std::deque<InFlight>& cable) {
  PacketQueue& queue = from.transmit_queue(wire_);
  while (Packet frame = queue.pop()) {
    const auto mix = [this](Bytes bytes) {
      for (const std::uint8_t octet : bytes) hash_ = (hash_ ^ octet) * 1099511628211ULL;
    };
    mix(frame.head().first(std::min<std::size_t>(frame.head().size(), 96)));  // all headers
    hash_ = (hash_ ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ frame.size()) *
            1099511628211ULL;
    ++frames_;
    if (options_.lose && options_.lose(frame)) continue;
    cable.push_back({now_ + options_.delay, std::move(frame)});
  }
}

void TwoHosts::deliver(std::deque<InFlight>& cable, Host& to) {
  PacketQueue arrived;
  while (!cable.empty() && cable.front().arrival <= now_) {
    arrived.push(std::move(cable.front().frame));
    cable.pop_front();
  }
  if (!arrived.empty()) to.receive(wire_, arrived, now_);
}

bool TwoHosts::run(const std::function<bool()>& until, Duration limit) {
  const Instant end = now_ + limit;
  for (;;) {
    collect(*left_, to_right_);
    collect(*right_, to_left_);
    if (until()) return true;
    Instant next = std::min(left_->next_deadline(), right_->next_deadline());
    if (!to_left_.empty()) next = std::min(next, to_left_.front().arrival);
    if (!to_right_.empty()) next = std::min(next, to_right_.front().arrival);
    if (next > end) return false;
    now_ = std::max(now_, next);
    deliver(to_right_, *right_);
    deliver(to_left_, *left_);
    left_->advance(now_);
    right_->advance(now_);
  }
}

}  // namespace transom::test
