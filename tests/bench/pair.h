// Two Hosts in one process, for benchmarks: what the code costs without a device.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace transom {

// Two Hosts whose queues are joined. Time goes on by a microsecond with each exchange.
class Pair {
 public:
  static constexpr std::size_t kChunk = 128 * 1024;  // octets, as iperf3
  static constexpr std::uint16_t kServerPorts =
      64;  // each has room for some 28,000 connections of one client

  explicit Pair(bool offload, std::size_t idle_connections = 0) {
    left_ = make(1, offload);
    right_ = make(2, offload);
    visit(*right_, [&] {
      for (std::uint16_t i = 0; i < kServerPorts; ++i) {
        tcp::PortHold hold = right_->tcp().bind({.local = server(i)}).value();
        listeners_.push_back(right_->tcp().listen(hold, 1024, {}).value());
      }
    });
    for (std::size_t i = 0; i <= idle_connections; ++i) open_one();
  }

  // Moves kChunk octets from left to right.
  void move() {
    std::size_t sent = 0, received = 0;
    while (received < kChunk) {
      visit(*left_, [&] {
        const Bytes piece(out_.data() + sent, kChunk - sent);
        if (sent < kChunk) sent += sender_->send({&piece, 1}).value_or(0);
      });
      exchange();
      visit(*right_, [&] { received += receiver_->receive(MutableBytes(in_)).value_or(0); });
      exchange();
    }
  }
  void open_one() {
    visit(*left_, [&] {
      tcp::PortHold hold;
      sender_ = left_->tcp().connect(hold, server(next_server_), {}).value();
    });
    receiver_ = nullptr;
    while (receiver_ == nullptr) {
      exchange();
      visit(*right_, [&] { receiver_ = listeners_[next_server_]->accept().value_or(nullptr); });
    }
    exchange();
    next_server_ = static_cast<std::uint16_t>((next_server_ + 1) % kServerPorts);
  }
  // One octet there, one back.
  void ask() {
    transfer(*left_, *sender_, *right_, *receiver_);
    transfer(*right_, *receiver_, *left_, *sender_);
  }
  // The latest connection, from both ends, the left one first.
  void close_one() {
    visit(*left_, [&] { sender_->close(); });
    exchange();
    visit(*right_, [&] { receiver_->close(); });
    exchange();
    sender_ = receiver_ = nullptr;
  }
  // The left end thinks better of it before it gets the answer: the right one keeps a half-open connection.
  void leave_half_open() {
    tcp::Connection* leaving = nullptr;
    visit(*left_, [&] {
      tcp::PortHold hold;
      leaving = left_->tcp().connect(hold, server(next_server_), {}).value();
    });
    right_->receive(kWire, left_->transmit_queue(kWire), now_);
    while (right_->transmit_queue(kWire).pop()) {
    }
    visit(*left_, [&] { leaving->abort(); });
    next_server_ = static_cast<std::uint16_t>((next_server_ + 1) % kServerPorts);
  }
  std::size_t half_open() const { return right_->tcp().half_open_count(); }
  std::size_t time_waits() const { return left_->tcp().time_wait_count(); }
  std::uint64_t segments() const { return left_->counters()[Counter::kTcpOutSegs]; }

 private:
  std::unique_ptr<Host> make(std::uint8_t number, bool offload) {
    HostConfig config;
    config.seed = seed_from_number(number);
    config.start = now_;
    config.tcp.max_half_open = 1 << 17;
    auto host = std::make_unique<Host>(pool_, config);
    link::InterfaceConfig interface;
    interface.name = "eth0";
    interface.mac = MacAddress({2, 0, 0, 0, 0, number});
    interface.mtu = 1500;
    if (offload) interface.offloads = {.checksum = true, .segment_ipv4 = true, .segment_ipv6 = true};
    interface.conflict_detection.enabled = false;
    interface.transmit_limit = 1 << 16;
    (void)host->add_address(host->add_interface(interface), {IpAddress::v4(10, 0, 0, number), 24});
    return host;
  }
  template <typename Call>
  void visit(Host& host, Call call) {
    host.enter(now_);
    call();
    host.leave();
  }
  void exchange() {
    now_ += std::chrono::microseconds(1);
    for (int quiet = 0; quiet < 2;) {
      PacketQueue& forth = left_->transmit_queue(kWire);
      PacketQueue& back = right_->transmit_queue(kWire);
      quiet = forth.empty() && back.empty() ? quiet + 1 : 0;
      if (!forth.empty()) right_->receive(kWire, forth, now_);
      if (!back.empty()) left_->receive(kWire, back, now_);
      if (quiet == 1) {
        left_->advance(now_);
        right_->advance(now_);
      }
    }
  }

  void transfer(Host& from, tcp::Connection& source, Host& to, tcp::Connection& destination) {
    visit(from, [&] {
      const Bytes piece(out_.data(), 1);
      (void)source.send({&piece, 1});
    });
    exchange();
    visit(to, [&] { (void)destination.receive(MutableBytes(in_).first(1)); });
  }
  static Endpoint server(std::uint16_t number) {
    return {IpAddress::v4(10, 0, 0, 2), static_cast<Port>(80 + number)};
  }

  static constexpr InterfaceId kWire{2};
  BufferPool pool_;
  Instant now_ = Instant(std::chrono::seconds(1));
  std::unique_ptr<Host> left_, right_;
  std::vector<tcp::Listener*> listeners_;
  std::uint16_t next_server_ = 0;
  tcp::Connection* sender_ = nullptr;
  tcp::Connection* receiver_ = nullptr;
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kChunk, 'x');
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(kChunk);
};

}  // namespace transom
