// transom replay --role both: a capture is played through a device between two ports.
#include <net/if.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/clock.h"
#include "drivers/fault_device.h"
#include "drivers/network_setup.h"
#include "drivers/replay/transit_replay.h"
#include "drivers/replay/transit_report.h"
#include "drivers/tap_device.h"
#include "socket_api/stack_instance.h"
#include "tools/child.h"
#include "tools/environment.h"
#include "tools/failure.h"
#include "tools/replay_output.h"
#include "tools/replay_session.h"

namespace transom::tools {

namespace {

namespace replay = drivers::replay;
using replay::TransitFlow;

[[noreturn]] void fail_device(const drivers::DeviceError& error) {
  fail(error.error_number == EINVAL ? Exit::kUsage : Exit::kEnvironment, "{}", error.message);
}

// Two devices, each with the kernel, or who has joined them, at its other end.
class TwoPorts {
 public:
  TwoPorts(const ReplayOptions& options, const replay::Cast& cast) {
    const bool is_private = options.ports[0].empty() && options.ports[1].empty();
    if (is_private) {
      report_.push_back(fmt::format("network   private; a shell in it: {}", enter_private_network()));
      names_ = {"port1", "port2"};
    } else {
      names_ = options.ports;
      if (names_[0].empty() || names_[1].empty() || names_[0] == names_[1])
        fail(Exit::kUsage, "--role both needs two devices; give --intf1 and --intf2, or neither");
    }
    std::array<std::unique_ptr<drivers::Device>, 2> devices;
    for (std::size_t port = 0; port < 2; ++port) {
      is_made_here_[port] = if_nametoindex(names_[port].c_str()) == 0;
      // Frames are to go as they are.
      auto opened = drivers::open_tap({.name = names_[port], .offload = false});
      if (!opened) fail_device(opened.error());
      devices[port] = std::move(*opened);
      if (options.device.faults)
        devices[port] =
            std::make_unique<drivers::FaultDevice>(std::move(devices[port]), *options.device.faults);
    }
    if (is_made_here_[0] && is_made_here_[1]) be_router(cast);
    sockets::StackConfig config;
    if (options.device.seed) config.seed = seed_from_number(*options.device.seed);
    config.host.ip.report_groups = false;
    stack_ = std::make_unique<sockets::Stack>(config);
    for (std::size_t port = 0; port < 2; ++port) {
      sockets::InterfaceOptions interface;
      interface.link_local = false;
      ports_[port].interface = stack_->add_device(std::move(devices[port]), interface);
    }
    for (std::size_t port = 0; port < 2; ++port) {
      if (options.is_bridge) {
        sockets::Session session(*stack_);
        ports_[port].next_hop = session.host().link().interface(ports_[1 - port].interface)->mac();
      } else {
        const auto mac = drivers::link_mac(names_[port]);
        if (!mac) fail_device(mac.error());
        ports_[port].next_hop = *mac;
      }
    }
  }

  sockets::Stack& stack() { return *stack_; }
  const std::array<replay::TransitPort, 2>& ports() const { return ports_; }
  const std::map<IpAddress, IpAddress>& addresses() const { return addresses_; }
  const std::vector<std::string>& report() const { return report_; }

 private:
  // The kernel forwards between a network of our first ends and one of our second ones.
  void be_router(const replay::Cast& cast) {
    constexpr std::array<std::uint8_t, 2> kNetworks{81, 82};
    const auto address = [&](std::size_t port, IpFamily family, unsigned host) {
      const auto high = static_cast<std::uint8_t>(host >> 8), low = static_cast<std::uint8_t>(host);
      if (family == IpFamily::kIpv4) return IpAddress::v4(10, kNetworks[port], high, low);
      std::array<std::uint8_t, 16> octets{0xfd, static_cast<std::uint8_t>(port + 0x81)};
      octets[14] = high;
      octets[15] = low;
      return IpAddress::v6(octets);
    };
    for (std::size_t port = 0; port < 2; ++port) {
      if (auto up = drivers::set_link_up(names_[port]); !up) fail_device(up.error());
      for (const auto& [family, length] : {std::pair{IpFamily::kIpv4, 16}, std::pair{IpFamily::kIpv6, 64}}) {
        const IpPrefix own{address(port, family, 1), static_cast<std::uint8_t>(length)};
        if (auto added = drivers::add_link_address(names_[port], own); !added && own.address.is_v4())
          fail_device(added.error());
      }
      unsigned host = 1;
      for (const IpAddress& recorded : port == 0 ? cast.our_addresses() : cast.their_addresses()) {
        const IpAddress now = address(port, recorded.family(), ++host);
        addresses_.emplace(recorded, now);
        report_.push_back(fmt::format("port {}    {} as {}", port + 1, recorded, now));
      }
    }
    for (const char* const name : {"ipv4/ip_forward", "ipv6/conf/all/forwarding"}) {
      std::ofstream file(fmt::format("/proc/sys/net/{}", name));
      file << "1" << std::flush;
      if (!file && name[3] == '4')
        fail(Exit::kEnvironment,
             "cannot make the kernel a router: /proc/sys/net/{} is not to be written here; give it two "
             "devices "
             "with --intf1 and --intf2 that something else joins",
             name);
    }
  }

