// transom ping: echo requests from a host of its own.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "stack/ip/echo_socket.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/interrupt.h"
#include "tools/local_host.h"
#include "tools/names.h"

namespace transom::tools {

namespace {

struct PingOptions {
  DeviceOptions device;
  std::string target;
  std::uint64_t count = 0;  // 0: until interrupted
  double interval = 1;
  double patience = 1;  // seconds to wait for the last answer
  std::size_t size = 56;
  int ttl = 0;
  bool dont_fragment = false;
  bool only_v4 = false, only_v6 = false;
  bool is_quiet = false;
  bool as_json = false;
};

double in_milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string_view to_text(ip::IcmpErrorKind kind) {
  switch (kind) {
    case ip::IcmpErrorKind::kNetworkUnreachable:
      return "Destination Net Unreachable";
    case ip::IcmpErrorKind::kHostUnreachable:
      return "Destination Host Unreachable";
    case ip::IcmpErrorKind::kProtocolUnreachable:
      return "Destination Protocol Unreachable";
    case ip::IcmpErrorKind::kPortUnreachable:
      return "Destination Port Unreachable";
    case ip::IcmpErrorKind::kProhibited:
      return "Administratively Prohibited";
    case ip::IcmpErrorKind::kPacketTooBig:
      return "Packet Too Big";
    case ip::IcmpErrorKind::kTimeExceeded:
      return "Time to live exceeded";
    case ip::IcmpErrorKind::kParameterProblem:
      return "Parameter problem";
    case ip::IcmpErrorKind::kRedirect:
    case ip::IcmpErrorKind::kOther:
      break;
  }
  return "Destination Unreachable";
}

constexpr Duration kLook = std::chrono::milliseconds(100);  // for whether the user has had enough

class Pinger final : ReadinessListener {
 public:
  // `is_stopped` may be set by another thread.
  Pinger(LocalHost& host, const PingOptions& options, const IpAddress& target,
         const std::atomic<bool>& is_stopped)
      : options_(options),
        target_(target),
        is_stopped_(is_stopped),
        session_(host.stack()),
        waiter_(session_.loop()),
        socket_(session_.host().ip(), target.family()),
        payload_(options.size) {
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<std::uint8_t>(i);
    socket_.set_listener(this);
  }
  ~Pinger() { socket_.set_listener(nullptr); }

