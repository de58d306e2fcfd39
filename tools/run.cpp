// transom run: a program on the stack instead of the kernel's.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "socket_api/names/resolver.h"
#include "socket_api/run/supervisor.h"
#include "tools/attached_programs.h"
#include "tools/child.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/environment.h"
#include "tools/failure.h"
#include "tools/guest_program.h"
#include "tools/host_requests.h"
#include "tools/local_host.h"

namespace transom::tools {

namespace {

struct RunOptions {
  DeviceOptions device;
  std::string name;
  std::string attach;  // to the host of that name; empty: to one of its own
  bool preload = false;

  sockets::run::Interception interception() const {
    return preload ? sockets::run::Interception::kPreload : sockets::run::Interception::kSeccomp;
  }
};

// What was written before the program's end is still sent after it, as the kernel would, for so long.
constexpr Duration kDrain = std::chrono::seconds(30);

GuestOptions guest_options(const RunOptions& options, const std::vector<std::string>& command) {
  return {.command = command, .interface = options.device.device(), .interception = options.interception()};
}

GuestNetwork network_of(LocalHost& host) {
  GuestNetwork network{.addresses = host.addresses(), .name_servers = {}, .search_domains = {}};
  const sockets::ResolverConfig resolver = sockets::effective_resolver(host.stack());
  for (const Endpoint& server : resolver.servers) network.name_servers.push_back(server.address);
  network.search_domains = resolver.search_domains.value_or(std::vector<std::string>());
  return network;
}

int run_on_own_host(const RunOptions& options, const std::vector<std::string>& command) {
  const std::string directory = control_directory();
  const std::string name =
      options.name.empty() ? unused_name(directory, fmt::format("run-{}", getpid())) : options.name;
  setenv("TRANSOM_HOST", control_path(directory, name).c_str(), 1);
  GuestProgram guest(guest_options(options, command));
  raise_descriptor_limit();
  drivers::FileDescriptor listener = guest.take_listener();
  LocalHost host(options.device, DefaultDevice::kLoopbackAlone);
  HostRequests requests(host.stack());
  AttachedPrograms attached(host.stack(), requests);
  const ControlServer control(directory, name,
                              [&attached](ControlServer::Call& call) { return attached.answer(call); });
  int status = 0;
  {
    const sockets::run::Supervisor supervisor(
        host.stack(), sockets::run::make_call_source(options.interception(), std::move(listener)));
    attached.also(&supervisor);
    guest.start(network_of(host));
    bool is_well = true;
    status = wait_for_end(guest.process(), [&] {
      attached.forget_ended();
      const std::string failure = host.device_failure();
      if (!failure.empty()) fmt::print(stderr, "transom: {}\n", failure);
      return is_well = failure.empty();
    });
    attached.also(nullptr);
    if (!is_well) return status;
    guest.was_reaped();
  }
  (void)host.stack().drain(kDrain);
  return status;
}

// Of the running host at `path`. The interface that the mirror is to be like is the first that is not the
// loopback interface.
GuestNetwork network_of(const std::string& path, std::string& interface_name) {
  GuestNetwork network;
  for (const nlohmann::json& interface : ask_host(path, {{"show", "addresses"}})) {
    if (interface.at("type") == "loopback") continue;
    interface_name = interface.at("name");
    for (const nlohmann::json& address : interface.at("addresses")) {
      if (address.at("scope") == "link") continue;
      const auto prefix = IpPrefix::parse(fmt::format("{}/{}", address.at("address").get<std::string>(),
                                                      address.at("prefix_length").get<int>()));
      if (prefix) network.addresses.push_back(*prefix);
    }
    break;
  }
  const nlohmann::json names = ask_host(path, {{"show", "names"}});
  for (const nlohmann::json& server : names.at("servers")) {
    if (const auto address = IpAddress::parse(server.get<std::string>()))
      network.name_servers.push_back(*address);
  }
  network.search_domains = names.at("search").get<std::vector<std::string>>();
  return network;
}

int run_on_host_of(const RunOptions& options, const std::vector<std::string>& command) {
  const DeviceOptions& device = options.device;
  if (!device.is_private() || !device.addresses.empty() || !device.capture.empty() || device.faults ||
      !device.traces.empty() || !options.name.empty()) {
    fail(Exit::kUsage, "the host of --attach has its device already; give the device's flags to transom up");
  }
  const std::string path = find_host(options.attach);
  GuestOptions guest_options{.command = command, .interface = {}, .interception = options.interception()};
  GuestNetwork network = network_of(path, guest_options.interface);
  if (!device.name_servers.empty()) network.name_servers = device.name_servers;
  setenv("TRANSOM_HOST", path.c_str(), 1);
  join_user_namespace(process_of_host(path));
  GuestProgram guest(guest_options);
  const drivers::FileDescriptor host =
      hand_to_host(path, {{"attach", options.preload ? "preload" : "seccomp"}}, guest.take_listener().get());
  guest.start(network);
  bool is_well = true;
  const int status = wait_for_end(guest.process(), [&] {
    char octet = 0;
    is_well = recv(host.get(), &octet, 1, MSG_DONTWAIT) < 0;
    if (!is_well)
      fmt::print(stderr, "transom: the host '{}' has ended, and so does the program\n", options.attach);
    return is_well;
  });
  if (is_well) guest.was_reaped();
  return status;
}

int run(const RunOptions& options, const std::vector<std::string>& command) {
  if (command.empty()) fail(Exit::kUsage, "no program; write: transom run [OPTIONS] -- PROGRAM ARGUMENTS");
  block_signals();
  return options.attach.empty() ? run_on_own_host(options, command) : run_on_host_of(options, command);
}

}  // namespace

void add_run(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("run", "Run a program on this stack instead of the kernel's");
  auto options = std::make_shared<RunOptions>();
  add_device_options(*command, options->device);
  command->add_option("--name", options->name, "Name for ss --host and the like (default: run-PID)")
      ->type_name("NAME");
  command
      ->add_option("--attach", options->attach,
                   "The running host that the program is to live on (transom up, run)")
      ->type_name("NAME");
  command->add_flag("--preload", options->preload,
                    "Catch calls by a library instead of seccomp; not for static programs");
  command->footer(
      "Without a device: the loopback interface alone, shared by all that the program starts.\n"
      "The exit status is the program's. When it ends, so does everything that it has started.\n"
      "Example: sudo transom run --tap tap0 --ip 10.9.0.2/24 -- curl http://10.9.0.1/");
  command->callback([options, &selected] {
    selected.run = [options, &selected] { return run(*options, selected.neighbour_command); };
  });
}

}  // namespace transom::tools
