// Which processes have a socket, as ss -p of iproute2 finds it: by what /proc/PID/fd says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace transom::tools {

struct SocketUser {
  std::string name;  // of the program
  pid_t process = 0;
  int descriptor = -1;
  uid_t user = 0;
};

// By inode; of all processes that may be looked at.
std::map<std::uint64_t, std::vector<SocketUser>> find_socket_users();

}  // namespace transom::tools
