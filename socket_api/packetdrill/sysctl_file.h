// What a script has set with the stand-in for sysctl(8): lines "name=value" of a file that only grows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace transom::sockets {

class SysctlFile {
 public:
  struct Line {
    std::string name;
    std::string value;
  };

  explicit SysctlFile(std::string path) : path_(std::move(path)) {}

  // The lines that were added since the last call.
  std::vector<Line> read_new();

 private:
  std::string path_;  // empty: there is none
  std::int64_t read_ = 0;
};

}  // namespace transom::sockets
