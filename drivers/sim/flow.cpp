#include "drivers/sim/flow.h"

#include <algorithm>

namespace transom::drivers::sim {

// What both ends know.
struct TcpFlow::Shared {
  Shared(Simulation& a_simulation, Node& to, FlowOptions&& the_options)
      : simulation(a_simulation),
        options(std::move(the_options)),
        remote{to.address(options.family), Port{}} {}

  bool is_request_response() const { return options.response > 0; }
  void read(std::uint64_t octets) {
    delivered += octets;
    last_read = simulation.now();
  }

  Simulation& simulation;
  FlowOptions options;
  Endpoint remote;
  bool is_intact = true;
  Error error = Error::kNone;
  std::uint64_t delivered = 0;
  Instant last_read{};
  Instant ended = kNever;
  Histogram rtt;     // ns
  Histogram rounds;  // ns
};

namespace {

struct ReadResult {
  std::uint64_t octets = 0;
  bool has_ended = false;  // the stream, or with an error
};

// Reads and compares what there is, at most `limit`.
template <typename Shared>
ReadResult read_pattern(Shared& shared, tcp::Connection& connection, std::uint64_t position,
                        std::uint64_t limit) {
  const MutableBytes scratch = shared.simulation.scratch();  // what is read is compared and forgotten
  ReadResult result;
  while (result.octets < limit) {
    const auto piece =
        static_cast<std::size_t>(std::min<std::uint64_t>(limit - result.octets, scratch.size()));
    const auto got = connection.receive(scratch.first(piece));
    if (!got && got.error() == Error::kWouldBlock) break;
    if (!got) shared.error = got.error();
    if (!got || *got == 0) {
      result.has_ended = true;
      break;
    }
    if (!shared.simulation.pattern().equals(position + result.octets, scratch.first(*got)))
      shared.is_intact = false;
    result.octets += *got;
  }
  return result;
}

const tcp::CongestionFactory* chosen(Node& node, std::string_view text) {
  return node.host().tcp().choose_congestion_control(text).value_or(nullptr);
}

// Writes up to `end`; the new position.
template <typename Shared>
std::uint64_t write_pattern(Shared& shared, tcp::Connection& connection, std::uint64_t position,
                            std::uint64_t end) {
  while (position < end) {
    const Bytes piece = shared.simulation.pattern().at(
        position, static_cast<std::size_t>(std::min<std::uint64_t>(end - position, Pattern::kMaxPiece)));
    const auto taken = connection.send({&piece, 1});
    if (!taken) break;
    position += *taken;
  }
  return position;
}

}  // namespace

class TcpFlow::Sender final : public Application {
 public:
  Sender(Node& node, Shared& shared) : Application(node), shared_(shared) {}

  void run() override {
    if (is_done_) return;
    if (connection_ == nullptr && !open()) return;
    const Readiness readiness = connection_->readiness();
    if (readiness.error || readiness.hang_up) return finish();
    if (!readiness.writable && !readiness.readable) return;
    if (shared_.is_request_response()) {
      talk();
    } else {
      pour();
    }
  }

  tcp::Info info() const { return connection_ != nullptr ? connection_->info() : last_info_; }
  tcp::Connection* connection() { return connection_; }
  bool is_done() const { return is_done_; }

 private:
  bool open() {
    tcp::PortHold none;
    tcp::Options options = shared_.options.options;
    if (!shared_.options.congestion_control.empty())
      options.congestion_control = chosen(node(), shared_.options.congestion_control);
    const auto made = node().host().tcp().connect(none, shared_.remote, options);
    if (!made) {
      shared_.error = made.error();
      is_done_ = true;
      return false;
    }
    connection_ = *made;
    connection_->set_listener(this);
    return true;
  }

  void pour() {
    const bool is_stopped = shared_.simulation.now() >= shared_.options.stop;
    const std::uint64_t end = shared_.options.octets == 0 ? UINT64_MAX : shared_.options.octets;
    if (!is_stopped) position_ = write_pattern(shared_, *connection_, position_, end);
    if ((is_stopped || position_ == end) && !std::exchange(has_shut_, true)) connection_->shutdown_send();
    // The peer closes when it has everything; until then it says nothing.
    if (read_pattern(shared_, *connection_, 0, 1).has_ended) finish();
  }

  void talk() {
    const std::uint64_t response = shared_.options.response;
    const ReadResult got = read_pattern(shared_, *connection_, answered_, round_ * response - answered_);
    answered_ += got.octets;
    if (got.octets > 0) shared_.read(got.octets);
    if (got.has_ended) return finish();
    if (round_ > 0 && answered_ == round_ * response && is_waiting_) {
      is_waiting_ = false;
      const Duration took = shared_.simulation.now() - asked_;
      shared_.rounds.record(static_cast<std::uint64_t>(took.count()));
      next_ = shared_.simulation.now() + shared_.options.think;
      if (next_ > shared_.simulation.now()) shared_.simulation.wake_at(next_, *this);
    }
    if (!is_waiting_ && shared_.simulation.now() >= next_) {
      if (round_ == shared_.options.rounds || shared_.simulation.now() >= shared_.options.stop) {
        connection_->shutdown_send();
        return finish();
      }
      ++round_;
      is_waiting_ = true;
      asked_ = shared_.simulation.now();
    }
    position_ = write_pattern(shared_, *connection_, position_, round_ * shared_.options.octets);
  }

