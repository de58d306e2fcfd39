#include "tools/attached_programs.h"

#include <fcntl.h>
#include <poll.h>

#include "tools/environment.h"
#include "tools/failure.h"

namespace transom::tools {

nlohmann::json AttachedPrograms::answer(ControlServer::Call& call) {
  if (!call.request.contains("attach")) return requests_.answer(call.request);
  if (!call.passed) fail(Exit::kUsage, "a program to attach comes with the listener of its calls");
  const bool is_preload = call.request["attach"] == "preload";
  raise_descriptor_limit();
  const std::lock_guard lock(mutex_);
  programs_.emplace_back(drivers::FileDescriptor(fcntl(call.connection, F_DUPFD_CLOEXEC, 0)), stack_,
                         sockets::run::make_call_source(is_preload ? sockets::run::Interception::kPreload
                                                                   : sockets::run::Interception::kSeccomp,
                                                        std::move(call.passed)));
  return nullptr;
}

void AttachedPrograms::forget_ended() {
  const std::lock_guard lock(mutex_);
  programs_.remove_if([](const Program& program) {
    pollfd look{.fd = program.connection.get(), .events = 0, .revents = 0};
    return poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0;
  });
}

}  // namespace transom::tools
