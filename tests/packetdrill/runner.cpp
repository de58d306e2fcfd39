#include "tests/packetdrill/runner.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/times.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <list>

namespace packetdrill {

namespace {

// A thread that makes the calls that block, one at a time.
class SyscallThread {
 public:
  SyscallThread() : thread_([this] { serve(); }) {
    while (id_ == 0) std::this_thread::yield();
  }
  ~SyscallThread() {
    if (is_busy_) {  // it will never return, and the process ends soon
      thread_.detach();
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  SyscallThread(const SyscallThread&) = delete;
  SyscallThread& operator=(const SyscallThread&) = delete;

  bool is_busy() const { return is_busy_; }

  // Returns when `work` is done, or sleeps in the kernel.
  void start(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      work_ = std::move(work);
      is_busy_ = true;
      is_in_call_ = false;
    }
    changed_.notify_all();
    while (is_busy_ && !(is_in_call_ && state() == 'S')) ::usleep(100);
  }
  // Until it has returned, which needs no time of the stack any more.
  bool wait_for_return() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(1), [this] { return !is_busy_; });
  }

 private:
  char state() const {
    std::ifstream file(fmt::format("/proc/self/task/{}/stat", id_.load()));
    std::string line;
    std::getline(file, line);
    const std::size_t behind_name = line.rfind(')');
    return behind_name != std::string::npos && behind_name + 2 < line.size() ? line[behind_name + 2] : '?';
  }
  void serve() {
    id_ = gettid();
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return is_stopping_ || is_busy_; });
      if (is_stopping_) return;
      lock.unlock();
      is_in_call_ = true;
      work_();
      lock.lock();
      is_busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> work_;
  std::atomic<bool> is_busy_ = false;
  std::atomic<bool> is_in_call_ = false;
  bool is_stopping_ = false;
  std::atomic<pid_t> id_ = 0;
  std::thread thread_;
};

class Runner {
 public:
  Runner(const RunOptions& options, std::string script)
      : options_(options),
        script_(std::move(script)),
        network_(network_of(options)),
        calls_(table_, network_, options.ip_version == "ipv4-mapped-ipv6") {}

  void run() {
    const Script script = parse_script(script_, options_.ip_version);
    if (!script.ip_version.empty() && script.ip_version != options_.ip_version) return;
    load();
    start_clock();
    for (const Event& event : script.events) {
      line_ = event.line;
      try {
        run_event(event);
        check_blocking_call();
      } catch (const Failure& failure) {
        throw Failure(fmt::format("{}:{}: {}", script_, event.line, failure.what()));
      }
      before_ = event.time;
    }
    finish();
  }

