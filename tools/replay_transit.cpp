// transom replay --role both: a capture is played through a device between two ports.
#include <net/if.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "drivers/clock.h"
#include "drivers/fault_device.h"
#include "drivers/network_setup.h"
#include "drivers/replay/transit_replay.h"
#include "drivers/tap_device.h"
#include "socket_api/stack_instance.h"
#include "tools/child.h"
#include "tools/environment.h"
#include "tools/failure.h"
#include "tools/junit.h"
#include "tools/replay_session.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

namespace replay = drivers::replay;
using replay::Likeness;
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

std::string_view protocol_of(const TransitFlow& flow) {
  return flow.script().protocol == IpProtocol::kTcp   ? "TCP"
         : flow.script().protocol == IpProtocol::kUdp ? "UDP"
                                                      : "ICMP";
}

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

std::string title_of(const TransitFlow& flow) {
  const replay::Ends seen = flow.seen(0);
  std::string title = fmt::format("{} {} - {}", protocol_of(flow), flow.ends()[0], flow.ends()[1]);
  if (seen.ours != flow.ends()[0] || seen.theirs != flow.ends()[1])
    title += fmt::format(" (at port 2: {} - {})", seen.ours, seen.theirs);
  return title;
}

void print(const TransitFlow& flow) {
  fmt::print("{}: {}, {}\n", title_of(flow), state_of(flow), to_string(flow.likeness()));
  fmt::print("  put in {} packets, came out {}; {} put in again, {} not put in\n", flow.put_in(),
             flow.came_out(), flow.again(), flow.left());
  for (const auto& [difference, number] : flow.counts())
    fmt::print("  {:9} {:>6}  {}{}{}\n", to_string(difference->verdict), number, difference->title,
               difference->section.empty() ? "" : "  ", difference->section);
  for (const std::string& line : flow.lines()) fmt::print("    {}\n", line);
  if (flow.state() == replay::LiveState::kDone) return;
  fmt::print("  awaited: {}\n  last packets:\n", flow.awaited());
  for (const std::string& line : flow.last_packets()) fmt::print("    {}\n", line);
}

nlohmann::json to_json(const TransitFlow& flow) {
  nlohmann::json differences = nlohmann::json::array();
  for (const auto& [difference, number] : flow.counts())
    differences.push_back({{"id", difference->id},
                           {"verdict", to_string(difference->verdict)},
                           {"rule", difference->section},
                           {"title", difference->title},
                           {"count", number}});
  const replay::Ends seen = flow.seen(0);
  return {{"protocol", protocol_of(flow)},
          {"ends", {to_string(flow.ends()[0]), to_string(flow.ends()[1])}},
          {"seen_at_port_2", {to_string(seen.ours), to_string(seen.theirs)}},
          {"state", state_of(flow)},
          {"verdict", to_string(flow.likeness())},
          {"put_in", flow.put_in()},
          {"came_out", flow.came_out()},
          {"again", flow.again()},
          {"left", flow.left()},
          {"differences", std::move(differences)},
          {"lines", flow.lines()},
          {"awaited", flow.state() == replay::LiveState::kDone ? "" : flow.awaited()},
          {"last_packets", flow.last_packets()}};
}

std::string to_junit(const ReplayOptions& options, const replay::TransitReplay& live, Likeness bar) {
  JunitSuite suite{.name = options.capture};
  for (const auto& flow : live.flows()) {
    JunitCase& test = suite.cases.emplace_back(JunitCase{.classname = "both", .name = title_of(*flow)});
    if (flow->likeness() >= bar)
      test.failure = {.message =
                          fmt::format("{}: {}", to_string(flow->likeness()), fmt::join(flow->lines(), "; "))};
  }
  return tools::to_junit("transom replay", {suite});
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
  const std::string bar_name = options.fail_on.value_or("unknown");
  const Likeness bar = bar_name == "any"         ? Likeness::kLegal
                       : bar_name == "violation" ? Likeness::kViolation
                                                 : Likeness::kUnknown;
  Likeness worst = Likeness::kSame;
  for (const auto& flow : live->flows()) worst = std::max(worst, flow->likeness());
  if (!options.junit.empty()) write_text_file(options.junit, to_junit(options, *live, bar), Exit::kUsage);
  if (options.as_json) {
    nlohmann::json flows = nlohmann::json::array();
    for (const auto& flow : live->flows()) flows.push_back(to_json(*flow));
    fmt::print("{}\n", nlohmann::json({{"schema", 1},
                                       {"capture", options.capture},
                                       {"role", "both"},
                                       {"verdict", to_string(worst)},
                                       {"strangers", live->strangers()},
                                       {"flows", std::move(flows)}})
                           .dump(2));
  } else if (!options.is_quiet) {
    for (const auto& flow : live->flows()) print(*flow);
    if (live->strangers() > 0)
      fmt::print("{} packets came out that belong to nothing that was put in\n", live->strangers());
    fmt::print("verdict: {}\n", to_string(worst));
  }
  std::fflush(stdout);
  live.reset();
  return static_cast<int>(worst >= bar ? Exit::kFailed : Exit::kGood);
}

}  // namespace transom::tools
