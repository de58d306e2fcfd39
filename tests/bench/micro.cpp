// Without a device: what one core does when it drives both ends of a connection, and the parts of the packet
// path by themselves. Payload is copied in and out, as the sockets do.
//
//   build/release/bin/micro [--benchmark_filter=RE]
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "stack/base/keyed_table.h"
#include "stack/base/timer_wheel.h"
#include "stack/tcp/reassembly_queue.h"
#include "stack/tcp/secrets.h"
#include "stack/wire/checksum.h"
#include "tests/bench/pair.h"

namespace transom {
namespace {

void bulk(benchmark::State& state, bool offload, std::size_t idle_connections) {
  // The same for all rounds of one benchmark: to open a million takes seconds.
  static std::unique_ptr<Pair> kept;
  static std::pair<bool, std::size_t> kept_for;
  if (!kept || kept_for != std::pair(offload, idle_connections)) {
    kept.reset();
    kept = std::make_unique<Pair>(offload, idle_connections);
    kept_for = {offload, idle_connections};
    for (int i = 0; i < 100; ++i) kept->move();  // the buffers grow to what they need
  }
  Pair& pair = *kept;
  const std::uint64_t before = pair.segments();
  for (auto _ : state) pair.move();
  const auto octets = static_cast<double>(state.iterations()) * Pair::kChunk;
  state.counters["Gbit/s"] = benchmark::Counter(octets * 8 / 1e9, benchmark::Counter::kIsRate);
  state.counters["segments/s"] =
      benchmark::Counter(static_cast<double>(pair.segments() - before), benchmark::Counter::kIsRate);
}

void BulkMtu1500(benchmark::State& state) { bulk(state, false, static_cast<std::size_t>(state.range(0))); }
void BulkSuperFrames(benchmark::State& state) { bulk(state, true, static_cast<std::size_t>(state.range(0))); }
BENCHMARK(BulkMtu1500)->ArgName("others")->Arg(0)->Arg(1000)->Arg(100000)->Arg(1000000);
BENCHMARK(BulkSuperFrames)->ArgName("others")->Arg(0)->Arg(1000)->Arg(100000)->Arg(1000000);

// Octets that the program has from the allocator, its own share included.
std::size_t allocated() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

// Connections that are opened and stay idle: how fast, and what an end of one takes, tables and all.
void IdleConnections(benchmark::State& state) {
  for (auto _ : state) {
    const std::size_t before = allocated();
    const auto start = std::chrono::steady_clock::now();
    Pair pair(true, static_cast<std::size_t>(state.range(0)) - 1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const std::size_t after = allocated();
    state.SetIterationTime(took.count());
    state.counters["octets/end"] =
        static_cast<double>(after - before) / (2 * static_cast<double>(state.range(0)));
    state.counters["connections/s"] = static_cast<double>(state.range(0)) / took.count();
  }
}
BENCHMARK(IdleConnections)
    ->ArgName("open")
    ->Arg(10000)
    ->Arg(100000)
    ->Arg(1000000)
    ->UseManualTime()
    ->Iterations(1);

// What is less than a connection: what a record takes, its place in the table and the allocator's share
// included.
template <typename MakeOne>
void records(benchmark::State& state, MakeOne make_one, std::size_t (Pair::*count)() const) {
  for (auto _ : state) {
    Pair pair(true);
    for (int i = 0; i < 64; ++i) make_one(pair);  // what the first ones make is not theirs alone
    const std::size_t before = allocated();
    const std::size_t records_before = (pair.*count)();
    for (std::int64_t i = 0; i < state.range(0); ++i) make_one(pair);
    const std::size_t after = allocated();
    state.counters["octets/record"] =
        static_cast<double>(after - before) / static_cast<double>((pair.*count)() - records_before);
  }
}
void TimeWaitRecords(benchmark::State& state) {
  const auto open_and_close = [](Pair& pair) {
    pair.open_one();
    pair.close_one();
  };
  records(state, open_and_close, &Pair::time_waits);
}
void HalfOpenRecords(benchmark::State& state) {
  records(state, [](Pair& pair) { pair.leave_half_open(); }, &Pair::half_open);
}
BENCHMARK(TimeWaitRecords)->ArgName("records")->Arg(1000)->Arg(10000)->Arg(100000)->Iterations(1);
BENCHMARK(HalfOpenRecords)->ArgName("records")->Arg(1000)->Arg(10000)->Arg(60000)->Iterations(1);

void Checksum(benchmark::State& state) {
  const std::vector<std::uint8_t> octets(static_cast<std::size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(wire::checksum(octets));
  state.counters["Gbit/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(octets.size()) * 8 / 1e9,
      benchmark::Counter::kIsRate);
}
BENCHMARK(Checksum)->ArgName("octets")->Arg(20)->Arg(1460)->Arg(65536);

// To which of so many connections a segment belongs, in no order.
void Demultiplexing(benchmark::State& state) {
  struct Found {
    tcp::FourTuple tuple;
  };
  struct TupleOf {
    using Key = tcp::FourTuple;
    static const tcp::FourTuple& key(const Found& found) { return found.tuple; }
    static std::uint64_t hash(const SipKey& key, const tcp::FourTuple& tuple) {
      return tcp::hash_tuple(key, tuple);
    }
  };
  std::vector<Found> connections(static_cast<std::size_t>(state.range(0)));
  KeyedTable<Found, TupleOf> table(SipKey{1, 2});
  for (std::size_t i = 0; i < connections.size(); ++i) {
    const auto host = static_cast<std::uint8_t>(i >> 16);
    connections[i].tuple = {{IpAddress::v4(10, 0, 0, 1), Port{80}},
                            {IpAddress::v4(10, 1, 0, host), Port{static_cast<std::uint16_t>(i)}}};
    table.insert(connections[i]);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.find(connections[next].tuple));
    next = (next + 7919) % connections.size();
  }
}
BENCHMARK(Demultiplexing)->ArgName("connections")->Arg(1)->Arg(1000)->Arg(100000)->Arg(1000000);

// Segments of which every second is late: so many holes, which are then filled from the front.
void Reassembly(benchmark::State& state) {
  constexpr std::uint32_t kOctets = 1460;
  const auto holes = static_cast<std::uint32_t>(state.range(0));
  BufferPool pool;
  tcp::ReassemblyQueue queue;
  const auto arrive = [&](std::uint32_t number) {
    Packet packet = pool.allocate();
    packet.append(kOctets);
    queue.insert(pool, SeqNum(number * kOctets), tcp::Payload(std::move(packet)), UINT32_MAX);
  };
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < holes; ++i) arrive(2 * i + 1);
    for (std::uint32_t i = 0; i < holes; ++i) arrive(2 * i);
    benchmark::DoNotOptimize(queue.take_contiguous(SeqNum(0)));
  }
  state.counters["segments/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 2 * holes, benchmark::Counter::kIsRate);
}
BENCHMARK(Reassembly)->ArgName("holes")->Arg(1)->Arg(32)->Arg(500);

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
