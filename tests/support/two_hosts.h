// Two Hosts joined by an Ethernet cable in virtual time, with the delay that the test asks for. What passes
// is hashed, so that two runs can be compared.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "stack/host.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace transom::test {

class TwoHosts {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Duration delay = std::chrono::microseconds(50);  // one way
    std::uint32_t mtu = 1500;
    link::Offloads offloads{};
    // True: this frame is lost.
    std::function<bool(const Packet& frame)> lose;
    HostConfig config{};
  };

  explicit TwoHosts(Options options);

  static constexpr IpAddress kLeft = IpAddress::v4(10, 0, 0, 1);
  static constexpr IpAddress kRight = IpAddress::v4(10, 0, 0, 2);

  Host& left() { return *left_; }
  Host& right() { return *right_; }
  BufferPool& pool() { return pool_; }
  Instant now() const { return now_; }
  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t frames() const { return frames_; }

  // Runs until nothing is left to do, `until` returns true, or `limit` of virtual time has passed. `until` is
  // looked at after each step.
  bool run(const std::function<bool()>& until, Duration limit);
  // Makes a socket call on one of them.
  template <typename Call>
  decltype(auto) with(Host& host, Call call) {
    struct Visit {
      Visit(Host& a_host, Instant now) : host(a_host) { host.enter(now); }
      ~Visit() { host.leave(); }
      Host& host;
    } visit(host, now_);
    return call();
  }

 private:
  struct InFlight {
    Instant arrival;
    Packet frame;
  };
  void collect(Host& from, std::deque<InFlight>& cable);
  void deliver(std::deque<InFlight>& cable, Host& to);

  Options options_;
  BufferPool pool_;
  Instant now_ = Instant(std::chrono::seconds(1));
  std::unique_ptr<Host> left_;
  std::unique_ptr<Host> right_;
  InterfaceId wire_{2};
  std::deque<InFlight> to_left_;
  std::deque<InFlight> to_right_;
  std::uint64_t hash_ = 14695981039346656037ULL;  // FNV-1a
  std::uint64_t frames_ = 0;
};

}  // namespace transom::test
