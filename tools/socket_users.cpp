#include "tools/socket_users.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace transom::tools {

namespace fs = std::filesystem;

std::map<std::uint64_t, std::vector<SocketUser>> find_socket_users() {
  std::map<std::uint64_t, std::vector<SocketUser>> users;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const int id = std::atoi(process->path().filename().c_str());
    if (id <= 0) continue;
    struct stat status{};
    std::string name;
    if (stat(process->path().c_str(), &status) != 0) continue;
    std::getline(std::ifstream(process->path() / "comm"), name);
    std::error_code gone;
    for (fs::directory_iterator entry(process->path() / "fd", gone); !gone && entry != end;
         entry.increment(gone)) {
      std::error_code unreadable;
      const std::string target = fs::read_symlink(entry->path(), unreadable).native();
      unsigned long inode = 0;
      if (std::sscanf(target.c_str(), "socket:[%lu]", &inode) != 1) continue;
      users[inode].push_back({.name = name,
                              .process = id,
                              .descriptor = std::atoi(entry->path().filename().c_str()),
                              .user = status.st_uid});
    }
  }
  return users;
}

}  // namespace transom::tools