 private:
  static Octets address_of(const std::string& text) {
    Octets octets(16);
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
    octets.resize(4);
    if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) return octets;
    throw Failure("'" + text + "' is no address");
  }
  static Network network_of(const RunOptions& options) {
    return {.is_v6 = options.ip_version == "ipv6",
            .local = address_of(options.local_ip),
            .remote = address_of(options.remote_ip)};
  }

  void load() {
    void* const object =
        dlopen(options_.so_filename.c_str(), RTLD_DEEPBIND | RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (object == nullptr) throw Failure(dlerror());
    const auto init =
        reinterpret_cast<decltype(&packetdrill_interface_init)>(dlsym(object, "packetdrill_interface_init"));
    if (init == nullptr) throw Failure(dlerror());
    std::memset(&table_, 0, sizeof table_);
    init(options_.so_flags.c_str(), &table_);
    void* members[sizeof table_ / sizeof(void*)];
    std::memcpy(members, &table_, sizeof table_);
    for (const void* member : members) {
      if (member == nullptr) throw Failure("a member of the table is missing");
    }
  }

  // --- time
  std::int64_t clock() const {
    timeval time{};
    table_.gettimeofday(table_.userdata, &time, nullptr);
    return time.tv_sec * 1'000'000L + time.tv_usec;
  }
  std::int64_t now() const { return clock() - start_; }

  void start_clock() {
    constexpr int kTicks = 10;
    constexpr std::int64_t kMargin = 250;
    struct tms unused{};
    clock_t last = times(&unused);
    for (int tick = 0; tick < kTicks;) {
      const clock_t time = times(&unused);
      if (time == last) continue;
      last = time;
      ++tick;
      start_ = clock() + kMargin;
    }
  }
  void wait_until(std::int64_t time) {
    constexpr std::int64_t kSpin = 20;
    while (true) {
      const std::int64_t left = time - now();
      if (left <= 0) return;
      if (left > kSpin && !is_first_) table_.usleep(table_.userdata, static_cast<useconds_t>(left - kSpin));
    }
  }
  // Whether something at live time `got` may be what the script has at `wanted`.
  void check_time(std::int64_t got, std::int64_t wanted, std::string_view what) const {
    const std::int64_t delta = std::abs(wanted - before_);
    const std::int64_t tolerance = std::max<std::int64_t>(4000, delta / 8);
    if (std::abs(got - wanted) > tolerance) {
      throw Failure(fmt::format("{} at {:.6f}, expected {:.6f}", what, static_cast<double>(got) / 1e6,
                                static_cast<double>(wanted) / 1e6));
    }
  }

  // --- events
  void run_event(const Event& event) {
    if (const auto* const packet = std::get_if<PacketSpec>(&event.what);
        packet != nullptr && !packet->is_inbound) {
      expect_packet(*packet, event);
      is_first_ = false;
      return;
    }
    wait_until(event.time);
    is_first_ = false;
    if (const auto* const packet = std::get_if<PacketSpec>(&event.what)) send_packet(*packet);
    if (const auto* const call = std::get_if<Call>(&event.what)) run_call(*call, event);
    if (const auto* const command = std::get_if<Command>(&event.what)) {
      if (::system(command->text.c_str()) != 0) throw Failure("the command failed");
    }
    if (const auto* const all = std::get_if<Assertions>(&event.what)) check(*all);
  }

  void run_call(const Call& call, const Event& event) {
    if (!event.end) return calls_.run(call, [] {});
    if (thread_.is_busy() && !thread_.wait_for_return()) throw Failure("a call is blocked already");
    check_blocking_call();
    blocking_failure_.clear();
    const std::int64_t end = *event.end;
    thread_.start([this, call, end, line = event.line] {
      std::int64_t stamp = 0;
      try {
        calls_.run(call, [&] { stamp = now(); });
        check_time(stamp, end, "it returned");
      } catch (const Failure& failure) {
        const std::lock_guard lock(failure_mutex_);
        blocking_failure_ = fmt::format("the call of line {}: {}", line, failure.what());
      }
    });
  }
  void check_blocking_call() {
    const std::lock_guard lock(failure_mutex_);
    if (!blocking_failure_.empty()) throw Failure(blocking_failure_);
  }

  // TCP_INFO by the C library's function, which the object has taken over when it is preloaded. Of the last
  // connection that was opened.
  void check(const Assertions& all) {
    const auto open = calls_.open();
    if (open.empty()) throw Failure("there is no socket to ask");
    tcp_info info{};
    constexpr socklen_t kWanted = 280;
    std::vector<std::uint8_t> octets(kWanted);
    socklen_t size = kWanted;
    if (::getsockopt(open.rbegin()->second, IPPROTO_TCP, TCP_INFO, octets.data(), &size) != 0)
      throw Failure("can't find getsockopt to get TCP info");
    if (size != kWanted) throw Failure(fmt::format("TCP_INFO has {} octets", size));
    std::memcpy(&info, octets.data(), std::min(sizeof info, octets.size()));
    for (const Assertion& one : all) {
      const long got = member(info, one.name);
      if (!holds(got, one.comparison, one.value))
        throw Failure(fmt::format("{} is {}, expected {} {}", one.name, got, one.comparison, one.value));
    }
  }
  static bool holds(long got, const std::string& comparison, long wanted) {
    if (comparison == "==") return got == wanted;
    if (comparison == "!=") return got != wanted;
    if (comparison == "<") return got < wanted;
    if (comparison == "<=") return got <= wanted;
    if (comparison == ">") return got > wanted;
    return got >= wanted;
  }
  static long member(const tcp_info& info, const std::string& name) {
    const std::map<std::string, long> members = {
        {"tcpi_state", info.tcpi_state},
        {"tcpi_ca_state", info.tcpi_ca_state},
        {"tcpi_retransmits", info.tcpi_retransmits},
        {"tcpi_backoff", info.tcpi_backoff},
        {"tcpi_options", info.tcpi_options},
        {"tcpi_snd_wscale", info.tcpi_snd_wscale},
        {"tcpi_rcv_wscale", info.tcpi_rcv_wscale},
        {"tcpi_rto", info.tcpi_rto},
        {"tcpi_snd_mss", info.tcpi_snd_mss},
        {"tcpi_rcv_mss", info.tcpi_rcv_mss},
        {"tcpi_unacked", info.tcpi_unacked},
        {"tcpi_sacked", info.tcpi_sacked},
        {"tcpi_lost", info.tcpi_lost},
        {"tcpi_rtt", info.tcpi_rtt},
        {"tcpi_snd_cwnd", info.tcpi_snd_cwnd},
        {"tcpi_snd_ssthresh", info.tcpi_snd_ssthresh},
        {"tcpi_total_retrans", info.tcpi_total_retrans},
        {"tcpi_bytes_acked", static_cast<long>(info.tcpi_bytes_acked)},
        {"tcpi_bytes_received", static_cast<long>(info.tcpi_bytes_received)},
        {"tcpi_notsent_bytes", info.tcpi_notsent_bytes}};
    const auto found = members.find(name);
    if (found == members.end()) throw Failure(fmt::format("{} is not known", name));
    return found->second;
  }

  // --- packets
  void deliver(const Octets& octets) {
    if (table_.netdev_send(table_.userdata, octets.data(), octets.size()) != 0)
      throw Failure("netdev_send() failed");
  }

  Flow& new_flow(Flow flow) { return flows_.emplace_back(std::move(flow)); }

  Flow& flow_for(const PacketSpec& packet) {
    if (packet.kind == PacketSpec::Kind::kUdp || packet.quotes_udp) {
      for (Flow& flow : flows_) {
        if (!flow.is_tcp) return flow;
      }
      return new_flow({.is_tcp = false, .local_port = calls_.udp_port().value_or(0), .remote_port = kPort});
    }
    const bool opens =
        packet.flags == "S" || packet.flags.starts_with("SE") || packet.flags.starts_with("SA");
    const bool continues = !flows_.empty() && (!flows_.back().is_passive || packet.sequence != 0) &&
                           !flows_.back().has_remote_syn;
    if (opens && packet.sequence == 0 && !continues) {
      constexpr std::uint16_t kFirstPort = 50000;
      return new_flow({.local_port = kPort,
                       .remote_port = static_cast<std::uint16_t>(kFirstPort + flows_.size()),
                       .is_passive = true});
    }
    for (auto flow = flows_.rbegin(); flow != flows_.rend(); ++flow) {
      if (flow->is_tcp) return *flow;
    }
    return new_flow({.local_port = kPort, .remote_port = kPort, .is_passive = true});
  }

  void send_packet(const PacketSpec& packet) {
    Flow& flow = flow_for(packet);
    if (packet.kind == PacketSpec::Kind::kUdp) return deliver(make_udp(network_, flow, packet));
    if (packet.kind == PacketSpec::Kind::kIcmp) return deliver(make_icmp(network_, flow, packet));
    flow.has_remote_syn |= packet.flags.starts_with("S");
    deliver(make_tcp(network_, flow, packet));
  }

  // The next packet of the stack that belongs to one of the flows, or begins one.
  std::pair<LivePacket, Flow*> receive(std::int64_t& time) {
    while (true) {
      Octets octets(65536);
      std::size_t size = octets.size();
      long long microseconds = 0;
      if (table_.netdev_receive(table_.userdata, octets.data(), &size, &microseconds) != 0)
        throw Failure("netdev_receive() failed, and packetdrill would call it for ever");
      octets.resize(size);
      time = microseconds - start_;
      LivePacket live = take_apart(octets);
      for (auto flow = flows_.rbegin(); flow != flows_.rend(); ++flow) {
        const bool is_same =
            flow->is_tcp == (live.protocol == IPPROTO_TCP) && flow->remote_port == live.remote_port;
        if (is_same && !flow->is_tcp) flow->local_port = live.local_port;
        if (is_same && flow->local_port == live.local_port) return {std::move(live), &*flow};
      }
      const bool begins = live.protocol == IPPROTO_UDP || (live.has('S') && !live.has('.'));
      if (!begins || live.remote_port != kPort) continue;
      Flow& flow = new_flow({.is_tcp = live.protocol == IPPROTO_TCP,
                             .local_port = live.local_port,
                             .remote_port = live.remote_port});
      return {std::move(live), &flow};
    }
  }

  void expect_packet(const PacketSpec& packet, const Event& event) {
    std::uint32_t received = 0;
    do {
      std::int64_t time = 0;
      auto [live, flow] = receive(time);
      if (options_.verbose)
        fmt::print("{:.6f} > {}\n", static_cast<double>(time) / 1e6, describe(live, *flow));
      std::string problem;
      if (packet.kind == PacketSpec::Kind::kUdp) {
        if (live.protocol != IPPROTO_UDP || live.payload != packet.length) problem = "another packet";
        if (packet.traffic_class && live.traffic_class != *packet.traffic_class)
          problem = "another traffic class";
        if (packet.ttl && live.ttl != *packet.ttl) problem = "another TTL";
      } else {
        problem = live.protocol != IPPROTO_TCP ? "not TCP" : compare_tcp(live, packet, *flow, received);
      }
      if (!problem.empty()) {
        throw Failure(fmt::format("{}: got {} at {:.6f}", problem, describe(live, *flow),
                                  static_cast<double>(time) / 1e6));
      }
      check_time(time, event.time, "the packet left");
      received += static_cast<std::uint32_t>(live.payload);
    } while (received < packet.length);
  }

  // --- the end
  void finish() {
    if (thread_.is_busy() && !thread_.wait_for_return())
      throw Failure(script_ + ": a call is still blocked at the end");
    check_blocking_call();
    for (const auto& [script, live] : calls_.open()) {
      if (::close(live) != 0)
        throw Failure(fmt::format("close: {}: descriptor {} of the script", strerror(errno), script));
    }
    for (Flow& flow : flows_) {
      if (!flow.is_tcp) continue;
      PacketSpec reset{.is_inbound = true, .flags = "R.", .sequence = flow.sent, .acknowledgment = 0};
      deliver(make_tcp(network_, flow, reset));
    }
    table_.free(table_.userdata);
  }

  const RunOptions& options_;
  const std::string script_;
  Network network_;
  packetdrill_interface table_{};
  Calls calls_;
  std::list<Flow> flows_;
  std::int64_t start_ = 0;
  std::int64_t before_ = 0;  // the time of the event before, in script time
  int line_ = 0;
  bool is_first_ = true;
  std::mutex failure_mutex_;
  std::string blocking_failure_;
  SyscallThread thread_;
};

}  // namespace

void run_script(const RunOptions& options, const std::string& script) { Runner(options, script).run(); }

}  // namespace packetdrill
