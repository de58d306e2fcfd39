// How the other subcommands look into a running host: a UNIX socket of its own, on which one JSON object per
// line asks and one answers. {"show": "sockets"} is answered by {"ok": true, "result": [...]} or {"ok":
// false, "error": "..."}.
//
// Sockets live in $XDG_RUNTIME_DIR/transom, or else /tmp/transom-<uid>, a directory of mode 0700, as
// NAME.sock.
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <thread>

#include "drivers/file_descriptor.h"

namespace transom::tools {

// The directory for this user; made if missing. Throws Failure when it belongs to somebody else. To be asked
// for before a user namespace is entered, in which the user is another.
std::string control_directory();

// Where the host of that name has its control socket.
std::string control_path(const std::string& directory, const std::string& name);

// `base`, or that and a number when a running host has that name: processes of different PID namespaces may
// share the directory.
std::string unused_name(const std::string& directory, const std::string& base);

class ControlServer {
 public:
  struct Call {
    nlohmann::json request;
    drivers::FileDescriptor passed;  // the descriptor that came with it, if one did
    int connection = -1;             // of the client; its end is the client's
  };
  using Handler = std::function<nlohmann::json(Call& call)>;

  // Throws Failure when a running host has this name already. `handler` may throw Failure.
  ControlServer(const std::string& directory, const std::string& name, Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  const std::string& path() const { return path_; }

 private:
  void run();
  void serve(int client);
  std::string answer(Call& call, const std::string& line);

  std::string path_;
  Handler handler_;
  drivers::FileDescriptor listener_;
  drivers::FileDescriptor stop_;  // an eventfd
  std::thread thread_;
};

// Where the control socket of the host is that `which` names, as for ask_host().
std::string find_host(const std::string& which);
// The process that the host at `path` is. Throws Failure.
pid_t process_of_host(const std::string& path);
// Asks the host at `path` with a descriptor for it. The connection that is returned is readable when the host
// has ended, and its end tells the host that we have.
drivers::FileDescriptor hand_to_host(const std::string& path, const nlohmann::json& request, int descriptor);

// Asks the host that `which` names (a path, or a name in the control directory), or, when it is empty, the
// one that $TRANSOM_HOST names, or the only one that runs. Returns the result; throws Failure.
nlohmann::json ask_host(const std::string& which, const nlohmann::json& request);

}  // namespace transom::tools
