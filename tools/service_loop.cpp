#include "tools/service_loop.h"

#include <csignal>
#include <utility>

#include "drivers/spare_buffers.h"
#include "stack/tcp/listener.h"

namespace transom::tools {

namespace {
// Octets: eight super-frames of 45 segments of 1448 octets, so that none is sent half full.
constexpr std::size_t kBudget = std::size_t{8} * 45 * 1448;
// Were it less than what a device hands over at once, what is left would grow from turn to turn, until it is
// cold and the windows are full.
static_assert(kBudget >= drivers::kBatchOctets + 65535);
}  // namespace

// A socket that tells the loop when it is ready.
class ServiceLoop::Member : public ReadinessListener {
 public:
  explicit Member(ServiceLoop& loop) : loop_(loop) {}
  virtual ~Member() = default;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void on_readiness() final {
    if (std::exchange(is_queued_, true)) return;
    loop_.ready_.push_back(this);
    if (loop_.waiter_ != nullptr) loop_.waiter_->wake();
  }
  void take_from_queue() { is_queued_ = false; }

  // False: to be removed.
  virtual bool work(std::size_t& budget) = 0;

 protected:
  ServiceLoop& loop_;

 private:
  bool is_queued_ = false;
};

class ServiceLoop::Client final : public Member {
 public:
  Client(ServiceLoop& loop, tcp::Connection& connection, std::unique_ptr<Conversation> conversation)
      : Member(loop), connection_(connection), conversation_(std::move(conversation)) {
    connection_.set_listener(this);
    ++loop_.connections_;
  }
  ~Client() override {
    connection_.set_listener(nullptr);
    --loop_.connections_;
    if (is_over_) {
      connection_.close();
    } else {
      connection_.abort();
    }
  }

  bool work(std::size_t& budget) override {
    const Turn turn = conversation_->proceed(connection_, budget);
    is_over_ = turn == Turn::kIsOver;
    if (turn == Turn::kHasMore) on_readiness();
    return !is_over_;
  }

 private:
  tcp::Connection& connection_;
  std::unique_ptr<Conversation> conversation_;
  bool is_over_ = false;
};

class ServiceLoop::Acceptor final : public Member {
 public:
  Acceptor(ServiceLoop& loop, tcp::Listener& listener, ConversationFactory factory)
      : Member(loop), listener_(listener), factory_(std::move(factory)) {
    listener_.set_listener(this);
  }
  ~Acceptor() override { listener_.close(); }

  bool work(std::size_t&) override {
    while (const auto accepted = listener_.accept()) {
      auto client = std::make_unique<Client>(loop_, **accepted, factory_());
      Member& member = *client;
      loop_.members_.emplace(&member, std::move(client));
      member.on_readiness();  // its request may be here already
    }
    return true;
  }

 private:
  tcp::Listener& listener_;
  ConversationFactory factory_;
};

class ServiceLoop::Datagrams final : public Member {
 public:
  Datagrams(ServiceLoop& loop, std::unique_ptr<udp::UdpSocket> socket, DatagramHandler handler)
      : Member(loop), socket_(std::move(socket)), handler_(std::move(handler)) {
    socket_->set_listener(this);
  }

  bool work(std::size_t&) override {
    handler_(*socket_);
    return true;
  }

 private:
  std::unique_ptr<udp::UdpSocket> socket_;
  DatagramHandler handler_;
};

// ---------------------------------------------------------------- ServiceLoop

ServiceLoop::ServiceLoop(sockets::Stack& stack) : stack_(stack) {}

ServiceLoop::~ServiceLoop() {
  {
    const sockets::Session session(stack_);
    is_stopping_ = true;
    if (waiter_ != nullptr) waiter_->wake();
  }
  if (thread_.joinable()) thread_.join();
  const sockets::Session session(stack_);
  members_.clear();
}

Result<void> ServiceLoop::serve_tcp(Port port, ConversationFactory factory, const tcp::Options& options) {
  constexpr std::size_t kBacklog = 4096;
  sockets::Session session(stack_);
  tcp::TcpLayer& tcp = session.host().tcp();
  auto hold =
      tcp.bind({.local = {IpAddress::any(IpFamily::kIpv6), port}, .dual_stack = true, .reuse_address = true});
  if (!hold) return std::unexpected(hold.error());
  const auto listener = tcp.listen(*hold, kBacklog, options);
  if (!listener) return std::unexpected(listener.error());
  auto acceptor = std::make_unique<Acceptor>(*this, **listener, std::move(factory));
  Member& member = *acceptor;
  members_.emplace(&member, std::move(acceptor));
  return {};
}

Result<void> ServiceLoop::serve_udp(Port port, DatagramHandler handler) {
  sockets::Session session(stack_);
  auto socket = session.host().udp().open(IpFamily::kIpv6);
  const auto bound = socket->bind({.local = {IpAddress::any(IpFamily::kIpv6), port}, .dual_stack = true});
  if (!bound) return bound;
  auto datagrams = std::make_unique<Datagrams>(*this, std::move(socket), std::move(handler));
  Member& member = *datagrams;
  members_.emplace(&member, std::move(datagrams));
  return {};
}

void ServiceLoop::start() {
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ServiceLoop::run() {
  sockets::Session session(stack_);
  sockets::Waiter waiter(session.loop());
  waiter_ = &waiter;
  while (!is_stopping_) {
    waiter.reset();
    work();
    if (ready_.empty()) {
      session.wait(waiter, kNever);
    } else {
      session.serve(waiter);
    }
  }
  waiter_ = nullptr;
}

void ServiceLoop::work() {
  std::size_t budget = kBudget;
  for (std::size_t left = ready_.size(); left > 0 && budget > 0; --left) {
    Member& member = *ready_.front();
    ready_.pop_front();
    member.take_from_queue();
    if (!member.work(budget)) remove(member);
  }
}

// A member may have queued itself again while it was working.
void ServiceLoop::remove(Member& member) {
  std::erase(ready_, &member);
  members_.erase(&member);
}

}  // namespace transom::tools
