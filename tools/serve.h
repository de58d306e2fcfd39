// What --serve asks for: 'echo=7', 'discard=9', 'chargen=19', 'http=80:DIR'.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "socket_api/stack_instance.h"
#include "tools/file_tree.h"
#include "tools/service_loop.h"

namespace transom::tools {

struct ServeOption {
  std::string service;
  Port port{};
  std::string directory;  // http only; may be empty
};

// Throws CLI::ValidationError.
ServeOption parse_serve(const std::string& text);

// Serves for as long as it lives. Throws Failure for a port that is taken or a directory that cannot be used.
class Services {
 public:
  // `uploads`: where PUT writes to; empty: a temporary directory.
  Services(sockets::Stack& stack, const std::vector<ServeOption>& options, const std::string& uploads);

  // One line per service.
  const std::vector<std::string>& report() const { return report_; }

 private:
  void add(const ServeOption& option, const std::string& uploads);

  std::vector<std::unique_ptr<FileTree>> trees_;  // must outlive the loop
  ServiceLoop loop_;
  std::vector<std::string> report_;
};

}  // namespace transom::tools
