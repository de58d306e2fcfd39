// transom run: a program on the stack instead of the kernel's.
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "socket_api/run/supervisor.h"
#include "tools/child.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/guest_program.h"
#include "tools/local_host.h"
#include "tools/snapshot.h"

namespace transom::tools {

namespace {

struct RunOptions {
  DeviceOptions device;
  std::vector<IpAddress> name_servers;
  std::string name;
};

// What was written before the program's end is still sent after it, as the kernel would, for so long.
constexpr Duration kDrain = std::chrono::seconds(30);

int run(const RunOptions& options, const std::vector<std::string>& command) {
  if (command.empty()) fail(Exit::kUsage, "no program; write: transom run [OPTIONS] -- PROGRAM ARGUMENTS");
  const std::string directory = control_directory();
  const std::string name =
      options.name.empty() ? unused_name(directory, fmt::format("run-{}", getpid())) : options.name;
  setenv("TRANSOM_HOST", control_path(directory, name).c_str(), 1);
  block_signals();
  GuestProgram guest({.command = command,
                      .name_servers = options.name_servers,
                      .interface = options.device.is_private()  ? ""
                                   : options.device.tap.empty() ? options.device.tun
                                                                : options.device.tap,
                      .addresses = options.device.addresses});
  drivers::FileDescriptor listener = guest.take_listener();
  LocalHost host(options.device, DefaultDevice::kLoopbackAlone);
  const ControlServer control(directory, name, [&host](const nlohmann::json& request) {
    return take_snapshot(host.stack(), request.at("show").get<std::string>());
  });
  int status = 0;
  {
    const sockets::run::Supervisor supervisor(host.stack(), std::move(listener));
    guest.start();
    bool is_well = true;
    status = wait_for_end(guest.process(), [&] {
      const std::string failure = host.device_failure();
      if (!failure.empty()) fmt::print(stderr, "transom: {}\n", failure);
      return is_well = failure.empty();
    });
    if (!is_well) return status;
    guest.was_reaped();
  }
  (void)host.stack().drain(kDrain);
  return status;
}

}  // namespace

void add_run(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("run", "Run a program on this stack instead of the kernel's");
  auto options = std::make_shared<RunOptions>();
  add_device_options(*command, options->device);
  command
      ->add_option_function<std::vector<std::string>>(
          "--dns",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) options->name_servers.push_back(parse_address(text));
          },
          "Name server that the program is told of; repeatable (default: as outside)")
      ->type_name("ADDR")
      ->allow_extra_args(false);
  command->add_option("--name", options->name, "Name for ss --host and the like (default: run-PID)")
      ->type_name("NAME");
  command->footer(
      "Without --tap or --tun: the loopback interface alone, shared by all that the program starts.\n"
      "The exit status is the program's. When it ends, so does everything that it has started.\n"
      "Example: sudo transom run --tap tap0 --ip 10.9.0.2/24 -- curl http://10.9.0.1/");
  command->callback([options, &selected] {
    selected.run = [options, &selected] { return run(*options, selected.neighbour_command); };
  });
}

}  // namespace transom::tools
