// RFC 8305: connecting to a name that has several addresses, some of which may not answer.
#include <netdb.h>

#include <algorithm>
#include <deque>

#include "socket_api/names/resolver.h"
#include "socket_api/socket.h"

namespace transom::sockets {

namespace {

constexpr Duration kAttemptDelay = std::chrono::milliseconds(250);  // RFC 8305 §8

class Wake final : public Watcher {
 public:
  Wake(Pollable& target, Waiter& waiter) : Watcher(target, POLLOUT), waiter_(waiter) {}
  void on_ready(short) override { waiter_.wake(); }

 private:
  Waiter& waiter_;
};

class Race {
 public:
  Race(Session& session, std::vector<SocketAddress> addresses, Instant deadline)
      : session_(session), addresses_(std::move(addresses)), deadline_(deadline) {}

  std::expected<std::shared_ptr<Socket>, ConnectFailure> run() {
    while (true) {
      if (auto winner = look()) return winner;
      const bool is_all_tried = next_ == addresses_.size();
      if (is_all_tried && running_.empty()) return std::unexpected(ConnectFailure{.error = last_error_});
      if (session_.now() >= deadline_) return std::unexpected(ConnectFailure{.error = ETIMEDOUT});
      if (!is_all_tried && (running_.empty() || session_.now() >= next_start_)) {
        start(addresses_[next_++]);
        continue;
      }
      Waiter waiter(session_.loop());
      std::deque<Wake> wakes;
      for (const auto& socket : running_) wakes.emplace_back(*socket, waiter);
      session_.wait(waiter, is_all_tried ? deadline_ : std::min(deadline_, next_start_));
    }
  }
  void close_all() {
    for (const auto& socket : running_) socket->close(session_);
    running_.clear();
  }

 private:
  void start(const SocketAddress& to) {
    next_start_ = session_.now() + kAttemptDelay;
    const int domain = to.endpoint.address.is_v4() ? AF_INET : AF_INET6;
    const auto socket = Socket::create(session_, {domain, SOCK_STREAM, IPPROTO_TCP});
    if (!socket) {
      last_error_ = to_number(socket.error());
      return;
    }
    (*socket)->set_non_blocking(true);
    const auto connected = (*socket)->connect(session_, to);
    if (connected || connected.error() == Errno{EINPROGRESS}) return running_.push_back(*socket);
    if (!has_heard_) last_error_ = to_number(connected.error());  // there is no way: says less than an answer
    (*socket)->close(session_);
  }

  // One that is connected; takes those away that have failed.
  std::shared_ptr<Socket> look() {
    for (std::size_t i = 0; i < running_.size();) {
      const std::shared_ptr<Socket> socket = running_[i];
      if ((socket->events() & (POLLOUT | POLLERR | POLLHUP)) == 0) {
        ++i;
        continue;
      }
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      int error = 0;
      (void)socket->get_option(session_, SOL_SOCKET, SO_ERROR,
                               MutableBytes(reinterpret_cast<std::uint8_t*>(&error), sizeof error));
      if (error == 0) return socket;
      last_error_ = error;
      has_heard_ = true;
      socket->close(session_);
    }
    return nullptr;
  }

  Session& session_;
  std::vector<SocketAddress> addresses_;
  Instant deadline_;
  std::size_t next_ = 0;
  Instant next_start_{};
  std::vector<std::shared_ptr<Socket>> running_;
  int last_error_ = ECONNREFUSED;
  bool has_heard_ = false;  // last_error_ is what an attempt came to
};

}  // namespace

std::vector<SocketAddress> interleave(const std::vector<SocketAddress>& sorted) {
  std::vector<SocketAddress> first, second, mixed;
  for (const SocketAddress& address : sorted) {
    const bool is_first = address.endpoint.address.family() == sorted.front().endpoint.address.family();
    (is_first ? first : second).push_back(address);
  }
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  return mixed;
}

std::expected<std::shared_ptr<Socket>, ConnectFailure> connect_by_name(Stack& stack, const std::string& name,
                                                                       Port port, Duration limit) {
  const auto resolved = resolve(stack, name, AF_UNSPEC, port);
  if (!resolved) return std::unexpected(ConnectFailure{.lookup_error = resolved.error()});
  Session session(stack);
  const Instant deadline = limit == Duration::max() ? kNever : session.now() + limit;
  Race race(session, interleave(resolved->addresses), deadline);
  const auto winner = race.run();
  race.close_all();
  if (winner) (*winner)->set_non_blocking(false);
  return winner;
}

}  // namespace transom::sockets
