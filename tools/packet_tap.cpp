#include "tools/packet_tap.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "drivers/clock.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

constexpr std::size_t kMaxWatchers = 16;
constexpr std::size_t kMaxQueued = 8 << 20;  // octets, of each
constexpr std::size_t kEthernetHeader = 14;

drivers::FileDescriptor connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail(Exit::kUsage, "the path {} is too long", path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  drivers::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(Exit::kFailed, "the host cannot reach {}: {}", path, std::strerror(errno));
  return socket;
}

}  // namespace

// One who looks on, with the thread that writes to it.
class PacketTap::Watcher {
 public:
  Watcher(TapRequest request, drivers::FileDescriptor socket)
      : request_(std::move(request)), socket_(std::move(socket)), offset_(drivers::wall_clock_offset()) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { write_all(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Watcher() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    shutdown(socket_.get(), SHUT_RDWR);
    there_is_more_.notify_all();
    thread_.join();
  }

  bool is_over() {
    const std::lock_guard lock(mutex_);
    return is_over_;
  }

  void take(Instant time, const PacketEvent& event, bool is_loopback) {
    is_last_shown_ = false;
    const bool is_out = event.direction == Direction::kOut;
    if (request_.interface != InterfaceId::kAny && event.interface != request_.interface) return;
    if (is_loopback && is_out) return;  // it comes in again
    if (request_.direction != TapDirection::kBoth && is_out != (request_.direction == TapDirection::kOut))
      return;
    const bool is_cut = request_.interface == InterfaceId::kAny && event.has_ethernet_header;
    const std::size_t skipped = is_cut ? kEthernetHeader : 0;
    if (event.packet.size() < skipped) return;
    const std::size_t length = event.packet.size() - skipped;
    scratch_.resize(length);
    event.packet.copy_out(skipped, scratch_);
    if (is_cut && (length == 0 || (scratch_[0] >> 4 != 4 && scratch_[0] >> 4 != 6))) return;
    std::size_t captured = std::min<std::size_t>(length, request_.snap_length);
    if (!request_.filter.empty()) {
      const auto size = static_cast<u_int>(length);
      const u_int wanted = bpf_filter(request_.filter.data(), scratch_.data(), size, size);
      if (wanted == 0) return;
      captured = std::min<std::size_t>(captured, wanted);
    }
    is_last_shown_ = push({.time = (time.time_since_epoch() + offset_).count(),
                           .captured = static_cast<std::uint32_t>(captured),
                           .length = static_cast<std::uint32_t>(length),
                           .left_out = 0,
                           .is_outgoing = is_out,
                           .has_ethernet_header = event.has_ethernet_header && !is_cut,
                           .interface = static_cast<std::uint16_t>(event.interface)});
  }

  // What was decided about the packet that was taken last.
  void take_decision(std::string_view text) {
    if (!request_.wants_decisions || !is_last_shown_) return;
    scratch_.assign(text.begin(), text.end());
    TappedHeader header;
    header.captured = header.length = static_cast<std::uint32_t>(scratch_.size());
    header.is_comment = 1;
    push(header);
  }

 private:
  bool push(TappedHeader header) {
    const std::lock_guard lock(mutex_);
    if (is_over_) return false;
    if (queued_ + header.captured > kMaxQueued) {
      left_out_ += header.is_comment != 0 ? 0 : 1;
      return false;
    }
    header.left_out = std::exchange(left_out_, 0);
    std::vector<std::uint8_t> record(sizeof header + header.captured);
    std::memcpy(record.data(), &header, sizeof header);
    std::copy_n(scratch_.begin(), header.captured, record.begin() + sizeof header);
    queued_ += record.size();
    queue_.push_back(std::move(record));
    there_is_more_.notify_one();
    return true;
  }

  void write_all() {
    std::unique_lock lock(mutex_);
    while (true) {
      there_is_more_.wait(lock, [this] { return is_over_ || !queue_.empty(); });
      if (is_over_) return;
      const std::vector<std::uint8_t> record = std::move(queue_.front());
      queue_.pop_front();
      queued_ -= record.size();
      lock.unlock();
      const bool is_written = write(record);
      lock.lock();
      if (!is_written) is_over_ = true;
    }
  }

  bool write(const std::vector<std::uint8_t>& record) {
    std::size_t done = 0;
    while (done < record.size()) {
      const ssize_t size = send(socket_.get(), record.data() + done, record.size() - done, MSG_NOSIGNAL);
      if (size <= 0) return false;
      done += static_cast<std::size_t>(size);
    }
    return true;
  }

  TapRequest request_;
  drivers::FileDescriptor socket_;
  Duration offset_;
  std::vector<std::uint8_t> scratch_;  // of take(), which has the stack's lock
  bool is_last_shown_ = false;         // likewise

  std::mutex mutex_;
  std::condition_variable there_is_more_;
  std::deque<std::vector<std::uint8_t>> queue_;
  std::size_t queued_ = 0;
  std::uint32_t left_out_ = 0;
  bool is_over_ = false;
  std::thread thread_;
};

PacketTap::PacketTap(sockets::Stack& stack) : stack_(stack) {}

PacketTap::~PacketTap() {
  {
    sockets::Session session(stack_);
    if (!watchers_.empty()) session.host().set_observer(next_);
  }
  watchers_.clear();
}

void PacketTap::watch(TapRequest request) {
  if (!request.filter.empty() &&
      bpf_validate(request.filter.data(), static_cast<int>(request.filter.size())) == 0)
    fail(Exit::kUsage, "that is no BPF program");
  auto socket = connect_to(request.socket);
  std::vector<std::unique_ptr<Watcher>> gone;  // they end when the lock is free again
  sockets::Session session(stack_);
  for (auto& watcher : watchers_) {
    if (watcher->is_over()) gone.push_back(std::move(watcher));
  }
  std::erase(watchers_, nullptr);
  if (watchers_.size() >= kMaxWatchers) fail(Exit::kFailed, "{} look on already", kMaxWatchers);
  if (session.host().context().observer != this) {
    next_ = session.host().context().observer;
    session.host().set_observer(this);
  }
  watchers_.push_back(std::make_unique<Watcher>(std::move(request), std::move(socket)));
}

// Under the lock of the stack.
void PacketTap::on_event(const Event& event) {
  if (next_ != nullptr) next_->on_event(event);
  const auto* const packet = std::get_if<PacketEvent>(&event.what);
  if (packet == nullptr) {
    if (const auto decision = decisions_.decision(event)) {
      for (const auto& watcher : watchers_) watcher->take_decision(*decision);
    }
    return;
  }
  constexpr auto kLoopback = InterfaceId{1};
  const std::vector<std::string> reasons = decisions_.frame(*packet, event.id);
  for (const auto& watcher : watchers_) {
    watcher->take(event.time, *packet, packet->interface == kLoopback);
    for (const std::string& reason : reasons) watcher->take_decision(reason);
  }
}

}  // namespace transom::tools