  void finish() {
    last_info_ = connection_->info();
    if (shared_.error == Error::kNone) shared_.error = connection_->take_error();
    connection_->set_listener(nullptr);
    connection_->close();
    connection_ = nullptr;
    is_done_ = true;
  }

  Shared& shared_;
  tcp::Connection* connection_ = nullptr;
  tcp::Info last_info_;
  std::uint64_t position_ = 0;  // of what was written
  std::uint64_t answered_ = 0;
  std::uint64_t round_ = 0;
  Instant asked_{};
  Instant next_{};
  bool is_waiting_ = false;
  bool has_shut_ = false;
  bool is_done_ = false;
};

class TcpFlow::Receiver final : public Application {
 public:
  Receiver(Node& node, Shared& shared) : Application(node), shared_(shared) {
    node.with([&] {
      auto hold = node.host().tcp().bind({.local = {IpAddress::any(shared.options.family), Port{}}});
      shared.remote.port = hold->local().port;
      tcp::Options options = shared.options.options;
      if (!shared.options.congestion_control.empty())
        options.congestion_control = chosen(node, shared.options.congestion_control);
      listener_ = *node.host().tcp().listen(*hold, 1, options);
      listener_->set_listener(this);
    });
  }

  void run() override {
    if (listener_ != nullptr) {
      const auto accepted = listener_->accept();
      if (!accepted) return;
      connection_ = *accepted;
      connection_->set_listener(this);
      listener_->close();
      listener_ = nullptr;
    }
    if (connection_ == nullptr) return;
    const ReadResult got = read_pattern(shared_, *connection_, position_, allowance());
    position_ += got.octets;
    if (got.octets > 0) shared_.read(got.octets);
    if (got.has_ended) return finish();
    if (!shared_.is_request_response()) return;
    const std::uint64_t complete = position_ / std::max<std::uint64_t>(shared_.options.octets, 1);
    answered_ = write_pattern(shared_, *connection_, answered_, complete * shared_.options.response);
  }

  tcp::Connection* connection() { return connection_; }
  bool is_done() const { return is_done_; }

 private:
  // How much may be read now; comes back later when that is all.
  std::uint64_t allowance() {
    if (shared_.options.read_rate == 0) return UINT64_MAX;
    const Instant now = shared_.simulation.now();
    constexpr Duration kInterval = std::chrono::milliseconds(10);
    if (now < next_read_) return 0;
    next_read_ = now + kInterval;
    shared_.simulation.wake_at(next_read_, *this);
    return std::max<std::uint64_t>(shared_.options.read_rate / 100, 1);
  }

  void finish() {
    shared_.ended = shared_.simulation.now();
    connection_->set_listener(nullptr);
    connection_->close();
    connection_ = nullptr;
    is_done_ = true;
  }

  Shared& shared_;
  tcp::Listener* listener_ = nullptr;
  tcp::Connection* connection_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t answered_ = 0;
  Instant next_read_{};
  bool is_done_ = false;
};

TcpFlow::TcpFlow(Simulation& simulation, Node& from, Node& to, FlowOptions options)
    : shared_(std::make_unique<Shared>(simulation, to, std::move(options))),
      sender_(&simulation.add<Sender>(from, *shared_)),
      receiver_(&simulation.add<Receiver>(to, *shared_)) {
  simulation.wake_at(shared_->options.start, *sender_);
  if (shared_->options.stop != kNever) simulation.wake_at(shared_->options.stop, *sender_);
}

TcpFlow::~TcpFlow() = default;

bool TcpFlow::is_over() const {
  return sender_->is_done() && (receiver_->is_done() || shared_->error != Error::kNone);
}
const FlowOptions& TcpFlow::options() const { return shared_->options; }
tcp::Connection* TcpFlow::sender() { return sender_->connection(); }
tcp::Connection* TcpFlow::receiver() { return receiver_->connection(); }

void TcpFlow::sample() {
  if (sender_->connection() == nullptr) return;
  const Duration latest = sender_->info().latest_rtt;
  if (latest > Duration::zero()) shared_->rtt.record(static_cast<std::uint64_t>(latest.count()));
}

FlowReport TcpFlow::report() const {
  const auto duration = [](std::uint64_t nanoseconds) {
    return Duration(static_cast<std::int64_t>(nanoseconds));
  };
  const Shared& shared = *shared_;
  FlowReport report{.name = shared.options.name,
                    .congestion_control = {},
                    .started = shared.options.start,
                    .ended = shared.ended,
                    .delivered = shared.delivered,
                    .rtt_p50 = duration(shared.rtt.percentile(50)),
                    .rtt_p95 = duration(shared.rtt.percentile(95)),
                    .rounds = shared.rounds.count(),
                    .round_p50 = duration(shared.rounds.percentile(50)),
                    .round_p95 = duration(shared.rounds.percentile(95)),
                    .is_intact = shared.is_intact,
                    .error = shared.error,
                    .info = sender_->info()};
  report.congestion_control = report.info.congestion_control;
  if (shared.last_read > shared.options.start) {
    report.active = shared.last_read - shared.options.start;
    report.goodput = static_cast<std::uint64_t>(static_cast<double>(shared.delivered) * 8e9 /
                                                static_cast<double>(report.active.count()));
  }
  return report;
}

}  // namespace transom::drivers::sim
