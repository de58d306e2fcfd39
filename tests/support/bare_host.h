// A Host on an Ethernet in virtual time that has been given no address: its link-local one is all that it
// makes by itself. The test plays whoever else is there.
#pragma once

#include "tests/support/host_on_ethernet.h"

namespace transom::test {

class BareHost : public ::testing::Test {
 protected:
  explicit BareHost(const link::ConflictDetection& detection = link::ConflictDetection::quick(),
                    std::uint64_t seed = 1)
      : host_(pool_, config(seed)) {
    link::InterfaceConfig interface;
    interface.name = "eth0";
    interface.mac = kHostMac;
    interface.conflict_detection = detection;
    eth_ = host_.add_interface(interface);
  }
  ~BareHost() override { host_.transmit_queue(eth_).clear(); }

  // Runs all timers up to now + duration, each at its own instant; what is sent is kept with its time.
  void advance(Duration duration) {
    const Instant end = now_ + duration;
    collect();
    while (host_.next_deadline() <= end) {
      now_ = std::max(now_, host_.next_deadline());
      host_.advance(now_);
      collect();
    }
    now_ = end;
    host_.advance(now_);
    collect();
  }
  std::vector<SentFrame> sent() {
    collect();
    return std::exchange(frames_, {});
  }
  void receive_frame(const MacAddress& destination, const MacAddress& source, wire::EtherType type,
                     const Octets& payload) {
    host_.receive(eth_, pool_.copy_of(ethernet_frame(destination, source, type, payload)), now_);
    advance(Duration::zero());
  }

  const link::Interface& interface() { return *host_.link().interface(eth_); }
  // "2001:db8::1/64 preferred", of one family, in order.
  std::vector<std::string> addresses(IpFamily family) {
    constexpr const char* kStates[] = {"tentative", "preferred", "deprecated", "duplicated"};
    std::vector<std::string> lines;
    for (const link::InterfaceAddress& entry : interface().addresses()) {
      if (entry.prefix.address.family() != family || entry.prefix.address.is_link_local()) continue;
      lines.push_back(fmt::format("{} {}", entry.prefix, kStates[static_cast<std::size_t>(entry.state)]));
    }
    return lines;
  }
  // "default via fe80::fe metric 1024", of one family, without those of the loopback interface.
  std::vector<std::string> routes(IpFamily family) {
    std::vector<std::string> lines;
    for (const ip::Route& route : host_.ip().routes().routes()) {
      if (route.prefix.address.family() != family || route.interface != eth_) continue;
      std::string line = to_string(route.prefix);
      if (route.gateway) line += " via " + to_string(*route.gateway);
      if (!route.prefix.address.is_link_local())
        lines.push_back(fmt::format("{} metric {}", line, route.metric));
    }
    return lines;
  }
  std::uint64_t count(Counter counter) const { return host_.counters()[counter]; }

  BufferPool pool_;
  Instant now_{1000s};
  Host host_;
  InterfaceId eth_{2};

 private:
  static HostConfig config(std::uint64_t seed) {
    HostConfig config;
    config.seed = seed_from_number(seed);
    config.start = Instant(1000s);
    config.ip.report_groups = false;
    return config;
  }
  void collect() {
    while (Packet packet = host_.transmit_queue(eth_).pop()) {
      Octets octets(packet.size());
      packet.copy_out(0, octets);
      wire::Reader reader(octets);
      const auto header = wire::EthernetHeader::parse(reader);
      const Bytes rest = reader.rest();
      if (header) frames_.push_back({now_, *header, Octets(rest.begin(), rest.end())});
    }
  }

  std::vector<SentFrame> frames_;
};

}  // namespace transom::test
