// transom up: a host on a device, with services, for as long as it is wanted.
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "tools/attached_programs.h"
#include "tools/child.h"
#include "tools/commands.h"
#include "tools/control_socket.h"
#include "tools/failure.h"
#include "tools/host_requests.h"
#include "tools/local_host.h"
#include "tools/serve.h"

namespace transom::tools {

namespace {

struct UpOptions {
  DeviceOptions device;
  std::vector<ServeOption> services;
  std::string uploads;
  std::string name;
};

// Standard output is the neighbour command's, if there is one.
void say(bool has_command, const std::vector<std::string>& lines) {
  std::FILE* const out = has_command ? stderr : stdout;
  for (const std::string& line : lines) fmt::print(out, "{}\n", line);
  std::fflush(out);
}

int run(const UpOptions& options, const std::vector<std::string>& command) {
  const std::string directory = control_directory();  // before the user namespace
  const std::string name =
      options.name.empty() ? unused_name(directory, fmt::format("host-{}", getpid())) : options.name;
  block_signals();

  LocalHost host(options.device);
  say(!command.empty(), host.report());
  const Services services(host.stack(), options.services, options.uploads);
  say(!command.empty(), services.report());
  HostRequests requests(host.stack());
  AttachedPrograms attached(host.stack(), requests);
  const ControlServer control(directory, name,
                              [&attached](ControlServer::Call& call) { return attached.answer(call); });
  say(!command.empty(), {fmt::format("control   {} (transom ss --host {})", control.path(), name)});

  pid_t child = 0;
  if (command.empty()) {
    say(false, {"ready     Ctrl-C ends"});
  } else {
    setenv("TRANSOM_HOST", control.path().c_str(), 1);
    child = start_child(command);
  }
  return wait_for_end(child, [&host, &attached] {
    attached.forget_ended();
    const std::string failure = host.device_failure();
    if (!failure.empty()) fmt::print(stderr, "transom: {}\n", failure);
    return failure.empty();
  });
}

}  // namespace

void add_up(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("up", "Run a host on a device; behind '--' a command for its kernel neighbour");
  auto options = std::make_shared<UpOptions>();
  add_device_options(*command, options->device);
  command
      ->add_option_function<std::vector<std::string>>(
          "--serve",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) options->services.push_back(parse_serve(text));
          },
          "Serve echo=7, discard=9, chargen=19 (TCP and UDP) or http=80:DIR; repeatable")
      ->type_name("NAME=PORT[:DIR]")
      ->allow_extra_args(false);
  command
      ->add_option("--uploads", options->uploads, "Where http PUT writes to (default: a temporary directory)")
      ->type_name("DIR");
  command->add_flag("--fast-open", options->device.fast_open,
                    "Take data with SYNs that bring a cookie (TCP Fast Open)");
  command->add_option("--name", options->name, "Name for ss --host and the like (default: host-PID)")
      ->type_name("NAME");
  command->footer(
      "Without a device: in a private network, no root needed.\n"
      "Behind '--': a command that runs there as a kernel neighbour; its exit status is the result.\n"
      "Example: transom up --serve http=80:. -- curl http://10.9.0.2/");
  command->callback([options, &selected] {
    selected.run = [options, &selected] { return run(*options, selected.neighbour_command); };
  });
}

}  // namespace transom::tools
