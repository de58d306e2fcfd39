// Programs of other processes that live on this process's host: `transom run --attach`.
#pragma once

#include <list>
#include <mutex>

#include "socket_api/run/supervisor.h"
#include "tools/control_socket.h"
#include "tools/host_requests.h"

namespace transom::tools {

class AttachedPrograms {
 public:
  // `requests` answers everything else; both must outlive it.
  AttachedPrograms(sockets::Stack& stack, HostRequests& requests) : stack_(stack), requests_(requests) {}

  // What the control socket is asked: {"attach": "seccomp" | "preload"}, with the listener of the program's
  // calls, and everything that HostRequests knows. From any thread. Throws Failure.
  nlohmann::json answer(ControlServer::Call& call);
  // The program that this process has started itself; nullptr: no more.
  void also(const sockets::run::Supervisor* own);
  // To be called now and then: programs that have ended are no longer supervised.
  void forget_ended();

 private:
  struct Program {
    Program(drivers::FileDescriptor ends, sockets::Stack& stack,
            std::unique_ptr<sockets::run::CallSource> calls)
        : connection(std::move(ends)), supervisor(stack, std::move(calls)) {}
    drivers::FileDescriptor connection;  // of who started it; its end is the program's
    sockets::run::Supervisor supervisor;
  };

  void add_inodes(nlohmann::json& sockets);

  sockets::Stack& stack_;
  HostRequests& requests_;
  const sockets::run::Supervisor* own_ = nullptr;
  std::mutex mutex_;
  std::list<Program> programs_;
};

}  // namespace transom::tools
