#include "socket_api/packetdrill/door.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "socket_api/option_value.h"

namespace transom::sockets {

namespace {

// 2026-01-01 00:00 UTC: the clock is the same in every run.
constexpr Instant kStart = Instant(std::chrono::seconds(1'767'225'600));
// When nothing happens for so long, no packet will come.
constexpr Duration kHorizon = std::chrono::minutes(10);
// What a recent kernel gives for TCP_INFO, and more than the headers of many systems know of.
constexpr std::size_t kTcpInfoSize = 280;

StackConfig stack_config(const Settings& settings) {
  StackConfig config;
  config.seed = seed_from_number(settings.seed);
  config.start = kStart;
  // The memory of a process under packetdrill is locked: it must stay small.
  constexpr std::size_t kFrames = 1 << 14;
  constexpr std::size_t kSuperFrames = 1 << 10;
  config.buffers = {.frames = kFrames, .super_frames = kSuperFrames};
  return config;
}

}  // namespace

Door::Door(Settings settings)
    : settings_(std::move(settings)), sysctls_(settings_.sysctl_file), stack_(make_stack()) {}

std::unique_ptr<Stack> Door::make_stack() {
  StackConfig config = stack_config(settings_);
  config.loop = [this](Pump& pump) {
    auto loop = std::make_unique<VirtualLoop>(pump, kStart);
    loop_ = loop.get();
    return loop;
  };
  auto stack = std::make_unique<Stack>(config);
  set_up_interface(*stack);
  return stack;
}

void Door::set_up_interface(Stack& stack) {
  auto device = std::make_unique<ScriptDevice>(settings_.mtu);
  device_ = device.get();
  InterfaceOptions options{.link_local = false};
  options.conflict_detection.enabled = false;
  const InterfaceId interface = stack.add_device(std::move(device), options);
  for (const IpPrefix& address : settings_.addresses) (void)stack.add_address(interface, address);
  for (const IpAddress& gateway : settings_.gateways)
    (void)stack.add_route({IpAddress::any(gateway.family()), 0}, gateway, interface);
  // Whatever is said of gateways: there is one peer, and it is the way to everywhere.
  constexpr std::uint32_t kLast = 1000;
  for (const IpFamily family : {IpFamily::kIpv4, IpFamily::kIpv6})
    (void)stack.add_route({IpAddress::any(family), 0}, std::nullopt, interface, kLast);
}

void Door::settle() {
  const int error = errno;
  EventLoop::Lock lock = loop_->lock();
  loop_->settle_debts(lock);
  errno = error;
}

// ---------------------------------------------------------------- knobs

void Door::read_sysctls() {
  const std::lock_guard guard(settings_mutex_);
  for (const SysctlFile::Line& line : sysctls_.read_new()) {
    const auto is_known = set_sysctl(settings_.knobs, line.name, line.value);
    if (!is_known) {
      fmt::print(stderr, "transom: sysctl {}\n", is_known.error());
    } else if (!*is_known) {
      fmt::print(stderr, "transom: sysctl {} is no knob of this stack: ignored\n", line.name);
    }
  }
  Session session(*stack_.owned);
  const Knobs& knobs = settings_.knobs;
  tcp::Config& config = session.host().tcp().config();
  config.timestamps = knobs.timestamps != 0;
  config.sack = knobs.sack != 0;
  config.window_scaling = knobs.window_scaling != 0;
  config.ecn = static_cast<tcp::EcnMode>(knobs.ecn);
  config.syn_cookies = knobs.syn_cookies != 0;
  const auto has_bit = [&knobs](long bit) { return (knobs.fast_open & bit) != 0; };
  config.fast_open.client = has_bit(1);
  config.fast_open.server = has_bit(2);
  config.fast_open.client_without_cookie = has_bit(4);
  config.fast_open.server_without_cookie = has_bit(0x200);
  config.fast_open.all_listeners = has_bit(0x400);
  if (knobs.fast_open_key) session.host().tcp().set_fast_open_keys({.current = *knobs.fast_open_key});
  if (knobs.fin_timeout >= 0) config.fin_wait_2_timeout = std::chrono::seconds(knobs.fin_timeout);
  if (knobs.min_rto_us >= 0) config.min_rto = std::chrono::microseconds(knobs.min_rto_us);
}

// What Linux takes from a sysctl when a socket is made.
void Door::prepare_socket(int number, int type) {
  const std::lock_guard guard(settings_mutex_);
  const Knobs& knobs = settings_.knobs;
  const auto set = [&](int level, int name, long value) {
    if (value < 0) return;
    const int narrow = static_cast<int>(value);
    (void)transom_setsockopt(&stack_, number, level, name, &narrow, sizeof narrow);
  };
  set(IPPROTO_IP, IP_TTL, knobs.ttl);
  set(SOL_SOCKET, SO_RCVBUF, knobs.receive_buffer);
  set(SOL_SOCKET, SO_SNDBUF, knobs.send_buffer);
  constexpr int kTypeMask = 0xf;
  if ((type & kTypeMask) != SOCK_STREAM) return;
  set(IPPROTO_TCP, TCP_SYNCNT, knobs.syn_retries);
  set(IPPROTO_TCP, TCP_KEEPIDLE, knobs.keepalive_time);
  set(IPPROTO_TCP, TCP_KEEPINTVL, knobs.keepalive_interval);
  set(IPPROTO_TCP, TCP_KEEPCNT, knobs.keepalive_probes);
  set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, knobs.not_sent_low_water);
  const std::string& congestion = knobs.congestion;
  if (transom_setsockopt(&stack_, number, IPPROTO_TCP, TCP_CONGESTION, congestion.data(),
                         static_cast<socklen_t>(congestion.size())) != 0)
    fmt::print(stderr, "transom: there is no congestion control '{}'\n", congestion);
}

// ---------------------------------------------------------------- descriptors

int Door::give_descriptor(int number) {
  std::optional<int> replaced;
  const int descriptor = placeholders_.add(number, replaced);
  if (replaced) (void)transom_close(&stack_, *replaced);
  if (descriptor < 0) (void)transom_close(&stack_, number);
  return descriptor;
}

int Door::socket(int domain, int type, int protocol) {
  read_sysctls();
  const int number = transom_socket(&stack_, domain, type, protocol);
  if (number < 0) return -1;
  prepare_socket(number, type);
  return give_descriptor(number);
}

int Door::accept(int fd, sockaddr* address, socklen_t* length) {
  const std::optional<int> listener = placeholders_.find(fd);
  if (!listener) return static_cast<int>(syscall(SYS_accept, fd, address, length));
  const int number = transom_accept(&stack_, *listener, address, length);
  return number < 0 ? -1 : give_descriptor(number);
}

int Door::close(int fd) {
  const std::optional<int> number = placeholders_.remove(fd);
  if (!number) return static_cast<int>(syscall(SYS_close, fd));
  const int result = transom_close(&stack_, *number);
  settle();
  return result;
}

int Door::listen(int fd, int backlog) {
  read_sysctls();
  return call(
      fd, [&](auto* stack, int number) { return transom_listen(stack, number, backlog); },
      [&] { return ::listen(fd, backlog); });
}

int Door::connect(int fd, const sockaddr* address, socklen_t length) {
  read_sysctls();
  return call(
      fd, [&](auto* stack, int number) { return transom_connect(stack, number, address, length); },
      [&] { return ::connect(fd, address, length); });
}

// ---------------------------------------------------------------- options

// sock_meminfo of Linux: nine numbers, of which a user of this stack would find these useful.
int Door::get_memory_info(int number, void* value, socklen_t* length) {
  enum { kReceiveQueue, kReceiveBuffer, kSendQueue, kSendBuffer, kForwardAllocated, kQueued };
  std::array<std::uint32_t, 9> words{};
  const auto option = [&](int name) {
    int answer = 0;
    socklen_t size = sizeof answer;
    (void)transom_getsockopt(&stack_, number, SOL_SOCKET, name, &answer, &size);
    return static_cast<std::uint32_t>(answer);
  };
  const auto query = [&](unsigned long request) {
    int answer = 0;
    return transom_ioctl(&stack_, number, request, &answer) == 0 ? static_cast<std::uint32_t>(answer) : 0U;
  };
  words[kReceiveQueue] = query(FIONREAD);
  words[kReceiveBuffer] = option(SO_RCVBUF);
  words[kSendQueue] = words[kQueued] = query(TIOCOUTQ);
  words[kSendBuffer] = option(SO_SNDBUF);
  *length =
      static_cast<socklen_t>(write_option(MutableBytes(static_cast<std::uint8_t*>(value), *length), words));
  return 0;
}

int Door::getsockopt(int fd, int level, int name, void* value, socklen_t* length) {
  const std::optional<int> number = placeholders_.find(fd);
  if (!number) return static_cast<int>(syscall(SYS_getsockopt, fd, level, name, value, length));
  if (value == nullptr || length == nullptr) {
    errno = EFAULT;
    return -1;
  }
  if (level == SOL_SOCKET && name == SO_MEMINFO) return get_memory_info(*number, value, length);
  if (level == IPPROTO_TCP && name == TCP_CC_INFO) {
    *length = 0;
    return 0;
  }
  if (level != IPPROTO_TCP || name != TCP_INFO)
    return transom_getsockopt(&stack_, *number, level, name, value, length);
  std::array<std::uint8_t, kTcpInfoSize> info{};
  socklen_t size = info.size();
  if (transom_getsockopt(&stack_, *number, level, name, info.data(), &size) != 0) return -1;
  *length =
      static_cast<socklen_t>(write_option(MutableBytes(static_cast<std::uint8_t*>(value), *length), info));
  return 0;
}

// ---------------------------------------------------------------- poll

int Door::poll(pollfd* entries, nfds_t count, int milliseconds) {
  std::vector<pollfd> ours;  // with the numbers of the stack; -1, which is skipped, for the kernel's
  int ready = 0;
  for (pollfd& entry : std::span(entries, count)) {
    const std::optional<int> number = placeholders_.find(entry.fd);
    ours.push_back({.fd = number.value_or(-1), .events = entry.events, .revents = 0});
    if (!number) ready += ::poll(&entry, 1, 0) > 0 ? 1 : 0;
  }
  const int more = transom_poll(&stack_, ours.data(), ours.size(), ready > 0 ? 0 : milliseconds);
  if (more < 0) return -1;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].fd >= 0) entries[i].revents = ours[i].revents;
  }
  return ready + more;
}

// ---------------------------------------------------------------- packets and time

void Door::netdev_send(Bytes packet) {
  read_sysctls();
  EventLoop::Lock lock = loop_->lock();
  device_->arrive(packet);
  loop_->run_devices();
  loop_->settle_debts(lock);
}

std::optional<ScriptDevice::Sent> Door::netdev_receive() {
  EventLoop::Lock lock = loop_->lock();
  loop_->settle_debts(lock);
  const Instant limit = loop_->now() + kHorizon;
  while (device_->sent().empty()) {
    if (!loop_->run_next(lock, limit)) return std::nullopt;
  }
  ScriptDevice::Sent first = std::move(device_->sent().front());
  device_->sent().pop_front();
  return first;
}

void Door::sleep(Duration duration) {
  loop_->let_threads_finish();
  EventLoop::Lock lock = loop_->lock();
  loop_->run_until(lock, loop_->now() + duration);
}

Instant Door::look_at_clock() {
  EventLoop::Lock lock = loop_->lock();
  return loop_->look(lock);
}

}  // namespace transom::sockets
