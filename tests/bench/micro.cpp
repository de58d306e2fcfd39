// Without a device: what one core does when it drives both ends of a connection, and the parts of the packet
// path by themselves. Payload is copied in and out, as the sockets do.
//
//   build/release/bin/micro [--benchmark_filter=RE]
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>

#include "stack/base/timer_wheel.h"
#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"
#include "stack/wire/checksum.h"

namespace transom {
namespace {

constexpr std::size_t kChunk = 128 * 1024;  // as iperf3

// Two Hosts whose queues are joined. Time goes on by a microsecond with each exchange.
class Pair {
 public:
  explicit Pair(bool offload, std::size_t idle_connections = 0) {
    left_ = make(1, offload);
    right_ = make(2, offload);
    visit(*right_, [&] {
      tcp::PortHold hold = right_->tcp().bind({.local = {IpAddress::v4(10, 0, 0, 2), Port{80}}}).value();
      listener_ = right_->tcp().listen(hold, 1024, {}).value();
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
  std::uint64_t segments() const { return left_->counters()[Counter::kTcpOutSegs]; }

 private:
  std::unique_ptr<Host> make(std::uint8_t number, bool offload) {
    HostConfig config;
    config.seed = seed_from_number(number);
    config.start = now_;
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
  void open_one() {
    visit(*left_, [&] {
      tcp::PortHold hold;
      sender_ = left_->tcp().connect(hold, {IpAddress::v4(10, 0, 0, 2), Port{80}}, {}).value();
    });
    receiver_ = nullptr;
    while (receiver_ == nullptr) {
      exchange();
      visit(*right_, [&] { receiver_ = listener_->accept().value_or(nullptr); });
    }
    exchange();
  }

  static constexpr InterfaceId kWire{2};
  BufferPool pool_;
  Instant now_ = Instant(std::chrono::seconds(1));
  std::unique_ptr<Host> left_, right_;
  tcp::Listener* listener_ = nullptr;
  tcp::Connection* sender_ = nullptr;
  tcp::Connection* receiver_ = nullptr;
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kChunk, 'x');
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(kChunk);
};

void bulk(benchmark::State& state, bool offload, std::size_t idle_connections) {
  Pair pair(offload, idle_connections);
  for (int i = 0; i < 100; ++i) pair.move();  // the buffers grow to what they need
  const std::uint64_t before = pair.segments();
  for (auto _ : state) pair.move();
  const auto octets = static_cast<double>(state.iterations()) * kChunk;
  state.counters["Gbit/s"] = benchmark::Counter(octets * 8 / 1e9, benchmark::Counter::kIsRate);
  state.counters["segments/s"] =
      benchmark::Counter(static_cast<double>(pair.segments() - before), benchmark::Counter::kIsRate);
}

void BulkMtu1500(benchmark::State& state) { bulk(state, false, static_cast<std::size_t>(state.range(0))); }
void BulkSuperFrames(benchmark::State& state) { bulk(state, true, static_cast<std::size_t>(state.range(0))); }
BENCHMARK(BulkMtu1500)->ArgName("others")->Arg(0)->Arg(1000)->Arg(20000);
BENCHMARK(BulkSuperFrames)->ArgName("others")->Arg(0)->Arg(1000)->Arg(20000);

void Checksum(benchmark::State& state) {
  const std::vector<std::uint8_t> octets(static_cast<std::size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(wire::checksum(octets));
  state.counters["Gbit/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(octets.size()) * 8 / 1e9,
      benchmark::Counter::kIsRate);
}
BENCHMARK(Checksum)->ArgName("octets")->Arg(20)->Arg(1460)->Arg(65536);

// Each of so many timers is moved, as the retransmission timer is with each acknowledgment.
void TimerMoves(benchmark::State& state) {
  TimerWheel wheel{Instant{}};
  int owner = 0;
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    timers.push_back(std::make_unique<Timer>([](void*) {}, &owner));
  std::mt19937_64 random(1);
  std::size_t next = 0;
  for (auto _ : state) {
    timers[next]->start(wheel, Instant(std::chrono::milliseconds(200 + random() % 1000)));
    next = (next + 7919) % timers.size();
  }
}
BENCHMARK(TimerMoves)->ArgName("timers")->Arg(10)->Arg(100000);

}  // namespace
}  // namespace transom

BENCHMARK_MAIN();