  std::array<std::string, 2> names_;
  std::array<bool, 2> is_made_here_{};
  std::array<replay::TransitPort, 2> ports_;
  std::map<IpAddress, IpAddress> addresses_;
  std::vector<std::string> report_;
  std::unique_ptr<sockets::Stack> stack_;
};

std::string_view state_of(const TransitFlow& flow) {
  switch (flow.state()) {
    case replay::LiveState::kDone:
      return "done";
    case replay::LiveState::kRunning:
      return "unfinished";
    default:
      return "stalled";
  }
}

nlohmann::json words_of(const TransitFlow& flow) {
  const replay::Ends seen = flow.seen(0);
  nlohmann::json shifts = nlohmann::json::array();
  for (std::size_t side = 0; side < 2; ++side) shifts.push_back(flow.shift(side).value_or(0));
  return {{"ends", {to_string(flow.ends()[0]), to_string(flow.ends()[1])}},
          {"seen_at_port_2", {to_string(seen.ours), to_string(seen.theirs)}},
          {"sequence_shifts", std::move(shifts)},
          {"state", state_of(flow)},
          {"put_in", flow.put_in()},
          {"came_out", flow.came_out()},
          {"again", flow.again()},
          {"left", flow.left()},
          {"lines", flow.lines()},
          {"awaited", flow.state() == replay::LiveState::kDone ? "" : flow.awaited()},
          {"last_packets", flow.last_packets()}};
}

ReplayReport report_of(const ReplayOptions& options, const replay::Scene& scene,
                       const replay::TransitReplay& live) {
  ReplayReport report{.capture = options.capture, .role = "both", .packets = scene.packets};
  for (const auto& flow : live.flows()) {
    report.flows.push_back(replay::report_of(*flow));
    report.words.push_back(words_of(*flow));
  }
  if (live.strangers() > 0)
    report.end = fmt::format("{} packets came out that belong to nothing that was put in", live.strangers());
  report.numbers = {{"strangers", live.strangers()}};
  return report;
}

// A command that sets the device up is waited for; one that is the device goes on.
pid_t start_device(const std::vector<std::string>& command, int& status) {
  const pid_t child = start_child(command);
  for (int i = 0; i < 100; ++i) {
    if (has_ended(child, status)) return 0;
    rest();
  }
  return child;
}

}  // namespace

int run_transit_replay(const ReplayOptions& options, const std::vector<std::string>& command) {
  const auto role = replay::Role::parse(options.as == "server" ? "client" : options.as);
  if (!role) fail(Exit::kUsage, "--as: {}", role.error());
  const replay::Scene scene = look_at(options.capture);
  const replay::Cast cast(scene, *role);
  auto reader = open_replayed(options.capture);
  const auto scripts = replay::make_transit_scripts(reader, scene, cast, 1500);
  if (!scripts) fail_reading(options.capture, scripts.error());
  if (scripts->empty()) fail(Exit::kUsage, "{}: nothing in it goes from one end to another", options.capture);
  block_signals();
  TwoPorts ports(options, cast);
  if (!options.is_quiet)
    for (const std::string& line : ports.report())
      fmt::print(options.as_json ? stderr : stdout, "{}\n", line);
  std::fflush(stdout);
  int child_status = 0;
  const pid_t child = command.empty() ? 0 : start_device(command, child_status);
  if (child_status != 0)
    fail(Exit::kFailed, "the command behind '--' ended with status {}; nothing was played", child_status);

  const replay::LiveSetup setup = live_setup_of(options);
  std::unique_ptr<replay::TransitReplay> live;
  {
    sockets::Session session(ports.stack());
    live = std::make_unique<replay::TransitReplay>(session.host(), ports.ports(), *scripts, ports.addresses(),
                                                   setup);
  }
  Prompt prompt(setup.speed.one_at_a_time);
  for (bool is_over = false; !is_over;) {
    const bool is_interrupted = !rest();
    const std::uint64_t steps = prompt.take();
    sockets::Session session(ports.stack());
    if (steps > 0) live->allow(steps);
    is_over = is_interrupted || live->is_over();
  }
  for (int i = 0; i < 5; ++i) rest();  // what comes out twice, or late
  (void)end_child(child, true);

  sockets::Session session(ports.stack());
  const bool is_good = put_out(options, report_of(options, scene, *live));
  std::fflush(stdout);
  live.reset();
  return static_cast<int>(is_good ? Exit::kGood : Exit::kFailed);
}

}  // namespace transom::tools
