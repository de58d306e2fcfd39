// A program that runs on a stack of ours instead of the kernel's: its namespaces, how its calls are
// handed over, and its end.
//
// It lives in network, mount and process namespaces of its own. The network has lo and a mirror: an interface
// with the name and the addresses of the stack's, so that programs that list interfaces find them; nothing
// can be sent through it. When this process dies, the program and all that it started die, and when the
// program ends, so does all that it started.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "drivers/file_descriptor.h"
#include "socket_api/run/call_source.h"
#include "stack/base/address.h"

namespace transom::tools {

struct GuestOptions {
  std::vector<std::string> command;
  std::string interface;  // of the mirror; empty: none
  sockets::run::Interception interception = sockets::run::Interception::kSeccomp;
};

// What the program finds in its network, as the host has it when the program starts.
struct GuestNetwork {
  std::vector<IpPrefix> addresses;      // of the mirror
  std::vector<IpAddress> name_servers;  // what /etc/resolv.conf says; empty: what it says outside
  std::vector<std::string> search_domains;
};

class GuestProgram {
 public:
  // Makes the namespaces; the program waits for start(). Before any thread is started. Throws Failure.
  explicit GuestProgram(const GuestOptions& options);
  ~GuestProgram();  // kills what is left of it
  GuestProgram(const GuestProgram&) = delete;
  GuestProgram& operator=(const GuestProgram&) = delete;

  // On which the supervisor hears of its calls. Once.
  drivers::FileDescriptor take_listener();
  // Once. What cannot be set up is told on standard error, and ends the program with status 127.
  void start(const GuestNetwork& network);
  // Ends with the exit status of the program, or 128 + n when signal n killed it.
  pid_t process() const { return process_; }
  void was_reaped() { process_ = 0; }

 private:
  pid_t process_ = 0;
  std::string interface_;
  drivers::FileDescriptor reports_;  // from the program's side: the listener's number, or what went wrong
  drivers::FileDescriptor go_;
};

}  // namespace transom::tools
