// transom doctor: what this machine allows, and what to do where it does not.
#include <fcntl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "drivers/packet_device.h"
#include "drivers/tap_device.h"
#include "drivers/xdp_device.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/environment.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

enum class Verdict : std::uint8_t { kGood, kLimited, kBad };

struct Finding {
  std::string subject;
  Verdict verdict = Verdict::kGood;
  std::string text;  // what was found; what to do about it when it is not good
};

std::string_view to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "ok";
    case Verdict::kLimited:
      return "limited";
    case Verdict::kBad:
      return "missing";
  }
  return "";
}

Finding look_at_kernel() {
  utsname name{};
  uname(&name);
  return {"kernel", Verdict::kGood, fmt::format("{} {} {}", name.sysname, name.release, name.machine)};
}

Finding look_at_tun_device() {
  const drivers::FileDescriptor device(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (device) return {"/dev/net/tun", Verdict::kGood, "can be opened"};
  const int error = errno;
  const std::string advice = error == EACCES || error == EPERM
                                 ? "sudo chmod 666 /dev/net/tun"
                                 : "sudo modprobe tun; in a container: run it with --device /dev/net/tun";
  return {"/dev/net/tun", Verdict::kBad, fmt::format("{}; {}", std::strerror(error), advice)};
}

Finding look_at_namespaces() {
  const std::string problem = user_namespace_problem();
  if (problem.empty()) return {"namespaces", Verdict::kGood, "user and network namespaces can be made"};
  return {"namespaces", Verdict::kBad, problem};
}

// Runs `attempt` in a process of its own, which may move to other namespaces. What it returns comes back.
std::string in_child(const std::function<std::string()>& attempt) {
  int ends[2];
  if (pipe(ends) != 0) return "";
  const drivers::FileDescriptor reading(ends[0]);
  const pid_t child = fork();
  if (child == 0) {
    std::string said;
    try {
      said = attempt();
    } catch (const Failure& failure) {
      said = fmt::format("!{}", failure.what());
    }
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string said(4096, '\0');
  const ssize_t size = read(reading.get(), said.data(), said.size());
  said.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  waitpid(child, nullptr, 0);
  return said;
}

Finding look_at_tap() {
  const std::string said = in_child([]() -> std::string {
    enter_private_network();
    const auto device = drivers::open_tap({.name = "tap0"});
    if (!device) fail(Exit::kEnvironment, "{}", device.error().message);
    if (auto up = drivers::set_link_up("tap0"); !up) fail(Exit::kEnvironment, "{}", up.error().message);
    const link::Offloads offloads = (*device)->properties().offloads;
    std::string granted =
        fmt::format("checksum {}, segmentation v4 {}, v6 {}", offloads.checksum ? "yes" : "no",
                    offloads.segment_ipv4 ? "yes" : "no", offloads.segment_ipv6 ? "yes" : "no");
    if (!drivers::add_link_address("tap0", *IpPrefix::parse("fd09::1/64"))) granted += "; IPv6 no";
    return granted;
  });
  if (said.empty()) return {"private TAP", Verdict::kBad, "cannot be tried; see the lines above"};
  if (said.starts_with('!')) return {"private TAP", Verdict::kBad, said.substr(1)};
  if (said.ends_with("IPv6 no")) {
    return {"private TAP", Verdict::kLimited,
            "works, but the kernel has no IPv6: boot without ipv6.disable=1 to use it"};
  }
  const bool has_all = said.find("no") == std::string::npos;
  return {"private TAP", has_all ? Verdict::kGood : Verdict::kLimited,
          fmt::format("works; offload: {}{}", said,
                      has_all ? "" : "; slower than it could be: use a newer kernel")};
}

// Opens another device on an interface of a private network, as --packet and --xdp do.
template <typename Open>
Finding look_at_interface(const std::string& subject, const std::string& good, Open open) {
  const std::string said = in_child([&]() -> std::string {
    enter_private_network();
    const auto tap = drivers::open_tap({.name = "tap0"});
    if (!tap) fail(Exit::kEnvironment, "{}", tap.error().message);
    if (auto up = drivers::set_link_up("tap0"); !up) fail(Exit::kEnvironment, "{}", up.error().message);
    const auto device = open("tap0");
    if (!device) fail(Exit::kEnvironment, "{}", device.error().message);
    return good;
  });
  if (said.empty()) return {subject, Verdict::kLimited, "cannot be tried; see the lines above"};
  if (said.starts_with('!')) return {subject, Verdict::kLimited, said.substr(1)};
  return {subject, Verdict::kGood, said};
}

Finding look_at_packet_ring() {
  return look_at_interface("packet ring", "works (--packet)", [](const char* interface) {
    return drivers::open_packet_device({.interface = interface});
  });
}

Finding look_at_xdp() {
  return look_at_interface(
      "AF_XDP",
      "works (--xdp); the peer must make checksums and cut segments: ethtool -K PEER tx off tso off gso off",
      [](const char* interface) { return drivers::open_xdp({.interface = interface}); });
}

Finding look_at_control() {
  try {
    return {"control socket", Verdict::kGood, control_directory()};
  } catch (const Failure& failure) {
    return {"control socket", Verdict::kBad, failure.what()};
  }
}

Finding look_for_program(const std::string& name, const std::string& package, const std::string& use) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (access(candidate.c_str(), X_OK) == 0) return {name, Verdict::kGood, candidate};
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return {name, Verdict::kLimited, fmt::format("not found, {}; sudo apt-get install {}", use, package)};
}

int run(bool as_json) {
  const std::vector<Finding> findings = {look_at_kernel(),
                                         look_at_tun_device(),
                                         look_at_namespaces(),
                                         look_at_tap(),
                                         look_at_packet_ring(),
                                         look_at_xdp(),
                                         look_at_control(),
                                         look_for_program("ip", "iproute2", "to look at the kernel's side"),
                                         look_for_program("curl", "curl", "for the examples"),
                                         look_for_program("tshark", "tshark", "to read captures")};
  bool is_good = true;
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    // Root needs no user namespace.
    if (finding.verdict == Verdict::kBad && !(finding.subject == "namespaces" && geteuid() == 0))
      is_good = false;
    list.push_back(
        {{"subject", finding.subject}, {"verdict", to_text(finding.verdict)}, {"text", finding.text}});
    if (!as_json) fmt::print("{:<15} {:<8} {}\n", finding.subject, to_text(finding.verdict), finding.text);
  }
  if (as_json) {
    fmt::print("{}\n", nlohmann::json{{"good", is_good}, {"findings", list}}.dump(2));
  } else if (is_good) {
    fmt::print("A host can run here: transom up\n");
  }
  return static_cast<int>(is_good ? Exit::kGood : Exit::kEnvironment);
}

}  // namespace

void add_doctor(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("doctor", "What this machine allows, and what to do where it does not");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "JSON");
  command->footer("Example: transom doctor");
  command->callback([as_json, &selected] { selected.run = [as_json] { return run(*as_json); }; });
}

}  // namespace transom::tools