  int run() {
    if (!options_.as_json) fmt::print("PING {} {} bytes of data.\n", target_, options_.size);
    const Duration interval =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.interval));
    const Duration patience =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.patience));
    const Instant begin = session_.now();
    Instant next = begin;
    while (!is_stopped_) {
      const bool all_sent = options_.count != 0 && sent_ >= options_.count;
      if (all_sent && (received_ + errors_ >= sent_ || session_.now() >= last_sent_ + patience)) break;
      if (!all_sent && session_.now() >= next) {
        send();
        next += interval;
      }
      waiter_.reset();
      take_replies();
      const bool has_all = options_.count != 0 && received_ + errors_ >= options_.count;
      const Instant event = options_.count != 0 && sent_ >= options_.count ? last_sent_ + patience : next;
      if (!has_all) session_.wait(waiter_, std::min(event, session_.now() + kLook));
      take_replies();
    }
    report(session_.now() - begin);
    return static_cast<int>(received_ > 0 ? Exit::kGood : Exit::kFailed);
  }

 private:
  void on_readiness() override { waiter_.wake(); }

  void send() {
    const auto sequence = static_cast<std::uint16_t>(++sent_);
    last_sent_ = session_.now();
    times_[sequence] = last_sent_;
    ip::SendOptions how;
    how.ttl = static_cast<std::uint8_t>(options_.ttl);
    how.dont_fragment = options_.dont_fragment;
    const auto sent = socket_.send(target_, sequence, payload_, how);
    if (sent) return;
    ++errors_;
    if (sent.error() == Error::kNetworkUnreachable) {
      fail(Exit::kFailed, "no route to {}; give an --ip in its network, or a --gateway", target_);
    }
    if (!options_.as_json) fmt::print("ping: icmp_seq={} not sent: {}\n", sequence, to_string(sent.error()));
  }

  void take_replies() {
    while (auto reply = socket_.receive()) {
      if (reply->error) {
        ++errors_;
        if (options_.is_quiet || options_.as_json) continue;
        fmt::print("From {} icmp_seq={} {}\n", reply->source, reply->sequence, to_text(*reply->error));
      } else {
        on_reply(*reply);
      }
    }
    std::fflush(stdout);
  }

  void on_reply(const ip::EchoSocket::Reply& reply) {
    std::vector<std::uint8_t> echoed(reply.payload.size());
    const bool is_same = reply.payload.copy_out(0, echoed) && echoed == payload_;
    const auto sent_at = times_.find(reply.sequence);
    const bool is_duplicate = sent_at == times_.end();
    const Duration time = is_duplicate ? Duration{} : reply.arrival - sent_at->second;
    if (is_duplicate) {
      ++duplicates_;
    } else if (is_same) {
      times_.erase(sent_at);
      ++received_;
      round_trips_.push_back(in_milliseconds(time));
    } else {
      ++damaged_;
    }
    if (options_.is_quiet || options_.as_json) return;
    fmt::print("{} bytes from {}: icmp_seq={} ttl={} time={:.3f} ms{}{}\n", echoed.size() + 8, reply.source,
               reply.sequence, reply.ttl, in_milliseconds(time), is_duplicate ? " (DUP!)" : "",
               is_same ? "" : " (wrong data!)");
  }

  void report(Duration elapsed) {
    double minimum = 0, maximum = 0, sum = 0, squares = 0;
    for (const double value : round_trips_) {
      minimum = sum == 0 ? value : std::min(minimum, value);
      maximum = std::max(maximum, value);
      sum += value;
      squares += value * value;
    }
    const double count = round_trips_.empty() ? 1 : static_cast<double>(round_trips_.size());
    const double average = sum / count;
    const double deviation = std::sqrt(std::max(0.0, squares / count - average * average));
    const double loss =
        sent_ == 0 ? 0 : 100.0 * static_cast<double>(sent_ - received_) / static_cast<double>(sent_);
    if (options_.as_json) {
      fmt::print("{}\n",
                 nlohmann::json{
                     {"target", to_string(target_)},
                     {"size", options_.size},
                     {"sent", sent_},
                     {"received", received_},
                     {"errors", errors_},
                     {"duplicates", duplicates_},
                     {"damaged", damaged_},
                     {"loss_percent", loss},
                     {"rtt_ms", {{"min", minimum}, {"avg", average}, {"max", maximum}, {"mdev", deviation}}}}
                     .dump(2));
      return;
    }
    fmt::print("\n--- {} ping statistics ---\n", target_);
    fmt::print("{} packets transmitted, {} received, ", sent_, received_);
    if (errors_ > 0) fmt::print("+{} errors, ", errors_);
    if (duplicates_ > 0) fmt::print("+{} duplicates, ", duplicates_);
    if (damaged_ > 0) fmt::print("+{} damaged, ", damaged_);
    fmt::print("{:.6g}% packet loss, time {:.0f}ms\n", loss, in_milliseconds(elapsed));
    if (received_ > 0) {
      fmt::print("rtt min/avg/max/mdev = {:.3f}/{:.3f}/{:.3f}/{:.3f} ms\n", minimum, average, maximum,
                 deviation);
    }
  }

  const PingOptions& options_;
  IpAddress target_;
  const std::atomic<bool>& is_stopped_;
  sockets::Session session_;
  sockets::Waiter waiter_;
  ip::EchoSocket socket_;
  std::vector<std::uint8_t> payload_;
  std::uint64_t sent_ = 0, received_ = 0, errors_ = 0, duplicates_ = 0, damaged_ = 0;
  Instant last_sent_{};
  std::map<std::uint16_t, Instant> times_;  // not answered yet
  std::vector<double> round_trips_;         // milliseconds
};

int run(const PingOptions& options) {
  check_target(options.target);
  LocalHost host(options.device);
  const IpAddress target = find_target(host, options.target, options.only_v4, options.only_v6);
  const std::size_t limit = target.is_v4() ? 65507 : 65527;
  if (options.size > limit)
    fail(Exit::kUsage, "-s {} does not fit into a packet; at most {} do", options.size, limit);
  std::atomic<bool> is_stopped = false;
  const Interrupt interrupt([&is_stopped] { is_stopped = true; });
  Pinger pinger(host, options, target, is_stopped);
  return pinger.run();
}

}  // namespace

void add_ping(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("ping", "Send echo requests from a host on a device");
  auto options = std::make_shared<PingOptions>();
  command->add_option("address", options->target, "Whom to ping")->required()->type_name("ADDR|NAME");
  command->add_option("-c,--count", options->count, "Stop after so many requests")
      ->check(CLI::Range(1, 1'000'000'000))
      ->type_name("N");
  command->add_option("-i,--interval", options->interval, "Seconds between requests")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S");
  command->add_option("-s,--size", options->size, "Octets of data")->type_name("N")->capture_default_str();
  command->add_option("-W,--timeout", options->patience, "Seconds to wait for the last answer")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S");
  command->add_option("-t,--ttl", options->ttl, "Time to live, or hop limit")
      ->check(CLI::Range(1, 255))
      ->type_name("N");
  command->add_flag("-D,--dont-fragment", options->dont_fragment, "Fail instead of fragmenting");
  command->add_flag("-q,--quiet", options->is_quiet, "Only the summary");
  command->add_flag("-4", options->only_v4, "IPv4 only");
  command->add_flag("-6", options->only_v6, "IPv6 only");
  command->add_flag("--json", options->as_json, "The summary as JSON");
  add_device_options(*command, options->device);
  command->footer(
      "Without a device: in a private network whose kernel is 10.9.0.1 and fd09::1.\n"
      "Example: transom ping -c 3 10.9.0.1");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
