#include "socket_api/packetdrill/sysctl_file.h"

#include <sys/stat.h>

#include <fstream>

namespace transom::sockets {

std::vector<SysctlFile::Line> SysctlFile::read_new() {
  struct stat status{};
  if (path_.empty() || stat(path_.c_str(), &status) != 0 || status.st_size <= read_) return {};
  std::ifstream file(path_);
  file.seekg(read_);
  std::vector<Line> lines;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    read_ += static_cast<std::int64_t>(line.size()) + 1;
    if (const auto equals = line.find('='); equals != std::string::npos)
      lines.push_back({line.substr(0, equals), line.substr(equals + 1)});
  }
  return lines;
}

}  // namespace transom::sockets
