#include "tools/attached_programs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>

#include "tools/environment.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

// Of a socket; a listener's peer is nobody, of either family.
std::string key_of(std::string_view protocol, const Endpoint& local, const Endpoint& remote) {
  std::string key = fmt::format("{} {}", protocol, local);
  if (remote.port != Port::kNone) key += fmt::format(" {}", remote);
  return key;
}

Endpoint endpoint_of(const nlohmann::json& written) {
  return {IpAddress::parse(written.at("address").get<std::string>()).value_or(IpAddress{}),
          Port{written.at("port").get<std::uint16_t>()}};
}

}  // namespace

nlohmann::json AttachedPrograms::answer(ControlServer::Call& call) {
  if (!call.request.contains("attach")) {
    nlohmann::json answer = requests_.answer(call.request);
    if (call.request.value("show", "") == "sockets") add_inodes(answer);
    return answer;
  }
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

void AttachedPrograms::also(const sockets::run::Supervisor* own) {
  const std::lock_guard lock(mutex_);
  own_ = own;
}

// Of each socket of a program, so that whoever asks finds the processes that have it.
void AttachedPrograms::add_inodes(nlohmann::json& sockets) {
  using sockets::run::Supervisor;
  std::multimap<std::string, std::uint64_t> inodes;
  {
    const std::lock_guard lock(mutex_);
    sockets::Session session(stack_);
    const auto collect = [&](const Supervisor& supervisor) {
      for (const Supervisor::ProgramSocket& socket : supervisor.sockets(session)) {
        if (socket.kind.type == SOCK_RAW || socket.kind.domain == AF_PACKET) continue;
        const Endpoint nobody{IpAddress::any(socket.local.address.family()), Port::kNone};
        inodes.emplace(key_of(socket.kind.type == SOCK_STREAM ? "tcp" : "udp", socket.local,
                              socket.remote.value_or(nobody)),
                       socket.inode);
      }
    };
    if (own_ != nullptr) collect(*own_);
    for (const Program& program : programs_) collect(program.supervisor);
  }
  for (nlohmann::json& socket : sockets) {
    const auto found = inodes.find(key_of(socket.at("protocol").get<std::string>(),
                                          endpoint_of(socket.at("local")), endpoint_of(socket.at("peer"))));
    if (found == inodes.end()) continue;
    socket["inode"] = found->second;
    inodes.erase(found);
  }
}

void AttachedPrograms::forget_ended() {
  const std::lock_guard lock(mutex_);
  programs_.remove_if([](const Program& program) {
    pollfd look{.fd = program.connection.get(), .events = 0, .revents = 0};
    return poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0;
  });
}

}  // namespace transom::tools
